#include "tests/support/seed.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace isolith::testing {
namespace {

std::uint64_t draw_seed() {
  if (const char* text = std::getenv("ISOLITH_TEST_SEED"); text != nullptr) {
    char* end = nullptr;
    errno = 0;
    const std::uint64_t seed = std::strtoull(text, &end, 0);
    if (end != text && *end == '\0' && errno == 0) return seed;
    std::fprintf(stderr, "ISOLITH_TEST_SEED is not a number: %s\n", text);
    std::exit(2);
  }
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const std::uint64_t drawn = draw_seed();
    std::printf("seed: replay with ISOLITH_TEST_SEED=%llu\n", static_cast<unsigned long long>(drawn));
    std::fflush(stdout);
    return drawn;
  }();
  return seed;
}

}  // namespace isolith::testing

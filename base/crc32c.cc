// CRC-32C twice: slicing-by-8 (Kounavis and Berry, "A Systematic Approach to Building High Performance
// Software-based CRC Generators", ISCC 2005), and SSE 4.2's crc32 instruction on three interleaved streams,
// since it takes 3 cycles but can start every cycle (Gopal et al., "Fast CRC Computation for iSCSI Polynomial
// Using CRC32 Instruction", Intel 2011). The streams are joined with "advance this CRC over n zero bytes", a
// multiplication by x^(8n) modulo the polynomial, which is linear and therefore a table look-up per byte of
// the CRC.
//
// Inside, a CRC is the bare register; the inversions before and after are in the public functions alone.
#include "base/crc32c.h"

#include <array>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace isolith::base {

namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected: bit 31 is x^0

using Table = std::array<std::uint32_t, 256>;

constexpr std::uint32_t times_x(std::uint32_t a) noexcept {
  return (a & 1) != 0 ? (a >> 1) ^ kPolynomial : a >> 1;
}

// kSlices[k][b]: what byte b contributes when k more bytes follow it.
constexpr std::array<Table, 8> make_slices() noexcept {
  std::array<Table, 8> slices{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = times_x(crc);
    slices[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t previous = slices[k - 1][byte];
      slices[k][byte] = (previous >> 8) ^ slices[0][previous & 0xFF];
    }
  }
  return slices;
}

constexpr std::array<Table, 8> kSlices = make_slices();

constexpr std::uint32_t add_byte(std::uint32_t crc, unsigned char byte) noexcept {
  return (crc >> 8) ^ kSlices[0][(crc ^ byte) & 0xFF];
}

std::uint32_t extend_portable(std::uint32_t crc, const unsigned char* data, std::size_t size) noexcept {
  for (; size >= 8; data += 8, size -= 8) {
    const std::uint64_t word = load<std::uint64_t>(data) ^ crc;
    crc = kSlices[7][word & 0xFF] ^ kSlices[6][(word >> 8) & 0xFF] ^ kSlices[5][(word >> 16) & 0xFF] ^
          kSlices[4][(word >> 24) & 0xFF] ^ kSlices[3][(word >> 32) & 0xFF] ^
          kSlices[2][(word >> 40) & 0xFF] ^ kSlices[1][(word >> 48) & 0xFF] ^ kSlices[0][word >> 56];
  }
  for (; size > 0; ++data, --size) crc = add_byte(crc, *data);
  return crc;
}

#if defined(__x86_64__)

constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t product = 0;
  for (std::uint32_t bit = 0x80000000; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = times_x(b);
  }
  return product;
}

// x^(8 * bytes) modulo the polynomial.
constexpr std::uint32_t power_of_x(std::size_t bytes) noexcept {
  std::uint32_t power = 0x80000000;   // x^0
  std::uint32_t square = 0x00800000;  // x^8
  for (; bytes != 0; bytes >>= 1) {
    if ((bytes & 1) != 0) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}

constexpr std::array<Table, 4> make_advance(std::size_t bytes) noexcept {
  std::array<Table, 4> tables{};
  const std::uint32_t power = power_of_x(bytes);
  for (std::size_t place = 0; place < 4; ++place) {
    for (std::uint32_t byte = 0; byte < 256; ++byte)
      tables[place][byte] = multiply(power, byte << (8 * place));
  }
  return tables;
}

// Two block lengths, so that a page of 4 to 16 KiB spends little on a single stream.
constexpr std::size_t kLongBytes = 1024;
constexpr std::size_t kShortBytes = 128;
constexpr std::array<Table, 4> kAdvanceLong = make_advance(kLongBytes);
constexpr std::array<Table, 4> kAdvanceShort = make_advance(kShortBytes);

inline std::uint32_t advance(const std::array<Table, 4>& tables, std::uint32_t crc) noexcept {
  return tables[0][crc & 0xFF] ^ tables[1][(crc >> 8) & 0xFF] ^ tables[2][(crc >> 16) & 0xFF] ^
         tables[3][crc >> 24];
}

__attribute__((target("sse4.2"))) inline std::uint64_t step(std::uint64_t crc,
                                                            const unsigned char* data) noexcept {
  return _mm_crc32_u64(crc, load<std::uint64_t>(data));
}

// Takes three blocks of `kBlockBytes` at a time off the front of data.
template <std::size_t kBlockBytes>
__attribute__((target("sse4.2"))) inline std::uint32_t three_streams(const std::array<Table, 4>& tables,
                                                                     std::uint32_t crc,
                                                                     const unsigned char*& data,
                                                                     std::size_t& size) noexcept {
  for (; size >= 3 * kBlockBytes; data += 3 * kBlockBytes, size -= 3 * kBlockBytes) {
    std::uint64_t first = crc;
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t at = 0; at < kBlockBytes; at += 8) {
      first = step(first, data + at);
      second = step(second, data + kBlockBytes + at);
      third = step(third, data + 2 * kBlockBytes + at);
    }
    crc = advance(tables, static_cast<std::uint32_t>(first)) ^ static_cast<std::uint32_t>(second);
    crc = advance(tables, crc) ^ static_cast<std::uint32_t>(third);
  }
  return crc;
}

__attribute__((target("sse4.2"))) std::uint32_t extend_sse42(std::uint32_t crc, const unsigned char* data,
                                                             std::size_t size) noexcept {
  crc = three_streams<kLongBytes>(kAdvanceLong, crc, data, size);
  crc = three_streams<kShortBytes>(kAdvanceShort, crc, data, size);
  std::uint64_t wide = crc;
  for (; size >= 8; data += 8, size -= 8) wide = step(wide, data);
  crc = static_cast<std::uint32_t>(wide);
  for (; size > 0; ++data, --size) crc = _mm_crc32_u8(crc, *data);
  return crc;
}

#endif  // __x86_64__

using Extend = std::uint32_t (*)(std::uint32_t, const unsigned char*, std::size_t) noexcept;

Extend pick_extend() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return extend_sse42;
#endif
  return extend_portable;
}

Extend extend() noexcept {
  static const Extend picked = pick_extend();
  return picked;
}

}  // namespace

std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t seed) noexcept {
  return ~extend()(~seed, static_cast<const unsigned char*>(data), size);
}

std::uint32_t crc32c_portable(const void* data, std::size_t size, std::uint32_t seed) noexcept {
  return ~extend_portable(~seed, static_cast<const unsigned char*>(data), size);
}

bool crc32c_is_accelerated() noexcept { return extend() != &extend_portable; }

}  // namespace isolith::base

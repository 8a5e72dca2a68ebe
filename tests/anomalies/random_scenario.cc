#include "random_scenario.h"

#include <array>
#include <random>
#include <string_view>
#include <vector>

namespace isolith::anomalies {
namespace {

constexpr std::array kKeys = {"t/a", "t/b", "t/c", "u/a"};
constexpr std::array kRanges = {"t", "t/a..c", "t/b..", "t/..b", "u"};
constexpr std::array kLevels = {"read_uncommitted", "read_committed",   "repeatable_read", "snapshot",
                                "serializable_2pl", "serializable_ssi", "serial"};
constexpr std::array kReads = {"scan", "count", "sum", "exists"};

class Drawing {
 public:
  explicit Drawing(std::uint64_t seed) : random_(seed) {}

  std::string text(std::uint64_t orders_max) {
    std::string text = "scenario drawn\n\ntable t\n";
    for (const std::string_view key : {"a", "b", "c"}) {
      if (below(3) != 0)
        text.append("  ").append(key).append(" = ").append(std::to_string(below(3))).append("\n");
    }
    text += "\ntable u\n";
    if (below(2) == 0) text += "  a = 1\n";
    for (const std::size_t steps : draw_sizes(orders_max)) text += session(steps);
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() >> 33) % bound; }
  template <typename Array>
  std::string_view one_of(const Array& choices) {
    return choices[below(choices.size())];
  }

  // How many steps each session has.
  std::vector<std::size_t> draw_sizes(std::uint64_t orders_max) {
    while (true) {
      std::vector<std::size_t> sizes(2 + below(2));
      std::uint64_t orders = 1;
      std::uint64_t steps = 0;
      for (std::size_t& size : sizes) {
        size = 2 + below(4);
        for (std::uint64_t i = 1; i <= size; ++i) orders = orders * ++steps / i;
      }
      if (orders <= orders_max) return sizes;
    }
  }

  std::string session(std::size_t steps) {
    std::string text("\nsession ");
    text += static_cast<char>('A' + sessions_++);
    if (below(4) == 0) text.append(" at ").append(one_of(kLevels));
    is_read_only_ = below(12) == 0;
    text += is_read_only_ ? " read only\n" : "\n";
    variables_ = 0;
    has_savepoint_ = false;
    // At times two transactions.
    const std::size_t second = steps >= 4 && below(4) == 0 ? 1 + below(steps - 3) : steps;
    for (std::size_t i = 0; i < steps; ++i) {
      if (i == second + 1) {
        text += "  begin\n";
        has_savepoint_ = false;
      } else if (i == second || i + 1 == steps) {
        text += below(6) == 0 ? "  abort\n" : "  commit\n";
      } else {
        text.append("  ").append(step()).append("\n");
      }
    }
    return text;
  }

  std::string variable() { return "x" + std::to_string(variables_++); }
  std::string number() { return std::to_string(10 + next_number_++); }

  std::string rows() { return std::string(below(2) == 0 ? one_of(kRanges) : one_of(kKeys)); }

  std::string where() {
    switch (below(4)) {
      case 0:
        return " where value > 1";
      case 1:
        return " where key != \"a\"";
      default:
        return "";
    }
  }

  std::string step() {
    const std::string key(one_of(kKeys));
    const std::string range(one_of(kRanges));
    switch (below(16)) {
      case 0:
      case 1:
        return variable() + " = get " + key;
      case 2:
        return variable() + " = get_for_update " + key;
      case 3:
      case 4:
      case 5:
        return "put " + key + " = " + number();
      case 6:
        return "insert " + key + " = " + number();
      case 7:
        return "erase " + key;
      case 8:
        return "update " + rows() + " = value + " + number() + where();
      case 9:
        return "erase_range " + range + where();
      case 10:
      case 11:
        return variable() + " = " + std::string(one_of(kReads)) + " " + range + where();
      case 12:
        if (is_read_only_) return "get " + key;  // it cannot have savepoints
        if (has_savepoint_) return "rollback to s";
        has_savepoint_ = true;
        return "savepoint s";
      case 13:
        return variable() + " = get_for_share " + key;
      case 14:
        if (variables_ > 0) return "require x0 != " + std::string(below(2) == 0 ? "absent" : "1");
        return "get " + key;
      default:
        if (variables_ > 0) return "if x0 = absent then put " + key + " = " + number();
        return "put " + key + " = " + number();
    }
  }

  std::mt19937_64 random_;
  int sessions_ = 0;
  std::size_t variables_ = 0;  // of the session
  bool is_read_only_ = false;
  bool has_savepoint_ = false;  // its transaction
  std::size_t next_number_ = 0;
};

}  // namespace

std::string draw_scenario(std::uint64_t seed, std::uint64_t orders_max) {
  return Drawing(seed).text(orders_max);
}

}  // namespace isolith::anomalies

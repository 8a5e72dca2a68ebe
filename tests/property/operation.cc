#include "tests/property/operation.h"

#include <cstdio>
#include <cstring>
#include <ostream>
#include <utility>

#include "base/random.h"

namespace isolith::property {
namespace {

constexpr std::size_t kLongPrefixBytes = 700;
constexpr std::size_t kMaxKeyBytes = 2048;
constexpr int kOperationsMax = 160;

// What a sequence has more of than others do ("swarm testing": Groce et al., ISSTA 2012).
enum class Focus : std::uint8_t { none, cursors, savepoints, tables, lives };
constexpr std::size_t kFocusFactor = 5;

struct Shape {
  Kind kind;
  std::size_t weight;
  Focus focus;
  // %t a handle, %n a name, %k and %o keys, %r a range, %v a value, %# the number, %p the place, %s a slot
  const char* call;
};

// The weights are chosen for many collisions, and for pages that split, merge and overflow.
constexpr Shape kShapes[] = {
    {Kind::begin, 4, Focus::none, "begin(%#)"},
    {Kind::commit, 10, Focus::lives, "commit()"},
    {Kind::abort, 3, Focus::none, "abort()"},
    {Kind::destroy, 2, Focus::none, "destroy()"},
    {Kind::move, 1, Focus::none, "move to t%s"},
    {Kind::get, 8, Focus::none, "get(%t, %k)"},
    {Kind::get_part, 3, Focus::none, "get_part(%t, %k, %#, %v)"},
    {Kind::get_for_update, 6, Focus::none, "get_for_update(%t, %k)"},
    {Kind::put, 24, Focus::none, "put(%t, %k, %v)"},
    {Kind::insert, 6, Focus::none, "insert(%t, %k, %v)"},
    {Kind::erase, 12, Focus::none, "erase(%t, %k)"},
    {Kind::append, 6, Focus::none, "append(%t, %k, %v)"},
    {Kind::fill, 6, Focus::none, "fill(%t, %v)"},
    {Kind::erase_range, 3, Focus::none, "erase_range(%t, %r)"},
    {Kind::scan, 6, Focus::none, "c%p = scan(%t, %r, %#)"},
    {Kind::open_cursor, 7, Focus::cursors, "c%p = cursor(%t, %r), sought %#"},
    {Kind::close_cursor, 1, Focus::none, "close()"},
    {Kind::seek_first, 2, Focus::none, "seek_first()"},
    {Kind::seek_last, 2, Focus::none, "seek_last()"},
    {Kind::seek, 4, Focus::cursors, "seek(%k)"},
    {Kind::seek_before, 2, Focus::cursors, "seek_before(%k)"},
    {Kind::next, 4, Focus::cursors, "next()"},
    {Kind::prev, 4, Focus::cursors, "prev()"},
    {Kind::walk, 4, Focus::cursors, "walk(%#)"},
    {Kind::value, 3, Focus::cursors, "value()"},
    {Kind::savepoint, 8, Focus::savepoints, "s%p = savepoint()"},
    {Kind::rollback_to, 8, Focus::savepoints, "rollback_to(s%p, %#)"},
    {Kind::open_table, 3, Focus::tables, "%t = open_table(%n)"},
    {Kind::create_table, 3, Focus::tables, "%t = create_table(%n)"},
    {Kind::ensure_table, 4, Focus::tables, "%t = ensure_table(%n)"},
    {Kind::drop_table, 2, Focus::tables, "drop_table(%t)"},
    {Kind::database_open_table, 1, Focus::none, "%t = open_table(%n)"},
    {Kind::database_ensure_table, 1, Focus::none, "%t = ensure_table(%n)"},
    {Kind::tables, 1, Focus::none, "tables()"},
    {Kind::run_transaction, 3, Focus::none, "run_transaction(%t, %k, %o, %v)"},
    {Kind::commit_many, 2, Focus::lives, "commit_many(%t, %k, %v)"},
    {Kind::stats, 2, Focus::none, "stats()"},
    {Kind::table_stats, 2, Focus::none, "table_stats(%t)"},
    {Kind::verify, 2, Focus::none, "verify()"},
    {Kind::checkpoint, 2, Focus::lives, "checkpoint()"},
    {Kind::sync, 1, Focus::none, "sync()"},
    {Kind::reopen, 1, Focus::lives, "reopen(%#)"},
    {Kind::crash, 2, Focus::lives, "crash(%#)"},
};

rc::Gen<Kind> any_kind(Focus focus) {
  std::vector<Kind> kinds;
  for (const Shape& shape : kShapes) {
    const bool favoured = focus != Focus::none && shape.focus == focus;
    kinds.insert(kinds.end(), shape.weight * (favoured ? kFocusFactor : 1), shape.kind);
  }
  return rc::gen::elementOf(std::move(kinds));
}

rc::Gen<unsigned> any_key() {
  using rc::gen::inRange;
  return rc::gen::weightedOneOf<unsigned>({{12, inRange(1U, 10U)},
                                           {5, inRange(0U, kNamedKeys)},
                                           {3, inRange(kNamedKeys, kNamedKeys + kFilledKeys)}});
}

// Around the sizes where a value leaves the leaf and where its chain takes another page, too.
rc::Gen<unsigned> any_size() {
  using rc::gen::inRange;
  return rc::gen::weightedOneOf<unsigned>({{3, rc::gen::just(0U)},
                                           {12, inRange(1U, 60U)},
                                           {6, inRange(300U, 3600U)},
                                           {2, inRange(3500U, 3600U)},
                                           {3, inRange(3600U, 17'000U)},
                                           {1, inRange(17'000U, 100'000U)}});
}

rc::Gen<unsigned> any_table() {
  return rc::gen::weightedOneOf<unsigned>({{14, rc::gen::just(0U)},
                                           {6, rc::gen::just(1U)},
                                           {2, rc::gen::just(2U)},
                                           {1, rc::gen::inRange(3U, 6U)}});
}

// What stands for one letter of a call.
std::string describe_part(const Operation& o, char part) {
  const std::string number = "#" + std::to_string(o.number);
  switch (part) {
    case 't':
      return "h" + std::to_string(o.table % kTableSlots);
    case 'n':
      return o.table == 5 ? "(256 bytes)" : '"' + table_name(o.table) + '"';
    case 'k':
      return describe_key(o.key);
    case 'o':
      return describe_key(o.other);
    case 'r':
      if (takes_all(o)) return "all";
      return "[" + describe_key(o.key) + ", " + (o.other == kNoKey ? "end" : describe_key(o.other)) + ")";
    case 'v':
      return std::to_string(o.size) + " bytes of " + number;
    case '#':
      return number;
    case 'p':
      return std::to_string(o.place);
    case 's':
      return std::to_string(o.number % kSlots);
    default:
      return {};
  }
}

}  // namespace

std::string key_of(unsigned key) {
  char digits[16];
  if (key >= kNamedKeys) {
    std::snprintf(digits, sizeof digits, "f%04u", key - kNamedKeys);
    return digits;
  }
  std::snprintf(digits, sizeof digits, "%02u", key);
  if (key == 0) return {};
  if (key < 36) return std::string("k") + digits;
  if (key < 54) return std::string(kLongPrefixBytes, 'p') + digits;
  if (key < 58) return std::string(key % 4 + 1, '\0');
  if (key < 60) return std::string(key % 2 + 1, '\xFF');
  if (key < 62) return std::string(kMaxKeyBytes - 1, 'm') + digits[1];
  return std::string(kMaxKeyBytes + (key == 62 ? 0 : 1), 'n');
}

std::string describe_key(const std::string& key) {
  if (key.empty()) return "\"\"";
  if (key.size() > 100) {
    return std::to_string(key.size()) + "*" + key.front() + ".." + key.substr(key.size() - 2);
  }
  std::string out;
  for (const char c : key) {
    if (c == '\0')
      out += "\\0";
    else if (c == '\xFF')
      out += "\\xFF";
    else
      out += c;
  }
  return out;
}

std::string describe_key(unsigned key) { return key == kNoKey ? "none" : describe_key(key_of(key)); }

bool takes_all(const Operation& operation) {
  const bool reads = operation.kind == Kind::scan || operation.kind == Kind::open_cursor;
  return reads && operation.number / 16 % 2 == 0;
}

std::string table_name(unsigned table) {
  if (table == 4) return {};
  if (table == 5) return std::string(256, 'x');
  return "t" + std::to_string(table);
}

std::string value_of(unsigned size, unsigned number) {
  base::Random random(number);
  std::string value(size, '\0');
  for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(value.data() + i, &word, std::min(sizeof word, size - i));
  }
  return value;
}

rc::Gen<Operations> any_operations(unsigned slots) {
  using rc::gen::inRange;
  using rc::gen::set;
  const auto focus = rc::gen::element(Focus::none, Focus::none, Focus::cursors, Focus::cursors,
                                      Focus::savepoints, Focus::tables, Focus::lives);
  return rc::gen::mapcat(rc::gen::noShrink(focus), [slots](Focus chosen) {
    const auto upper = rc::gen::weightedOneOf<unsigned>({{2, any_key()}, {1, rc::gen::just(kNoKey)}});
    const auto operation = rc::gen::build<Operation>(
        set(&Operation::kind, any_kind(chosen)), set(&Operation::slot, inRange(0U, slots)),
        set(&Operation::table, any_table()), set(&Operation::place, inRange(0U, kPlaces)),
        set(&Operation::key, any_key()), set(&Operation::other, upper), set(&Operation::size, any_size()),
        set(&Operation::number, inRange(0U, 1U << 16)));
    // Any length up to the largest, whatever rapidcheck's own size is; nor do the numbers grow with it.
    const auto nominal = rc::gen::resize(rc::kNominalSize, operation);
    return rc::gen::resize(kOperationsMax, rc::gen::container<Operations>(nominal));
  });
}

std::string to_string(const Operation& operation) {
  const bool of_cursor = operation.kind >= Kind::close_cursor && operation.kind <= Kind::value;
  const bool of_database = operation.kind >= Kind::database_open_table;
  std::string text = of_database ? "db." : of_cursor ? "c" : "t";
  if (!of_database) text += std::to_string(of_cursor ? operation.place : operation.slot) + ".";
  for (const Shape& shape : kShapes) {
    if (shape.kind != operation.kind) continue;
    for (const char* at = shape.call; *at != '\0'; ++at) {
      if (*at == '%') {
        text += describe_part(operation, *++at);
      } else {
        text += *at;
      }
    }
  }
  return text;
}

void showValue(const Operations& operations, std::ostream& out) {
  out << operations.size() << " operations:\n";
  for (const Operation& operation : operations) out << "  " << to_string(operation) << '\n';
}

}  // namespace isolith::property

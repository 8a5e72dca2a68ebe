// Generating and printing histories.
#include "tests/history/history.h"

#include <ostream>
#include <string_view>
#include <utility>

namespace isolith::history {
namespace {

constexpr int kPlansMax = 3;       // transactions of a session, one after another
constexpr int kOperationsMax = 8;  // of a transaction
constexpr int kEventsMax = 4;

struct Shape {
  Kind kind;
  std::size_t weight;
  std::string_view name;
  std::string_view arguments;  // t: table, k: key, r: range, n: number
};

constexpr Shape kCalls[] = {
    {Kind::get, 8, "get", "tk"},           {Kind::get_for_update, 4, "get_for_update", "tk"},
    {Kind::put, 12, "put", "tkn"},         {Kind::insert, 4, "insert", "tkn"},
    {Kind::erase, 6, "erase", "tk"},       {Kind::erase_range, 2, "erase_range", "tr"},
    {Kind::scan, 4, "scan", "trn"},        {Kind::open_cursor, 4, "open_cursor", "trn"},
    {Kind::seek, 2, "seek", "kn"},         {Kind::move, 6, "move", "n"},
    {Kind::savepoint, 3, "savepoint", ""}, {Kind::rollback_to, 3, "rollback_to", "n"},
};

constexpr Shape kEvents[] = {
    {Kind::checkpoint, 4, "checkpoint", ""}, {Kind::crash, 6, "crash", "n"},
    {Kind::reopen, 2, "reopen", ""},         {Kind::verify, 1, "verify", ""},
    {Kind::churn, 3, "churn", "tkn"},
};

template <std::size_t kCount>
rc::Gen<Kind> any_kind(const Shape (&shapes)[kCount]) {
  std::vector<Kind> kinds;
  for (const Shape& shape : shapes) kinds.insert(kinds.end(), shape.weight, shape.kind);
  return rc::gen::elementOf(std::move(kinds));
}

rc::Gen<Operation> any_operation(rc::Gen<Kind> kind) {
  using rc::gen::inRange;
  using rc::gen::set;
  const auto key = rc::gen::weightedOneOf<unsigned>({{3, inRange(0U, 3U)}, {2, inRange(0U, kKeys)}});
  const auto table = rc::gen::weightedElement<unsigned>({{3, 0U}, {1, 1U}});
  return rc::gen::build<Operation>(set(&Operation::kind, std::move(kind)), set(&Operation::table, table),
                                   set(&Operation::key, key), set(&Operation::other, inRange(0U, kKeys + 1)),
                                   set(&Operation::number, inRange(0U, 1U << 16)));
}

// Whatever rapidcheck's own size is.
template <typename T>
rc::Gen<std::vector<T>> some(int count_max, rc::Gen<T> element) {
  const auto nominal = rc::gen::resize(rc::kNominalSize, std::move(element));
  return rc::gen::resize(count_max, rc::gen::nonEmpty(rc::gen::container<std::vector<T>>(nominal)));
}

const Shape& shape_of(Kind kind) {
  for (const Shape& shape : kCalls) {
    if (shape.kind == kind) return shape;
  }
  for (const Shape& shape : kEvents) {
    if (shape.kind == kind) return shape;
  }
  return kCalls[0];
}

}  // namespace

std::string key_of(unsigned key) {
  std::string text(1, 'k');
  text += std::to_string(key);
  return text;
}

std::string table_of(unsigned table) {
  std::string text(1, 't');
  text += std::to_string(table);
  return text;
}

std::string_view to_string(Level level) {
  constexpr std::string_view kNames[] = {"read_uncommitted", "read_committed", "snapshot"};
  return kNames[static_cast<std::size_t>(level)];
}

std::string to_string(const Operation& operation) {
  const Shape& shape = shape_of(operation.kind);
  std::string text(shape.name);
  text += '(';
  for (const char argument : shape.arguments) {
    if (text.back() != '(') text += ", ";
    if (argument == 't') text += table_of(operation.table);
    if (argument == 'k') text += key_of(operation.key);
    if (argument == 'n') text += std::to_string(operation.number);
    if (argument != 'r') continue;
    text.append(1, '[').append(key_of(operation.key)).append(", ");
    text += operation.other == kKeys ? "end" : key_of(operation.other);
    text += ')';
  }
  text += ')';
  return text;
}

void showValue(const History& history, std::ostream& out) {
  out << "schedule by seed " << history.seed << ", first rows " << history.first_rows << '\n';
  char name = 'A';
  for (const std::vector<Plan>& plans : history.sessions) {
    unsigned step = 0;
    for (const Plan& plan : plans) {
      out << "  " << name << ++step << " begin(" << to_string(plan.level) << ")\n";
      for (const Operation& operation : plan.operations)
        out << "  " << name << ++step << ' ' << to_string(operation) << '\n';
      out << "  " << name << ++step << (plan.commits ? " commit()\n" : " abort()\n");
    }
    ++name;
  }
  unsigned step = 0;
  for (const Operation& event : history.events)
    out << "  Events" << ++step << ' ' << to_string(event) << '\n';
}

rc::Gen<History> any_history() {
  using rc::gen::set;
  const auto level = rc::gen::element(Level::read_uncommitted, Level::read_committed, Level::read_committed,
                                      Level::snapshot, Level::snapshot, Level::snapshot);
  const auto plan = rc::gen::build<Plan>(
      set(&Plan::level, level), set(&Plan::operations, some(kOperationsMax, any_operation(any_kind(kCalls)))),
      set(&Plan::commits, rc::gen::weightedElement<bool>({{4, true}, {1, false}})));
  const auto sessions = rc::gen::mapcat(rc::gen::inRange<std::size_t>(2, 6), [plan](std::size_t count) {
    return rc::gen::container<std::vector<std::vector<Plan>>>(count, some(kPlansMax, plan));
  });
  const auto events = rc::gen::container<std::vector<Operation>>(
      rc::gen::resize(rc::kNominalSize, any_operation(any_kind(kEvents))));
  return rc::gen::build<History>(
      set(&History::seed, rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint32_t>(0, 1U << 31))),
      set(&History::first_rows,
          rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint32_t>(0, 1U << (kTables * kKeys)))),
      set(&History::sessions, rc::gen::resize(rc::kNominalSize, sessions)),
      set(&History::events, rc::gen::resize(kEventsMax, events)));
}

}  // namespace isolith::history

#include "tests/property/world.h"

#include <algorithm>
#include <utility>

namespace isolith::property {

void World::expect(bool good, const std::string& text) {
  if (!good && problem_.empty()) problem_ = text;
}

void World::same(const Status& got, const Answer& wanted) {
  const Status expected(wanted.code);
  expect(got.is(wanted.code),
         "answers " + got.to_string() + ", expected " + std::string(to_string(wanted.code)));
  if (got.is(StatusCode::conflict) && wanted.code == StatusCode::conflict) {
    expect(got.reason() == ConflictReason::lock_timeout, "answers " + got.to_string());
    same_wait();
  }
}

// Who was waited for, and where.
void World::same_wait() {
  const Wait& wanted = model_.last_wait();
  expect(wanted.table.empty() || hook_.table == wanted.table, "waited in table " + hook_.table);
  expect(hook_.key == wanted.key, "waited for key " + describe_key(hook_.key));
  const bool is_holder = std::any_of(wanted.holders.begin(), wanted.holders.end(),
                                     [this](std::uint64_t id) { return numbers_[id] == hook_.holder; });
  expect(is_holder, "waited for T" + std::to_string(hook_.holder));
}

void World::same_value(std::string_view got, const Answer& wanted) {
  if (!wanted.value || got == *wanted.value) return;
  const auto differs = std::mismatch(got.begin(), got.end(), wanted.value->begin(), wanted.value->end());
  expect(false, "a value of " + std::to_string(got.size()) + " bytes, expected " +
                    std::to_string(wanted.value->size()) + "; they differ from byte " +
                    std::to_string(differs.first - got.begin()) + " on");
}

std::string World::run(const Operation& operation) {
  dispatch(operation);
  // Whoever has written has a number from then on.
  for (TransactionSlot& slot : slots_) {
    if (!slot.transaction) continue;
    const ModelTransaction& wanted = model_.transaction(slot.id);
    const bool active = slot.transaction->active();
    expect(active == wanted.active, active ? "the transaction is still active" : "the transaction is over");
    if (!active || !wanted.active) continue;
    expect((slot.transaction->id() != 0) == wanted.has_id,
           "id() is " + std::to_string(slot.transaction->id()));
    numbers_[slot.id] = slot.transaction->id();
  }
  return std::exchange(problem_, {});
}

void World::dispatch(const Operation& operation) {
  switch (operation.kind) {
    case Kind::begin:
      return begin(operation);
    case Kind::commit:
    case Kind::abort:
    case Kind::destroy:
      return end(operation);
    case Kind::move:
      return move(operation);
    case Kind::get:
    case Kind::get_part:
    case Kind::get_for_update:
      return read(operation);
    case Kind::put:
    case Kind::insert:
    case Kind::erase:
    case Kind::append:
      return write(operation);
    case Kind::fill:
      return fill(operation);
    case Kind::erase_range:
      return erase_range(operation);
    case Kind::scan:
      return scan(operation);
    case Kind::open_cursor:
      return open_cursor(operation);
    case Kind::close_cursor:
    case Kind::seek_first:
    case Kind::seek_last:
    case Kind::seek:
    case Kind::seek_before:
    case Kind::next:
    case Kind::prev:
    case Kind::walk:
    case Kind::value:
      return use_cursor(operation);
    case Kind::savepoint:
      return take_savepoint(operation);
    case Kind::rollback_to:
      return roll_back(operation);
    case Kind::open_table:
    case Kind::create_table:
    case Kind::ensure_table:
    case Kind::drop_table:
      return use_tables(operation);
    case Kind::run_transaction:
      return run_in_transaction(operation);
    case Kind::commit_many:
      return commit_many(operation);
    case Kind::reopen:
      return reopen(operation);
    case Kind::crash:
      return crash(operation);
    default:
      return use_database(operation);
  }
}

}  // namespace isolith::property

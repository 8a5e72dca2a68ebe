// The calls of a transaction.
#include <algorithm>
#include <utility>

#include "tests/property/world.h"

namespace isolith::property {
namespace {

// A level that is not built in: reads what is not committed.
class NewestPolicy final : public IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "newest"; }
  [[nodiscard]] ReadView read_view() const noexcept override { return ReadView::newest; }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& /*met*/) const noexcept override {
    return WriteRule::overwrite;
  }
};

TransactionOptions options_of(unsigned number) {
  static const NewestPolicy kNewest;
  TransactionOptions options;
  if (number % 4 == 1) options.isolation = Isolation::read_uncommitted;
  if (number % 4 == 2) options.isolation = Isolation::read_committed;
  if (number % 16 == 3) options.policy = &kNewest;
  const unsigned durability = number / 16 % 4;
  if (durability == 1) options.durability = Durability::async;
  if (durability == 2) options.durability = Durability::none;
  options.read_only = number / 64 % 8 == 1;
  return options;
}

}  // namespace

// The slot's transaction, a new one where it is over.
World::TransactionSlot& World::slot_of(const Operation& operation) {
  TransactionSlot& slot = slots_[operation.slot % kSlots];
  const bool active = slot.transaction && model_.transaction(slot.id).active;
  if (!slot.transaction || (!active && operation.number % 8 != 0))
    begin(operation.slot % kSlots, slot.options);
  return slot;
}

void World::begin(unsigned number, const TransactionOptions& options) {
  TransactionSlot& slot = slots_[number];
  Result<Transaction> begun = database_->begin(options);
  expect(begun.ok(), "begin: " + begun.status().to_string());
  if (!begun.ok()) return;
  // What the slot held is aborted.
  if (slot.transaction) {
    (void)model_.abort(slot.id);
    *slot.transaction = std::move(*begun);
  } else {
    slot.transaction.emplace(std::move(*begun));
  }
  slot.id = model_.begin(options);
}

void World::begin(const Operation& operation) {
  const TransactionOptions options = options_of(operation.number);
  begin(operation.slot % kSlots, options);
  slots_[operation.slot % kSlots].options = options;
  slots_[operation.slot % kSlots].options.read_only = false;
}

void World::end(const Operation& operation) {
  TransactionSlot& slot = slots_[operation.slot % kSlots];
  if (!slot.transaction) return;
  if (operation.kind == Kind::commit) return same(slot.transaction->commit(), model_.commit(slot.id));
  const Answer wanted = model_.abort(slot.id);
  if (operation.kind == Kind::abort) return same(slot.transaction->abort(), wanted);
  slot.transaction.reset();
}

// A transaction that was moved away answers as one that is over.
void World::move(const Operation& operation) {
  TransactionSlot& from = slots_[operation.slot % kSlots];
  TransactionSlot& to = slots_[operation.number % kSlots];
  if (!from.transaction || &from == &to) return;
  if (to.transaction) (void)model_.abort(to.id);
  if (to.transaction) {
    *to.transaction = std::move(*from.transaction);
  } else {
    to.transaction.emplace(std::move(*from.transaction));
  }
  to.id = from.id;
  from.id = model_.begin({});
  (void)model_.abort(from.id);
}

void World::read(const Operation& operation) {
  TransactionSlot& slot = slot_of(operation);
  const TableSlot& table = tables_[operation.table % kTableSlots];
  const std::string key = key_of(operation.key);
  if (operation.kind == Kind::get_part) {
    const Answer wanted = model_.get(slot.id, table.handle, key);
    std::string buffer(operation.size, '\0');
    const std::uint64_t offset = operation.number % 4 == 0 ? 0 : operation.number % 20'000;
    const Result<std::size_t> got =
        slot.transaction->get_part(table.table, key, offset, buffer.data(), buffer.size());
    same(got.status(), wanted);
    if (!got.ok() || !wanted.value) return;
    const std::string_view value = *wanted.value;
    const std::string_view part = value.substr(std::min<std::size_t>(offset, value.size()), operation.size);
    expect(*got == part.size() && buffer.starts_with(part),
           "get_part gives " + std::to_string(*got) + " bytes, expected " + std::to_string(part.size()));
    return;
  }
  const bool locks = operation.kind == Kind::get_for_update;
  const Answer wanted =
      locks ? model_.get_for_update(slot.id, table.handle, key) : model_.get(slot.id, table.handle, key);
  if (operation.number % 2 == 0) {
    std::string value = "was there before";
    const Status status = locks ? slot.transaction->get_for_update(table.table, key, value)
                                : slot.transaction->get(table.table, key, value);
    same(status, wanted);
    if (status.ok()) same_value(value, wanted);
    return;
  }
  const Result<std::string> got =
      locks ? slot.transaction->get_for_update(table.table, key) : slot.transaction->get(table.table, key);
  same(got.status(), wanted);
  if (got.ok()) same_value(*got, wanted);
}

void World::write(const Operation& operation) {
  TransactionSlot& slot = slot_of(operation);
  const TableSlot& table = tables_[operation.table % kTableSlots];
  const std::string key = key_of(operation.key);
  const std::string value = value_of(operation.size, operation.number);
  Transaction& transaction = *slot.transaction;
  switch (operation.kind) {
    case Kind::put:
      return same(transaction.put(table.table, key, value), model_.put(slot.id, table.handle, key, value));
    case Kind::insert:
      return same(transaction.insert(table.table, key, value),
                  model_.insert(slot.id, table.handle, key, value));
    case Kind::append:
      return same(transaction.append(table.table, key, value),
                  model_.append(slot.id, table.handle, key, value));
    default:
      return same(transaction.erase(table.table, key), model_.erase(slot.id, table.handle, key));
  }
}

// Many puts, so that pages fill and split.
void World::fill(const Operation& operation) {
  TransactionSlot& slot = slot_of(operation);
  const TableSlot& table = tables_[operation.table % kTableSlots];
  const unsigned count = 1 + operation.number % 40;
  for (unsigned i = 0; i < count && problem_.empty() && model_.transaction(slot.id).active; ++i) {
    const std::string key = key_of(kNamedKeys + (operation.number / 40 * 16 + i) % kFilledKeys);
    const std::string value = value_of(operation.size % 800, operation.number + i);
    same(slot.transaction->put(table.table, key, value), model_.put(slot.id, table.handle, key, value));
  }
}

void World::erase_range(const Operation& operation) {
  TransactionSlot& slot = slot_of(operation);
  const TableSlot& table = tables_[operation.table % kTableSlots];
  const std::string lo = key_of(operation.key);
  std::optional<std::string> hi;
  KeyRange range{lo, std::nullopt};
  if (operation.other != kNoKey) range.hi = hi.emplace(key_of(operation.other));
  const Result<std::uint64_t> got = slot.transaction->erase_range(table.table, range);
  const Answer wanted = model_.erase_range(slot.id, table.handle, lo, hi);
  same(got.status(), wanted);
  if (got.ok())
    expect(*got == wanted.number,
           "erased " + std::to_string(*got) + ", expected " + std::to_string(wanted.number));
}

void World::take_savepoint(const Operation& operation) {
  TransactionSlot& slot = slot_of(operation);
  const Result<Savepoint> got = slot.transaction->savepoint();
  const Answer wanted = model_.savepoint(slot.id);
  same(got.status(), wanted);
  if (got.ok()) savepoints_[operation.place] = {*got, slot.id, wanted.number, model_.opening()};
}

// Mostly one of the transaction's own.
World::SavepointSlot& World::savepoint_of(const Operation& operation) {
  const std::uint64_t id = slots_[operation.slot % kSlots].id;
  for (unsigned i = 0; i < kPlaces && operation.number % 4 != 0; ++i) {
    SavepointSlot& slot = savepoints_[(operation.place + i) % kPlaces];
    if (slot.transaction == id) return slot;
  }
  return savepoints_[operation.place];
}

void World::roll_back(const Operation& operation) {
  TransactionSlot& slot = slot_of(operation);
  const SavepointSlot& to = savepoint_of(operation);
  same(slot.transaction->rollback_to(to.savepoint), model_.rollback_to(slot.id, to.transaction, to.number));
}

void World::keep(unsigned slot, const Table& table, std::uint64_t id, unsigned name) {
  // The last slot's handle names nothing.
  if (slot % kTableSlots + 1 == kTableSlots) return;
  tables_[slot % kTableSlots] = {table, {model_.opening(), id}, name};
}

void World::use_tables(const Operation& operation) {
  TransactionSlot& slot = slot_of(operation);
  Transaction& transaction = *slot.transaction;
  if (operation.kind == Kind::drop_table) {
    const TableSlot& table = tables_[operation.table % kTableSlots];
    return same(transaction.drop_table(table.table), model_.drop_table(slot.id, table.handle));
  }
  const std::string name = table_name(operation.table);
  const bool opens = operation.kind == Kind::open_table;
  const bool creates = operation.kind == Kind::create_table;
  const Answer wanted = opens     ? model_.open_table(slot.id, name)
                        : creates ? model_.create_table(slot.id, name)
                                  : model_.ensure_table(slot.id, name);
  const Result<Table> got = opens     ? transaction.open_table(name)
                            : creates ? transaction.create_table(name)
                                      : transaction.ensure_table(name);
  same(got.status(), wanted);
  if (got.ok()) keep(operation.table, *got, wanted.number, operation.table);
}

// Puts two keys, and then commits, aborts by a status of its own, or looks away from a conflict.
void World::run_in_transaction(const Operation& operation) {
  constexpr int kAttempts = 2;
  const TableSlot& table = tables_[operation.table % kTableSlots];
  const std::string keys[] = {key_of(operation.key), key_of(operation.other % kNoKey)};
  const std::string value = value_of(operation.size, operation.number);
  const TransactionOptions options = options_of(operation.number / 8);
  const bool gives_up = operation.number % 8 == 1;
  const bool looks_away = operation.number % 8 == 2;
  int attempts = 0;
  const Status status =
      run_transaction(*database_,
                      [&](Transaction& transaction) {
                        ++attempts;
                        Status put;
                        for (const std::string& key : keys) {
                          if (put.ok()) put = transaction.put(table.table, key, value);
                        }
                        if (looks_away) put = {};
                        return put.ok() && gives_up ? Status(StatusCode::busy) : put;
                      },
                      options, {kAttempts, std::chrono::microseconds(0), std::chrono::microseconds(0)});
  int wanted_attempts = 0;
  Answer wanted;
  do {
    const std::uint64_t id = model_.begin(options);
    wanted = {};
    for (const std::string& key : keys) {
      if (wanted.code == StatusCode::ok) wanted = model_.put(id, table.handle, key, value);
    }
    if (looks_away) wanted = {};
    if (wanted.code == StatusCode::ok && gives_up) wanted.code = StatusCode::busy;
    if (wanted.code == StatusCode::ok) wanted = model_.commit(id);
    (void)model_.abort(id);
  } while (++wanted_attempts < kAttempts && wanted.code == StatusCode::conflict);
  same(status, wanted);
  expect(attempts == wanted_attempts, "the body ran " + std::to_string(attempts) + " times");
}

// So many small transactions that old versions are collected.
void World::commit_many(const Operation& operation) {
  const TableSlot& table = tables_[operation.table % kTableSlots];
  TransactionOptions options = options_of(operation.number);
  options.read_only = false;
  for (unsigned i = 0; i <= operation.number / 8 % 48 && problem_.empty(); ++i) {
    Transaction transaction = *database_->begin(options);
    const std::uint64_t id = model_.begin(options);
    const std::string key = key_of(operation.key + i / 2 % 3);
    const std::string value = value_of(operation.size % 4000, operation.number + i);
    const bool erases = i % 2 == operation.number % 2;
    same(erases ? transaction.erase(table.table, key) : transaction.put(table.table, key, value),
         erases ? model_.erase(id, table.handle, key) : model_.put(id, table.handle, key, value));
    same(transaction.commit(), model_.commit(id));
  }
}

}  // namespace isolith::property

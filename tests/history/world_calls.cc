// The calls of a transaction, each beside the model's.
#include <algorithm>
#include <utility>

#include "tests/history/world.h"

namespace isolith::history {
namespace {

// Most values are short; some fill a leaf, some are too long for one.
std::size_t size_of(unsigned number) {
  const unsigned drawn = number / 64 % 16;
  return drawn < 11 ? 0 : drawn < 15 ? 500 + number % 2000 : 5000 + number % 4000;
}

std::optional<std::string> end_of(const Operation& operation) {
  if (operation.other == kKeys) return std::nullopt;
  return key_of(operation.other);
}

KeyRange range_of(const std::string& lo, const std::optional<std::string>& hi) {
  return {lo, hi ? std::optional<std::string_view>(*hi) : std::nullopt};
}

}  // namespace

// No two are alike, so that a value tells who wrote it.
std::string World::next_value(unsigned number) {
  std::string value = std::to_string(++values_);
  value += '.';
  value.resize(value.size() + size_of(number), static_cast<char>('a' + number % 26));
  return value;
}

// ---- a transaction's life ----

void World::begin(std::size_t session, Level level) {
  SessionSlot& slot = slots_[session];
  TransactionOptions options;
  options.isolation = parse_isolation(to_string(level)).value_or(Isolation::read_committed);
  Result<Transaction> begun = database_->begin(options);
  expect(begun.ok(), "begin: " + begun.status().to_string());
  if (!begun.ok()) return;
  slot.transaction.emplace(std::move(*begun));
  slot.savepoints.clear();
  const bool has_level = parse_isolation(to_string(level)).has_value();
  slot.id = model_.begin(has_level ? level : Level::read_committed);
}

void World::end(std::size_t session, bool commits) {
  SessionSlot& slot = slots_[session];
  slot.cursor.cursor.reset();
  const Status got = commits ? slot.transaction->commit() : slot.transaction->abort();
  same(got, commits ? model_.commit(slot.id) : model_.abort(slot.id));
  expect(!slot.transaction->active(), "is active after its end");
}

void World::call(std::size_t session, const Operation& operation) {
  SessionSlot& slot = slots_[session];
  switch (operation.kind) {
    case Kind::get:
      return get(slot, operation);
    case Kind::scan:
      return scan(slot, operation);
    case Kind::open_cursor:
      return open_cursor(slot, operation);
    case Kind::seek:
      return seek(slot, operation);
    case Kind::move:
      return move(slot, operation);
    case Kind::savepoint:
      return take_savepoint(slot);
    case Kind::rollback_to:
      return roll_back(slot, operation);
    default:
      write(slot, operation);
      return expect(slot.transaction->active() == model_.is_active(slot.id), "is active, or is not");
  }
}

void World::take_savepoint(SessionSlot& slot) {
  const Result<Savepoint> got = slot.transaction->savepoint();
  const Answer wanted = model_.savepoint(slot.id);
  same(got.status(), wanted);
  if (got.ok()) slot.savepoints.emplace_back(*got, wanted.number);
}

void World::roll_back(SessionSlot& slot, const Operation& operation) {
  if (slot.savepoints.empty()) return;
  const auto& [savepoint, number] = slot.savepoints[operation.number % slot.savepoints.size()];
  same(slot.transaction->rollback_to(savepoint), model_.rollback_to(slot.id, number));
  slot.savepoints.resize(operation.number % slot.savepoints.size() + 1, slot.savepoints.front());
}

// ---- one key, and erase_range ----

void World::get(SessionSlot& slot, const Operation& operation) {
  const std::string key = key_of(operation.key);
  std::string value;
  const Status got = slot.transaction->get(tables_[operation.table], key, value);
  const Answer wanted = model_.get(slot.id, {operation.table, key});
  same(got, wanted);
  if (got.ok() && wanted.value) same_rows({{key, value}}, {{key, *wanted.value}});
}

void World::write(SessionSlot& slot, const Operation& operation) {
  const std::string key = key_of(operation.key);
  const Table& table = tables_[operation.table];
  const bool is_range = operation.kind == Kind::erase_range;
  slot.call = {operation.kind, {operation.table, key}, {}, {}, false, {}, 0};
  if (is_range) slot.call.hi = end_of(operation);
  // A dirty scan that waits shows what was there before or after: nothing says which.
  const bool is_dirty = is_range && model_.level(slot.id) == Level::read_uncommitted;
  if (is_dirty && model_.is_foreign(slot.id, slot.call.key, slot.call.hi)) return;
  slot.call.value = next_value(operation.number);
  std::string value;
  switch (operation.kind) {
    case Kind::get_for_update: {
      const Status got = slot.transaction->get_for_update(table, key, value);
      return settle(slot, got, value, 0);
    }
    case Kind::put:
      return settle(slot, slot.transaction->put(table, key, slot.call.value), value, 0);
    case Kind::insert:
      return settle(slot, slot.transaction->insert(table, key, slot.call.value), value, 0);
    case Kind::erase_range: {
      const Result<std::uint64_t> got = slot.transaction->erase_range(table, range_of(key, slot.call.hi));
      return settle(slot, got.status(), value, got.value_or(0));
    }
    default:
      return settle(slot, slot.transaction->erase(table, key), value, 0);
  }
}

// The call has ended: the model carries out what it has not yet.
void World::settle(SessionSlot& slot, const Status& got, const std::string& value, std::uint64_t number) {
  if (!problem_.empty()) return;
  const bool conflicts = got.reason() == ConflictReason::write_conflict;
  const Answer wanted = model_.carry_out(slot.id, slot.call, conflicts ? Doubt::changed : Doubt::unchanged,
                                         got.reason() == ConflictReason::deadlock);
  same(got, wanted);
  if (conflicts) ++counts_.write_conflicts;
  if (got.reason() == ConflictReason::deadlock) ++counts_.deadlocks;
  if (!got.ok() || wanted.code != StatusCode::ok) return;
  expect(number == wanted.number,
         "erases " + std::to_string(number) + " rows, expected " + std::to_string(wanted.number));
  if (wanted.value) same_rows({{slot.call.key.second, value}}, {{slot.call.key.second, *wanted.value}});
}

// ---- cursors ----

void World::scan(SessionSlot& slot, const Operation& operation) {
  const bool whole = operation.number % 2 == 0;
  const bool backward = operation.number / 2 % 2 == 0;
  const std::string lo = whole ? std::string() : key_of(operation.key);
  const std::optional<std::string> hi = whole ? std::nullopt : end_of(operation);
  Result<Cursor> cursor = slot.transaction->cursor(tables_[operation.table], range_of(lo, hi));
  const bool active = model_.is_active(slot.id);
  same(cursor.status(), {active ? StatusCode::ok : StatusCode::aborted});
  if (!cursor.ok() || !active) return;
  Rows rows;
  backward ? cursor->seek_last() : cursor->seek_first();
  while (cursor->valid()) {
    rows.emplace_back(cursor->key(), cursor->value());
    backward ? cursor->prev() : cursor->next();
  }
  expect(cursor->status().ok(), "cursor: " + cursor->status().to_string());
  if (backward) std::reverse(rows.begin(), rows.end());
  same_rows(rows, model_.rows(slot.id, model_.as_of(slot.id), {operation.table, lo}, hi));
}

void World::open_cursor(SessionSlot& slot, const Operation& operation) {
  CursorSlot& cursor = slot.cursor;
  cursor.cursor.reset();
  const bool whole = operation.number % 2 == 0;
  cursor.table = operation.table;
  cursor.lo = whole ? std::string() : key_of(operation.key);
  cursor.hi = whole ? std::nullopt : end_of(operation);
  Result<Cursor> got = slot.transaction->cursor(tables_[cursor.table], range_of(cursor.lo, cursor.hi));
  const bool active = model_.is_active(slot.id);
  same(got.status(), {active ? StatusCode::ok : StatusCode::aborted});
  if (!got.ok() || !active) return;
  cursor.cursor.emplace(std::move(*got));
  cursor.as_of = model_.as_of(slot.id);
  cursor.valid = false;
  if (operation.number % 3 != 0) seek(slot, operation);
}

// A cursor whose transaction is over says so when it is sought, and is put away.
bool World::is_over(SessionSlot& slot) {
  if (model_.is_active(slot.id)) return false;
  slot.cursor.cursor->seek_first();
  expect(!slot.cursor.cursor->valid(), "a cursor shows a row after the end of its transaction");
  expect(slot.cursor.cursor->status().is(StatusCode::aborted),
         "the cursor answers " + slot.cursor.cursor->status().to_string());
  slot.cursor.cursor.reset();
  return true;
}

void World::seek(SessionSlot& slot, const Operation& operation) {
  CursorSlot& cursor = slot.cursor;
  if (!cursor.cursor || is_over(slot)) return;
  const std::string key = key_of(operation.key);
  cursor.foreign_changes = model_.foreign_changes(slot.id, cursor.table);
  switch (operation.number / 4 % 4) {
    case 0:
      cursor.cursor->seek_first();
      find(slot, nullptr, true, true);
      break;
    case 1:
      cursor.cursor->seek_last();
      find(slot, nullptr, true, false);
      break;
    case 2:
      cursor.cursor->seek(key);
      find(slot, &key, true, true);
      break;
    default:
      cursor.cursor->seek_before(key);
      find(slot, &key, true, false);
  }
  stands_where_it_should(slot);
}

// Up to four steps, most of them in one direction.
void World::move(SessionSlot& slot, const Operation& operation) {
  if (!slot.cursor.cursor || is_over(slot)) return;
  const bool forward = operation.number % 2 == 0;
  for (unsigned i = 0; i <= operation.number / 2 % 4 && problem_.empty(); ++i)
    step(slot, operation.number >> (8 + i) & 1 && i > 0 ? !forward : forward);
}

void World::step(SessionSlot& slot, bool forward) {
  CursorSlot& cursor = slot.cursor;
  if (!cursor.valid) return;
  forward ? cursor.cursor->next() : cursor.cursor->prev();
  const bool is_dirty = model_.level(slot.id) == Level::read_uncommitted;
  if (is_dirty && cursor.foreign_changes != model_.foreign_changes(slot.id, cursor.table))
    return adopt(slot, forward);
  const std::string from = cursor.key;
  find(slot, &from, false, forward);
  stands_where_it_should(slot);
}

// Where the cursor must stand now: at the next row from `from` on (null: from an end of its range).
void World::find(SessionSlot& slot, const std::string* from, bool inclusive, bool forward) {
  CursorSlot& cursor = slot.cursor;
  Rows rows = model_.rows(slot.id, cursor.as_of, {cursor.table, cursor.lo}, cursor.hi);
  if (!forward) std::reverse(rows.begin(), rows.end());
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& candidate) {
    if (from == nullptr || (inclusive && candidate.first == *from)) return true;
    return forward ? candidate.first > *from : candidate.first < *from;
  });
  cursor.valid = row != rows.end();
  if (cursor.valid) cursor.key = row->first;
}

void World::stands_where_it_should(SessionSlot& slot) {
  CursorSlot& cursor = slot.cursor;
  Rows got, wanted;
  if (cursor.cursor->valid()) got.emplace_back(cursor.cursor->key(), cursor.cursor->value());
  if (cursor.valid) {
    wanted = model_.rows(slot.id, cursor.as_of, {cursor.table, cursor.key}, std::nullopt);
    wanted.resize(1);
  }
  expect(cursor.cursor->status().ok(), "the cursor answers " + cursor.cursor->status().to_string());
  same_rows(got, wanted);
}

// A dirty cursor among others' changes: it may have copied rows before or after them. Still it goes on in
// order, within its range, and shows what somebody wrote.
void World::adopt(SessionSlot& slot, bool forward) {
  CursorSlot& cursor = slot.cursor;
  cursor.valid = cursor.cursor->valid();
  if (!cursor.valid) return expect(cursor.cursor->status().ok(), "the cursor answers an error");
  const std::string key(cursor.cursor->key());
  const std::string value(cursor.cursor->value());
  expect(forward ? key > cursor.key : key < cursor.key, "the cursor goes to " + key);
  expect(key >= cursor.lo && (!cursor.hi || key < *cursor.hi), "the cursor leaves its range: " + key);
  // A long value that was taken back meanwhile cannot be read.
  cursor.valid = cursor.cursor->valid();
  if (!cursor.valid) {
    return expect(cursor.cursor->status().is(StatusCode::not_found), "the cursor answers an error");
  }
  expect(model_.was_ever({cursor.table, key}, value), "the cursor shows what nobody wrote at " + key);
  cursor.key = key;
}

}  // namespace isolith::history

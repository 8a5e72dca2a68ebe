// Cursors, and what the model says that they show.
#include <array>

#include "tests/property/world.h"

namespace isolith::property {
namespace {

// From here on a value is in a chain of pages and a cursor reads it late.
constexpr std::size_t kInlineRowBytesMax = 3584;

std::string describe(const Cursor& cursor) {
  return cursor.valid() ? "stands at " + describe_key(std::string(cursor.key()))
                        : "stands nowhere (" + cursor.status().to_string() + ")";
}

}  // namespace

// The next row that the cursor sees, from `from` on (null: from the end of the table that it comes from).
void World::find(CursorSlot& slot, const std::string* from, bool inclusive, bool forward) {
  const auto& cells = model_.table(slot.table).cells;
  auto cell = forward ? cells.begin() : cells.end();
  if (from != nullptr) cell = inclusive == forward ? cells.lower_bound(*from) : cells.upper_bound(*from);
  slot.valid = false;
  while (cell != (forward ? cells.end() : cells.begin())) {
    if (!forward) --cell;
    if (forward ? slot.hi && cell->first >= *slot.hi : cell->first < slot.lo) return;
    model_.look_at(slot.transaction, cell->second, slot.as_of);
    if (const Value& value = model_.visible(slot.transaction, cell->second, slot.as_of)) {
      slot.valid = true;
      slot.key = cell->first;
      slot.value = *value;
      return;
    }
    if (forward) ++cell;
  }
}

void World::find_position(CursorSlot& slot, const Operation& operation) {
  const std::string key = key_of(operation.key);
  const bool within = !slot.hi || key < *slot.hi;
  slot.foreign_changes = model_.foreign_changes(slot.transaction, slot.table);
  switch (operation.kind) {
    case Kind::seek_first:
      return find(slot, &slot.lo, true, true);
    case Kind::seek:
      return find(slot, key < slot.lo ? &slot.lo : &key, true, true);
    case Kind::seek_before:
      if (within) return find(slot, &key, true, false);
      [[fallthrough]];
    default:
      return find(slot, slot.hi ? &*slot.hi : nullptr, false, false);
  }
}

// The cursor stands where the model's does.
void World::settle(CursorSlot& slot, bool reads_value) {
  Cursor& cursor = *slot.cursor;
  const bool same_place = cursor.valid() == slot.valid && (!slot.valid || cursor.key() == slot.key);
  expect(same_place, "the cursor " + describe(cursor) + ", expected " +
                         (slot.valid ? describe_key(slot.key) : std::string("nothing")));
  if (!slot.valid) expect(cursor.status().ok(), "the cursor " + describe(cursor));
  if (same_place && slot.valid && reads_value) same_value(cursor.value(), {StatusCode::ok, slot.value, 0});
}

void World::seek(CursorSlot& slot, const Operation& operation) {
  Cursor& cursor = *slot.cursor;
  switch (operation.kind) {
    case Kind::seek_first:
      cursor.seek_first();
      break;
    case Kind::seek_last:
      cursor.seek_last();
      break;
    case Kind::seek:
      cursor.seek(key_of(operation.key));
      break;
    default:
      cursor.seek_before(key_of(operation.key));
      break;
  }
  const bool over = !model_.transaction(slot.transaction).active;
  if (over || !model_.is_usable(slot.transaction, slot.table)) {
    slot.valid = false;
    expect(cursor.status().is(over ? StatusCode::aborted : StatusCode::not_found),
           "the cursor " + describe(cursor));
    return expect(!cursor.valid(), "the cursor " + describe(cursor));
  }
  find_position(slot, operation);
  settle(slot, operation.number % 2 == 0);
}

// Takes over where the cursor is, when it may be one of several places: still in order and in the range.
void World::adopt(CursorSlot& slot, bool forward) {
  Cursor& cursor = *slot.cursor;
  if (cursor.valid()) {
    const std::string key(cursor.key());
    expect(forward ? key > slot.key : key < slot.key, "the cursor goes to " + describe_key(key));
    expect(key >= slot.lo && (!slot.hi || key < *slot.hi),
           "the cursor leaves its range: " + describe_key(key));
    slot.key = key;
    slot.value = cursor.value();
  }
  slot.valid = cursor.valid();
}

void World::step(CursorSlot& slot, bool forward) {
  if (!slot.valid) return;
  forward ? slot.cursor->next() : slot.cursor->prev();
  const ModelTransaction& transaction = model_.transaction(slot.transaction);
  const bool usable = model_.is_usable(slot.transaction, slot.table);
  if (!transaction.active || !usable) {
    // Rows that it had copied before may still come.
    adopt(slot, forward);
    const StatusCode code = transaction.active ? StatusCode::not_found : StatusCode::aborted;
    return expect(slot.valid || slot.cursor->status().is(code), "the cursor " + describe(*slot.cursor));
  }
  const std::uint64_t changes = model_.foreign_changes(slot.transaction, slot.table);
  if (transaction.newest && changes != slot.foreign_changes) return adopt(slot, forward);
  const std::string from = slot.key;
  find(slot, &from, false, forward);
  settle(slot, false);
}

// What it copied stays, but for a long value: that one is read now, and it may have been replaced.
void World::look_at_value(CursorSlot& slot) {
  if (!slot.valid) return;
  Cursor& cursor = *slot.cursor;
  const std::string_view got = cursor.value();
  const bool large = slot.key.size() + slot.value.size() > kInlineRowBytesMax;
  const bool over = !model_.transaction(slot.transaction).active;
  if (!large) return same_value(got, {StatusCode::ok, slot.value, 0});
  if (over || !model_.is_usable(slot.transaction, slot.table)) {
    slot.valid = cursor.valid();
    if (slot.valid) return same_value(got, {StatusCode::ok, slot.value, 0});
    const bool told = cursor.status().is(over ? StatusCode::aborted : StatusCode::not_found);
    return expect(told && got.empty(), "the cursor " + describe(cursor));
  }
  const auto& cells = model_.table(slot.table).cells;
  const auto cell = cells.find(slot.key);
  static const Value kNone;
  const Value& now = cell == cells.end() ? kNone : model_.visible(slot.transaction, cell->second, slot.as_of);
  if (got == slot.value && cursor.valid()) return;
  if (now && cursor.valid()) return same_value(got, {StatusCode::ok, now, 0});
  expect(!now && got.empty() && !cursor.valid(),
         "the cursor's value has " + std::to_string(got.size()) + " bytes");
  slot.valid = false;
}

void World::open_cursor(const Operation& operation) {
  TransactionSlot& owner = slot_of(operation);
  const TableSlot& table = tables_[operation.table % kTableSlots];
  CursorSlot& slot = cursors_[operation.place];
  slot = {};
  slot.transaction = owner.id;
  slot.table = table.handle.table;
  if (!takes_all(operation)) slot.lo = key_of(operation.key);
  KeyRange range{slot.lo, std::nullopt};
  if (!takes_all(operation) && operation.other != kNoKey) range.hi = slot.hi.emplace(key_of(operation.other));
  Result<Cursor> got = owner.transaction->cursor(table.table, range);
  const Answer wanted = model_.check_cursor(owner.id, table.handle, slot.lo, slot.hi);
  same(got.status(), wanted);
  if (!got.ok() || wanted.code != StatusCode::ok) return;
  slot.cursor.emplace(std::move(*got));
  slot.as_of = model_.commits();
  Operation first = operation;
  first.kind = std::array{Kind::seek_first, Kind::seek_last, Kind::seek}[operation.number % 3];
  if (operation.number % 8 != 0) seek(slot, first);
}

void World::use_cursor(const Operation& operation) {
  // The next one that is open.
  unsigned place = operation.place;
  while (!cursors_[place].cursor) {
    place = (place + 1) % kPlaces;
    if (place == operation.place) return;
  }
  CursorSlot& slot = cursors_[place];
  if (operation.kind == Kind::close_cursor) return slot.cursor.reset();
  // Nothing is said of a cursor over a table that its own transaction is about to drop.
  const bool active = model_.transaction(slot.transaction).active;
  if (active && model_.table(slot.table).dropper == slot.transaction) return;
  switch (operation.kind) {
    case Kind::next:
      return step(slot, true);
    case Kind::prev:
      return step(slot, false);
    case Kind::value:
      return look_at_value(slot);
    case Kind::walk:
      for (unsigned bits = operation.number | 0x10000; bits > 1 && problem_.empty(); bits >>= 2) {
        step(slot, bits % 4 != 0);
        if (bits % 2 == 0) look_at_value(slot);
      }
      return;
    default:
      return seek(slot, operation);
  }
}

// All rows of a range, there or back.
void World::scan(const Operation& operation) {
  CursorSlot& slot = cursors_[operation.place];
  const bool forward = operation.number % 2 == 0;
  Operation whole = operation;
  // Sought at an end by open_cursor, over the same range.
  whole.number = takes_all(operation) ? (forward ? 9 : 1) : (forward ? 18 : 19);
  open_cursor(whole);
  while (slot.cursor && slot.valid && problem_.empty()) {
    look_at_value(slot);
    step(slot, forward);
  }
  if (operation.number % 4 < 2) slot.cursor.reset();
}

}  // namespace isolith::property

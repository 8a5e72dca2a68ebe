// What an observer is told. Called where one is set alone.
#include <utility>

#include "isolith/observer.h"
#include "txn/change.h"
#include "txn/core.h"
#include "txn/cursor_state.h"

namespace isolith::txn {
namespace {

// A slot has one transaction at a time, and numbers them.
std::uint64_t name_of(const TransactionState& state) noexcept {
  return state.serial * Slots::kSlotsMax + state.index;
}

WriteEvent::Kind kind_of(WriteKind kind) noexcept {
  switch (kind) {
    case WriteKind::insert:
      return WriteEvent::Kind::insert;
    case WriteKind::erase:
      return WriteEvent::Kind::erase;
    case WriteKind::lock:
      return WriteEvent::Kind::lock;
    case WriteKind::put:
    case WriteKind::grow:
      break;
  }
  return WriteEvent::Kind::put;
}

}  // namespace

void Core::tell_begin(const TransactionState& state, std::string_view label) const {
  observer_->on_begin({name_of(state), state.owner.policy->name(), label, raw(state.as_of), state.read_only});
}

void Core::tell_read(const TransactionState& state, const TableInfo& table, std::string_view key,
                     TransactionId writer, bool exists) const {
  observer_->on_read({name_of(state), table.name, key, raw(writer), exists});
}

void Core::tell_write(const TransactionState& state, const Change& change) const {
  observer_->on_write({name_of(state), raw(state.own_id()), change.table.name, change.key, raw(change.met),
                       kind_of(change.kind)});
}

void Core::tell_commit(const TransactionState& state, Timestamp ts) const {
  observer_->on_commit({name_of(state), raw(state.own_id()), raw(ts)});
}

void Core::tell_abort(const TransactionState& state, const Status& reason) const {
  observer_->on_abort({name_of(state), raw(state.own_id()), reason});
}

void Core::tell_wait(const TransactionState& state, const WaitInfo& info) const {
  observer_->on_wait({name_of(state), info});
}

void Core::tell_wake(const TransactionState& state, const WaitInfo& info) const {
  observer_->on_wake({name_of(state), info});
}

// Who waits is known by the word that it sleeps on.
bool Core::WaitTeller::wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                            const WaitInfo& info, std::uint64_t timeout_ms) {
  const TransactionState* waiter = nullptr;
  for (std::uint32_t i = 0; core_.observer_ != nullptr && i < core_.slots_.count(); ++i) {
    if (&core_.slots_.at(i).owner.word == &word) waiter = &core_.slots_.at(i);
  }
  if (waiter != nullptr) core_.tell_wait(*waiter, info);
  const bool in_time = hook_.wait(word, expected, info, timeout_ms);
  if (waiter != nullptr) core_.tell_wake(*waiter, info);
  return in_time;
}

// Rows of the batch on which the cursor has stood.
void CursorState::tell_rows() {
  if (state_.serial != serial_ || state_.phase != Phase::active || is_locked()) return;
  const std::size_t count = valid() ? static_cast<std::size_t>(row - rows_.data()) + 1 : rows_.size();
  for (std::size_t i = 0; i < count && i < writers_.size(); ++i) tell_row(i);
  writers_.clear();
}

void CursorState::tell_row(std::size_t at) const {
  const Row& one = rows_[at];
  core_.tell_read(state_, table_, {buffer_.get() + one.key_at, one.key_size}, writers_[at], true);
}

// From where it was sought to where it stands, or to the end of the range.
void CursorState::tell_scan() {
  if (!told_from_ || state_.serial != serial_ || state_.phase != Phase::active) return;
  const Place from = *std::exchange(told_from_, std::nullopt);
  std::string lo = lo_;
  std::optional<std::string> hi = hi_;
  if (forward) lo = edge_of(from);
  if (!forward && !from.unbounded) hi = edge_of(from);
  if (valid()) {
    const std::string_view key(bytes + row->key_at, row->key_size);
    if (forward) {
      hi = std::string(key) + '\0';
    } else {
      lo = key;
    }
  }
  core_.observer_->on_scan(
      {name_of(state_), table_.name, lo, hi ? std::optional<std::string_view>(*hi) : std::nullopt});
}

}  // namespace isolith::txn

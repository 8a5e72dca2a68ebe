#include "mvcc/status_table.h"

#include "base/check.h"

namespace isolith::mvcc {

StatusTable::StatusTable(TransactionId first)
    : chunks_(new std::atomic<Chunk*>[kChunks]()), next_(raw(first)), horizon_(raw(first)) {}

StatusTable::~StatusTable() = default;

TransactionId StatusTable::begin() {
  if (next_.load(std::memory_order_relaxed) - horizon_.load(std::memory_order_relaxed) >=
      (kChunks - 2) * kChunkIds) {
    return kNoTransaction;
  }
  const std::uint64_t id = next_.fetch_add(1, std::memory_order_relaxed);
  std::atomic<Chunk*>& where = place(id);
  if (where.load(std::memory_order_acquire) == nullptr) {
    const std::lock_guard lock(chunk_mutex_);
    if (where.load(std::memory_order_relaxed) == nullptr) {
      if (spare_.empty()) {
        owned_.push_back(std::make_unique<Chunk>());
        spare_.push_back(owned_.back().get());
      }
      Chunk* chunk = spare_.back();
      spare_.pop_back();
      // Release: a reader with a stale pointer that sees a zero of the new life sees the horizon that ended
      // the old one.
      for (auto& value : chunk->entries) value.store(0, std::memory_order_release);
      where.store(chunk, std::memory_order_release);
    }
  }
  return TransactionId{id};
}

TransactionStatus StatusTable::find(TransactionId id) const noexcept {
  constexpr TransactionStatus kSettled{TransactionState::committed, Timestamp{0}};
  if (id < horizon()) return kSettled;
  const Chunk* chunk = place(raw(id)).load(std::memory_order_acquire);
  if (chunk == nullptr) return kSettled;  // taken away: the horizon passed it since
  const std::uint64_t value = chunk->entries[raw(id) % kChunkIds].load(std::memory_order_acquire);
  if (id < horizon()) return kSettled;
  if (value == 0) return {TransactionState::in_progress, Timestamp{0}};
  if (value == kAborted) return {TransactionState::aborted, Timestamp{0}};
  return {TransactionState::committed, Timestamp{value}};
}

void StatusTable::advance(Timestamp visible_to_all) {
  const std::uint64_t old_horizon = horizon_.load(std::memory_order_relaxed);
  const std::uint64_t end = next_.load(std::memory_order_acquire);
  std::uint64_t id = old_horizon;
  for (; id < end; ++id) {
    const Chunk* chunk = place(id).load(std::memory_order_acquire);
    if (chunk == nullptr) break;  // given out a moment ago
    const std::uint64_t value = chunk->entries[id % kChunkIds].load(std::memory_order_acquire);
    if (value == 0 || (value != kAborted && value > raw(visible_to_all))) break;
  }
  if (id == old_horizon) return;
  horizon_.store(id, std::memory_order_release);
  for (std::uint64_t base = old_horizon / kChunkIds * kChunkIds; base + kChunkIds <= id; base += kChunkIds) {
    const std::lock_guard lock(chunk_mutex_);
    if (Chunk* chunk = place(base).exchange(nullptr, std::memory_order_acq_rel)) spare_.push_back(chunk);
  }
}

}  // namespace isolith::mvcc

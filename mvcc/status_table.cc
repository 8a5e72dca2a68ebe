#include "mvcc/status_table.h"

#include <algorithm>

#include "base/check.h"

namespace isolith::mvcc {

StatusTable::StatusTable(TransactionId first)
    : places_(static_cast<Place*>(std::calloc(kPlaces, sizeof(Place)))),
      next_(raw(first)),
      horizon_(raw(first)),
      compacted_(raw(first) / kChunkIds * kChunkIds) {
  CHECK(places_ != nullptr, "there is address space for the status table");
}

StatusTable::~StatusTable() = default;

TransactionId StatusTable::begin() {
  // The horizon first: were it read last, it could have passed the other one meanwhile.
  const std::uint64_t horizon = horizon_.load(std::memory_order_acquire);
  if (next_.load(std::memory_order_relaxed) - horizon >= (kPlaces - 2) * kChunkIds) return kNoTransaction;
  const std::uint64_t id = next_.fetch_add(1, std::memory_order_relaxed);
  Place& where = place(id);
  if (where.load(std::memory_order_acquire) == 0) {
    const std::lock_guard lock(chunk_mutex_);
    if (where.load(std::memory_order_relaxed) == 0) {
      if (spare_.empty()) {
        owned_.push_back(std::make_unique<Chunk>());
        spare_.push_back(owned_.back().get());
      }
      Chunk* chunk = spare_.back();
      spare_.pop_back();
      // Release: a reader with a stale pointer that sees a zero of the new life sees that its place changed.
      for (auto& value : chunk->entries) value.store(0, std::memory_order_release);
      where.store(reinterpret_cast<std::uint64_t>(chunk), std::memory_order_release);
    }
  }
  return TransactionId{id};
}

TransactionStatus StatusTable::find(TransactionId id) const noexcept {
  for (;;) {
    constexpr TransactionStatus kSettled{TransactionState::committed, Timestamp{0}};
    if (id < horizon()) return kSettled;
    const Place& where = place(raw(id));
    const std::uint64_t word = where.load(std::memory_order_acquire);
    if (word == 0) return kSettled;  // taken away: the horizon passed it since
    if (is_shrunk(word)) {
      if (id < horizon()) return kSettled;
      return {TransactionState::committed, Timestamp{word >> 1}};
    }
    const std::uint64_t value = chunk_of(word)->entries[raw(id) % kChunkIds].load(std::memory_order_acquire);
    if (where.load(std::memory_order_relaxed) != word) continue;
    if (id < horizon()) return kSettled;
    if (value == 0) return {TransactionState::in_progress, Timestamp{0}};
    if (value == kAborted) [[unlikely]]
      return {TransactionState::aborted, Timestamp{0}};
    return {TransactionState::committed, Timestamp{value >> kTagBits}};
  }
}

std::uint8_t StatusTable::tag_of(TransactionId id) const noexcept {
  const Place& where = place(raw(id));
  const std::uint64_t word = where.load(std::memory_order_acquire);
  if (word == 0 || is_shrunk(word)) return 0;
  const std::uint64_t value = chunk_of(word)->entries[raw(id) % kChunkIds].load(std::memory_order_acquire);
  const bool is_its = where.load(std::memory_order_relaxed) == word && id >= horizon();
  return is_its && value != kAborted ? value % kTags : 0;
}

void StatusTable::advance(Timestamp visible_to_all) {
  const std::uint64_t old_horizon = horizon_.load(std::memory_order_relaxed);
  const std::uint64_t end = next_.load(std::memory_order_acquire);
  std::uint64_t id = old_horizon;
  while (id < end) {
    const std::uint64_t word = place(id).load(std::memory_order_acquire);
    if (word == 0) break;  // given out a moment ago
    if (is_shrunk(word)) {
      if (word >> 1 > raw(visible_to_all)) break;
      id = (id / kChunkIds + 1) * kChunkIds;
      continue;
    }
    const std::uint64_t value = chunk_of(word)->entries[id % kChunkIds].load(std::memory_order_acquire);
    if (value == 0 || (value != kAborted && value >> kTagBits > raw(visible_to_all))) break;
    ++id;
  }
  if (id == old_horizon) return;
  horizon_.store(id, std::memory_order_release);
  for (std::uint64_t base = old_horizon / kChunkIds * kChunkIds; base + kChunkIds <= id; base += kChunkIds) {
    take_away(base, 0);
  }
}

// The place says `word` from now on; its chunk may be used again.
void StatusTable::take_away(std::uint64_t base, std::uint64_t word) {
  const std::lock_guard lock(chunk_mutex_);
  const std::uint64_t old = place(base).exchange(word, std::memory_order_acq_rel);
  if (old != 0 && !is_shrunk(old)) spare_.push_back(chunk_of(old));
}

// Only where all 4,096 have ended and no snapshot falls between their commits: for each reader there is, and
// each that comes, the newest commit then stands for all of them. The aborted ones have left no row.
bool StatusTable::shrink(std::uint64_t base, const LiveSnapshots& live) {
  const std::uint64_t word = place(base).load(std::memory_order_acquire);
  if (word == 0) return false;  // given out a moment ago
  if (is_shrunk(word)) return true;
  std::uint64_t first = kAborted;
  std::uint64_t last = 0;
  for (const auto& entry : chunk_of(word)->entries) {
    const std::uint64_t value = entry.load(std::memory_order_acquire);
    if (value == 0) return false;
    if (value == kAborted) continue;
    first = std::min(first, value >> kTagBits);
    last = std::max(last, value >> kTagBits);
  }
  if (last == 0) last = first = 1;  // nobody committed
  if (last > raw(live.now()) || !live.same_to_all(Timestamp{first}, Timestamp{last})) return false;
  take_away(base, last << 1 | 1);
  return true;
}

void StatusTable::compact(const LiveSnapshots& live) {
  const std::uint64_t horizon = horizon_.load(std::memory_order_relaxed);
  compacted_ = std::max(compacted_, horizon / kChunkIds * kChunkIds);
  std::erase_if(stubborn_, [&](std::uint64_t base) { return base + kChunkIds <= horizon; });
  if (compacted_ + kChunkIds > next_.load(std::memory_order_acquire)) return;
  // A few of the old ones, in turn, whenever there is a new one.
  const std::size_t retries = std::min(stubborn_.size(), kRetriesMax);
  const std::vector<std::uint64_t> again(stubborn_.begin(),
                                         stubborn_.begin() + static_cast<std::ptrdiff_t>(retries));
  stubborn_.erase(stubborn_.begin(), stubborn_.begin() + static_cast<std::ptrdiff_t>(retries));
  for (const std::uint64_t base : again) {
    if (!shrink(base, live)) stubborn_.push_back(base);
  }
  for (; compacted_ + kChunkIds <= next_.load(std::memory_order_acquire); compacted_ += kChunkIds) {
    if (!shrink(compacted_, live)) stubborn_.push_back(compacted_);
  }
}

std::uint64_t StatusTable::chunks_in_use() const noexcept {
  const std::lock_guard lock(chunk_mutex_);
  return owned_.size() - spare_.size();
}

}  // namespace isolith::mvcc

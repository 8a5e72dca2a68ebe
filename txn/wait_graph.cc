#include "txn/wait_graph.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/check.h"
#include "base/mutant.h"

namespace isolith::txn {
namespace {

std::string name_of(TransactionId id) {
  std::string name(1, 'T');
  name += std::to_string(raw(id));
  return name;
}

TransactionState* find_slot(Slots& slots, TransactionId id) {
  for (std::uint32_t i = 0; i < slots.count(); ++i) {
    if (slots.at(i).id.load(std::memory_order_acquire) == raw(id)) return &slots.at(i);
  }
  return nullptr;
}

}  // namespace

std::string describe_key(std::string_view table, std::string_view key) {
  std::string out(table);
  out += '/';
  for (const char c : key.substr(0, 64)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += hex;
    }
  }
  if (key.size() > 64) out += "...";
  return out;
}

Status WaitGraph::enter(TransactionId waiter, TransactionId holder, std::string_view table,
                        std::string_view key) {
  const std::lock_guard lock(mutex_);
  std::string where = describe_key(table, key);
  std::string report = name_of(waiter) + " waits for " + name_of(holder) + " at " + where;
  for (TransactionId at = holder;;) {
    const auto edge = edges_.find(raw(at));
    if (edge == edges_.end()) break;
    report += ", " + name_of(at) + " waits for " + name_of(edge->second.holder) + " at " + edge->second.where;
    at = edge->second.holder;
    if (at != waiter) continue;
    if (base::is_mutant(base::Mutant::deadlock_missed)) break;
    deadlocks_.fetch_add(1, std::memory_order_relaxed);
    return Status::conflict(ConflictReason::deadlock,
                            report + "; " + name_of(waiter) + " gives way: run it again");
  }
  edges_[raw(waiter)] = {holder, std::move(where)};
  return {};
}

void WaitGraph::leave(TransactionId waiter) {
  const std::lock_guard lock(mutex_);
  edges_.erase(raw(waiter));
}

// The holder stores its status, counts `ended` up, and then looks for waiters; the waiter registers, reads
// `ended`, and then looks at the status. Either the waiter sees the end, or the count it sleeps on has
// changed, or the holder sees it.
Status WaitGraph::wait(TransactionState& waiter, TransactionId holder, std::string_view table,
                       std::string_view key, std::uint64_t timeout_ms) {
  const TransactionId own = waiter.own_id();
  TRY(enter(own, holder, table, key));
  waits_.fetch_add(1, std::memory_order_relaxed);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  const WaitInfo info{WaitKind::write_lock, raw(own), raw(holder), table, key};
  Status status;
  while (statuses_.find(holder).state == mvcc::TransactionState::in_progress) {
    TransactionState* slot = find_slot(slots_, holder);
    if (slot == nullptr) continue;  // it is ending: its status comes first
    slot->waiters.fetch_add(1, std::memory_order_seq_cst);
    const std::uint32_t ended = slot->ended.load(std::memory_order_seq_cst);
    bool in_time = true;
    if (slot->id.load(std::memory_order_acquire) == raw(holder) &&
        statuses_.find(holder).state == mvcc::TransactionState::in_progress) {
      std::uint64_t left_ms = 0;
      if (timeout_ms > 0) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        left_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0));
        in_time = left_ms > 0;
      }
      if (in_time) in_time = hook_.wait(slot->ended, ended, info, left_ms);
    }
    slot->waiters.fetch_sub(1, std::memory_order_relaxed);
    if (slot->id.load(std::memory_order_acquire) == raw(holder) &&
        slot->broken.load(std::memory_order_acquire)) {
      status =
          Status(StatusCode::read_only, name_of(holder) + " could not be rolled back; reopen the database");
      break;
    }
    if (in_time || statuses_.find(holder).state != mvcc::TransactionState::in_progress) continue;
    status = Status::conflict(ConflictReason::lock_timeout,
                              name_of(own) + " waited " + std::to_string(timeout_ms) + " ms for " +
                                  name_of(holder) + ", which wrote " + describe_key(table, key));
    break;
  }
  leave(own);
  return status;
}

}  // namespace isolith::txn

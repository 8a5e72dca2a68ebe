// Visibility as pure functions: who may see a version.
//
// Threads: pure functions.
#pragma once

#include "base/ids.h"
#include "isolith/isolation.h"
#include "mvcc/status_table.h"

namespace isolith::mvcc {

// What a read asks for. Not `bounded`: no snapshot, whatever is committed at the moment.
struct ReadRule {
  ReadView view = ReadView::newest_committed;
  TransactionId own = kNoTransaction;
  Timestamp as_of{};
  bool bounded = false;
};

// Whether a version that `writer` wrote, whose status is `status`, is seen.
constexpr bool is_visible(const ReadRule& rule, TransactionId writer,
                          const TransactionStatus& status) noexcept {
  if (writer == rule.own && writer != kNoTransaction) return true;
  if (rule.view == ReadView::newest) return true;
  if (status.state != TransactionState::committed) return false;
  return !rule.bounded || status.commit_ts <= rule.as_of;
}

// Whether, for a reader with a snapshot, an older version was over already: replaced by a transaction that it
// sees. What it sees of the key is then neither this version nor one before it; versions that no snapshot
// needs are dropped, so the one in between, that the key was absent, may not be there to say so.
constexpr bool is_over(const ReadRule& rule, TransactionId superseder,
                       const TransactionStatus& status) noexcept {
  return superseder != rule.own && status.state == TransactionState::committed &&
         status.commit_ts <= rule.as_of;
}

// Whether the snapshot needs an older version: it was committed at `begin_ts` and replaced at `end_ts`.
constexpr bool is_needed(Timestamp snapshot, Timestamp begin_ts, Timestamp end_ts) noexcept {
  return begin_ts <= snapshot && snapshot < end_ts;
}

}  // namespace isolith::mvcc

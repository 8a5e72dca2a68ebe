// Visibility as a pure function: who may see a version.
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

}  // namespace isolith::mvcc

// Who sees a version: the whole table.
#include "mvcc/visibility.h"

#include <gtest/gtest.h>

namespace isolith::mvcc {
namespace {

constexpr TransactionId kSelf{7};
constexpr TransactionId kOther{8};

struct Case {
  const char* what;
  TransactionState state;
  std::uint64_t commit_ts;
  bool own;
  // Seen by: newest, newest committed, newest committed as of 50.
  bool newest;
  bool committed;
  bool as_of_50;
};

constexpr Case kCases[] = {
    {"own, in progress", TransactionState::in_progress, 0, true, true, true, true},
    {"own, committed later", TransactionState::committed, 60, true, true, true, true},
    {"own, being undone", TransactionState::aborted, 0, true, true, true, true},
    {"another's, in progress", TransactionState::in_progress, 0, false, true, false, false},
    {"another's, being undone", TransactionState::aborted, 0, false, true, false, false},
    {"settled", TransactionState::committed, 0, false, true, true, true},
    {"committed before", TransactionState::committed, 49, false, true, true, true},
    {"committed at the moment", TransactionState::committed, 50, false, true, true, true},
    {"committed after", TransactionState::committed, 51, false, true, true, false},
};

TEST(Visibility, FollowsTheTable) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    const TransactionStatus status{c.state, Timestamp{c.commit_ts}};
    const TransactionId writer = c.own ? kSelf : kOther;
    EXPECT_EQ(is_visible({ReadView::newest, kSelf, Timestamp{}, false}, writer, status), c.newest);
    EXPECT_EQ(is_visible({ReadView::newest_committed, kSelf, Timestamp{}, false}, writer, status),
              c.committed);
    EXPECT_EQ(is_visible({ReadView::newest_committed, kSelf, Timestamp{50}, true}, writer, status),
              c.as_of_50);
  }
}

TEST(Visibility, WhoHasNotWrittenOwnsNothing) {
  const TransactionStatus in_progress;
  const ReadRule reader{ReadView::newest_committed, kNoTransaction, Timestamp{50}, true};
  EXPECT_FALSE(is_visible(reader, kNoTransaction, in_progress));
  EXPECT_FALSE(is_visible(reader, kOther, in_progress));
  EXPECT_TRUE(is_visible(reader, kNoTransaction, {TransactionState::committed, Timestamp{0}}));
}

}  // namespace
}  // namespace isolith::mvcc

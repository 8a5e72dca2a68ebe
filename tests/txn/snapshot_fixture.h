// What the tests of snapshots share: ways to begin, and collecting on demand.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/txn/database_fixture.h"

namespace isolith::testing {

inline constexpr Isolation kSnapshot = Isolation::snapshot;

class SnapshotTest : public DatabaseTest {
 protected:
  ~SnapshotTest() override { database_.reset(); }  // before the disk

  static TransactionOptions reader() {
    TransactionOptions options(kSnapshot);
    options.read_only = true;
    return options;
  }
  static TransactionOptions on(const Snapshot& snapshot) {
    TransactionOptions options;
    options.snapshot = &snapshot;
    return options;
  }
  static std::string number(int n) { return std::to_string(1'000'000 + n); }

  void erase(std::string_view key) {
    Transaction transaction = begin();
    ASSERT_TRUE(transaction.erase(table_, key).ok());
    ASSERT_TRUE(transaction.commit().ok());
  }
  // So many commits that whatever can be collected is.
  void collect() {
    for (int i = 0; i < 70; ++i) put("collect", std::to_string(i));
    ASSERT_TRUE(database_->sync().ok());
    for (int i = 0; i < 70; ++i) put("collect", std::to_string(i));
  }
  Status put_at(Transaction& transaction, std::string_view key) { return transaction.put(table_, key, "x"); }
};

inline void expect_conflict(const Status& status) {
  EXPECT_TRUE(status.is(StatusCode::conflict)) << status.to_string();
  EXPECT_EQ(status.reason(), ConflictReason::write_conflict);
}

}  // namespace isolith::testing

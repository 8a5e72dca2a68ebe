// A database on a simulated disk with one table, and short ways to use it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/simulated_disk.h"
#include "isolith/isolith.h"

namespace isolith::testing {

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() {
    options_.file_system = &disk_;
    options_.default_isolation = Isolation::read_committed;
    options_.cache_bytes = std::size_t{4} << 20;
    options_.log_segment_bytes = std::size_t{256} << 10;
    reopen();
  }

  void reopen() {
    if (database_) {
      EXPECT_TRUE(database_->close().ok());
    }
    database_.reset();
    Result<Database> opened = Database::open("/db", options_);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    database_ = std::make_unique<Database>(std::move(*opened));
    Result<Table> table = database_->ensure_table("t");
    ASSERT_TRUE(table.ok()) << table.status().to_string();
    table_ = *table;
  }

  Transaction begin(const TransactionOptions& options = {}) {
    Result<Transaction> transaction = database_->begin(options);
    EXPECT_TRUE(transaction.ok()) << transaction.status().to_string();
    return std::move(*transaction);
  }

  void put(std::string_view key, std::string_view value) {
    Transaction transaction = begin();
    ASSERT_TRUE(transaction.put(table_, key, value).ok());
    ASSERT_TRUE(transaction.commit().ok());
  }

  // The value, or "(none)".
  std::string get(Transaction& transaction, std::string_view key) {
    Result<std::string> value = transaction.get(table_, key);
    if (value.ok()) return *value;
    EXPECT_TRUE(value.status().is(StatusCode::not_found)) << value.status().to_string();
    return "(none)";
  }
  std::string get(std::string_view key) {
    Transaction transaction = begin();
    return get(transaction, key);
  }

  // "a=1 b=2", forward; backward when asked.
  std::string scan(Transaction& transaction, const KeyRange& range = KeyRange::all(), bool backward = false) {
    Result<Cursor> cursor = transaction.cursor(table_, range);
    EXPECT_TRUE(cursor.ok()) << cursor.status().to_string();
    std::string out;
    backward ? cursor->seek_last() : cursor->seek_first();
    while (cursor->valid()) {
      if (!out.empty()) out += ' ';
      out.append(cursor->key()).append(1, '=').append(cursor->value());
      backward ? cursor->prev() : cursor->next();
    }
    EXPECT_TRUE(cursor->status().ok()) << cursor->status().to_string();
    return out;
  }
  std::string scan() {
    Transaction transaction = begin();
    return scan(transaction);
  }

  void verify() {
    Result<VerifyReport> report = database_->verify();
    ASSERT_TRUE(report.ok()) << report.status().to_string();
    EXPECT_EQ(report->problems, std::vector<std::string>());
  }

  base::SimulatedDisk disk_;
  Options options_;
  std::unique_ptr<Database> database_;
  Table table_;
};

}  // namespace isolith::testing

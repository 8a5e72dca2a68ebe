// SerializableTest: transactions that are called in turn on a database in memory, and whether they commit.
//
//   Player& a = player();                    // at serializable_ssi
//   Player& b = player();
//   a.get("x"); b.get("y"); a.put("y"); b.put("x");
//   expect_one_fails({&a, &b});              // in this order of commits
//
// Nobody may have to wait: everything is called from one thread.
//
// Threads: from one thread.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "isolith/isolith.h"

namespace isolith::testing {

// A transaction that remembers what it was asked, so that it can be tried again. After a conflict its calls
// do nothing and answer "!".
class Player {
 public:
  using Call = std::function<Status(Transaction&, std::string& read)>;

  Player(Database& database, const Table& table, const TransactionOptions& options)
      : database_(database), table_(table), options_(options) {
    begin();
  }

  // What was read; "-": it is not there.
  std::string get(const std::string& key) { return get(table_, key); }
  std::string get(const Table& table, const std::string& key) {
    return take([=](Transaction& t, std::string& read) { return t.get(table, key, read); });
  }
  void put(const std::string& key, const std::string& value = "v") { put(table_, key, value); }
  void put(const Table& table, const std::string& key, const std::string& value = "v") {
    take([=](Transaction& t, std::string&) { return t.put(table, key, value); });
  }
  void insert(const std::string& key) {
    take([=, this](Transaction& t, std::string&) { return t.insert(table_, key, "v"); });
  }
  void erase(const std::string& key) {
    take([=, this](Transaction& t, std::string&) { return t.erase(table_, key); });
  }
  void call(Call call) { take(std::move(call)); }

  struct Scan {
    std::string lo = {};
    std::optional<std::string> hi = std::nullopt;
    bool forward = true;
    std::size_t rows_max = SIZE_MAX;
  };
  // The keys, each with a space behind it, in the order they came.
  std::string scan() { return scan(Scan{}); }
  std::string scan(const Scan& scan) {
    return take([=, this](Transaction& t, std::string& read) { return run(t, scan, read); });
  }

  bool commit() {
    if (!failure_.ok()) return false;
    note(transaction_->commit());
    return failure_.ok();
  }
  void abort() { EXPECT_TRUE(transaction_->abort().ok()); }

  // The same calls in a new transaction: whether it commits.
  bool retry() {
    begin();
    for (const Call& call : script_) (void)play(call);
    return commit();
  }

  [[nodiscard]] const Status& failure() const noexcept { return failure_; }
  [[nodiscard]] Transaction& transaction() noexcept { return *transaction_; }

 private:
  void begin() {
    failure_ = Status();
    transaction_.reset();
    Result<Transaction> begun = database_.begin(options_);
    ASSERT_TRUE(begun.ok()) << begun.status().to_string();
    transaction_.emplace(*std::move(begun));
  }

  Status run(Transaction& transaction, const Scan& scan, std::string& read) const {
    KeyRange range{scan.lo, {}};
    if (scan.hi) range.hi = *scan.hi;
    Result<Cursor> rows = transaction.cursor(table_, range);
    if (!rows.ok()) return rows.status();
    std::size_t count = 0;
    for (scan.forward ? rows->seek_first() : rows->seek_last(); rows->valid();
         scan.forward ? rows->next() : rows->prev()) {
      read.append(rows->key()).append(" ");
      if (++count == scan.rows_max) return Status();
    }
    return rows->status();
  }

  std::string take(Call call) {
    script_.push_back(std::move(call));
    return play(script_.back());
  }
  std::string play(const Call& call) {
    if (!failure_.ok()) return "!";
    std::string read;
    const Status status = call(*transaction_, read);
    if (status.is(StatusCode::not_found)) return "-";
    if (status.is(StatusCode::already_exists)) return "there";
    note(status);
    return status.ok() ? read : "!";
  }
  void note(const Status& status) {
    if (status.ok()) return;
    failure_ = status;
    EXPECT_EQ(status.reason(), ConflictReason::serialization) << status.to_string();
    EXPECT_FALSE(transaction_->active());
  }

  Database& database_;
  const Table table_;
  const TransactionOptions options_;
  std::vector<Call> script_;
  std::optional<Transaction> transaction_;
  Status failure_;
};

class SerializableBase : public ::testing::Test {
 protected:
  using Players = std::initializer_list<Player*>;

  void open(const LockOptions& locks, const std::vector<std::string>& keys = {"a", "c", "e"}) {
    players_.clear();
    database_.reset();
    Options options;
    options.cache_bytes = std::size_t{8} << 20;
    options.locks = locks;
    database_.emplace(*Database::open_in_memory(options));
    table_ = *database_->ensure_table("t");
    other_ = *database_->ensure_table("u");
    fill(table_, keys);
    fill(other_, {"x", "y"});
  }
  void TearDown() override { players_.clear(); }

  void fill(const Table& table, const std::vector<std::string>& keys) {
    Transaction transaction = *database_->begin(Isolation::read_committed);
    (void)*transaction.erase_range(table, KeyRange::all());
    for (const std::string& key : keys) ASSERT_TRUE(transaction.put(table, key, "0").ok());
    ASSERT_TRUE(transaction.commit().ok());
  }

  Player& player(const TransactionOptions& options = Isolation::serializable_ssi) {
    return *players_.emplace_back(std::make_unique<Player>(*database_, table_, options));
  }
  // Makes the change in a transaction of its own.
  void alone(const std::function<void(Player&)>& change,
             const TransactionOptions& options = Isolation::serializable_ssi) {
    Player& writer = player(options);
    change(writer);
    EXPECT_TRUE(writer.commit()) << writer.failure().to_string();
  }

  static void expect_all_commit(Players in_order) {
    for (Player* const player : in_order) EXPECT_TRUE(player->commit()) << player->failure().to_string();
  }
  // Where one is enough to break the circle, one fails and no more, unless `may_fail_without_need`. It
  // commits when it is run again.
  void expect_one_fails(Players in_order) {
    std::vector<Player*> failed;
    for (Player* const player : in_order) {
      if (!player->commit()) failed.push_back(player);
    }
    EXPECT_GE(failed.size(), 1U) << "a circle of committed transactions";
    EXPECT_LE(failed.size(), may_fail_without_need_ ? in_order.size() : 1U);
    for (Player* const player : failed) EXPECT_TRUE(player->retry()) << player->failure().to_string();
  }

  std::optional<Database> database_;
  Table table_;
  Table other_;  // has x and y
  std::vector<std::unique_ptr<Player>> players_;
  bool may_fail_without_need_ = false;
};

// What has to fail fails, whichever test is chosen and however little memory there is.
struct Judging {
  const char* name;
  LockOptions locks;
  bool is_exact;

  friend std::ostream& operator<<(std::ostream& out, const Judging& judging) { return out << judging.name; }
};

inline std::vector<Judging> ways_of_judging() {
  LockOptions plain;
  plain.conflict_test = ConflictTest::dangerous_structure;
  LockOptions tight;
  tight.tracking_bytes = 1;
  return {{"circle", {}, true}, {"dangerous_structure", plain, false}, {"no_memory", tight, false}};
}

class SerializableTest : public SerializableBase, public ::testing::WithParamInterface<Judging> {
 protected:
  SerializableTest() {
    may_fail_without_need_ = !GetParam().is_exact;
    open(GetParam().locks);
  }
  void open_with(const std::vector<std::string>& keys) { open(GetParam().locks, keys); }
};

// What need not fail does not.
class SerializableExactTest : public SerializableBase {
 protected:
  SerializableExactTest() { open({}); }
};

}  // namespace isolith::testing

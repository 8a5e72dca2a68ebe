// Observer: what a program is told, in the words of a log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "isolith/isolith.h"

namespace isolith {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Names transactions and versions by labels.
class Log : public Observer {
 public:
  void on_begin(const BeginEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    labels_.emplace_back(event.transaction, event.label);
    add(event.transaction, "begins at " + std::string(event.level) + (event.read_only ? " to read" : ""));
  }
  void on_read(const ReadEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    add(event.transaction, "reads " + at(event.table, event.key) + " of " + writer(event.writer) +
                               (event.exists ? "" : ", which is not there"));
  }
  void on_scan(const ScanEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    add(event.transaction, "scans " + at(event.table, event.lo) + " to " +
                               (event.hi ? printable(*event.hi) : std::string("the end")));
  }
  void on_write(const WriteEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    ids_.emplace_back(event.id, event.transaction);
    const char* const kinds[] = {"puts", "inserts", "erases", "locks"};
    add(event.transaction, std::string(kinds[static_cast<int>(event.kind)]) + ' ' +
                               at(event.table, event.key) + " over " + writer(event.over));
  }
  void on_wait(const WaitEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    add(event.transaction,
        "waits for " + writer(event.info.holder) + " at " + at(event.info.table, event.info.key));
    ++waits;
  }
  void on_wake(const WaitEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    add(event.transaction, "wakes");
  }
  void on_commit(const CommitEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    add(event.transaction, event.timestamp == 0 ? "commits, having read" : "commits");
  }
  void on_abort(const AbortEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    add(event.transaction, "aborts: " + std::string(to_string(event.reason.reason())));
  }

  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

  std::atomic<int> waits{0};

 private:
  static std::string printable(std::string_view key) {
    std::string text(key);
    if (!text.empty() && text.back() == '\0') text.back() = '+';
    return text;
  }
  static std::string at(std::string_view table, std::string_view key) {
    return std::string(table) + '/' + printable(key);
  }
  std::string label(std::uint64_t transaction) const {
    for (const auto& [name, label] : labels_) {
      if (name == transaction) return label;
    }
    return "?";
  }
  std::string writer(std::uint64_t id) const {
    if (id == 0) return "nobody";
    for (const auto& [number, transaction] : ids_) {
      if (number == id) return label(transaction);
    }
    return "?";
  }
  void add(std::uint64_t transaction, const std::string& what) {
    lines_.push_back(label(transaction) + ' ' + what);
  }

  std::mutex mutex_;
  std::vector<std::pair<std::uint64_t, std::string>> labels_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ids_;
  std::vector<std::string> lines_;
};

class ObserverTest : public ::testing::Test {
 protected:
  void SetUp() override { database_.set_observer(&log_); }
  void TearDown() override { database_.set_observer(nullptr); }

  Transaction begin(const char* label, Isolation level = Isolation::serializable, bool read_only = false) {
    TransactionOptions options(level);
    options.label = label;
    options.read_only = read_only;
    return *database_.begin(options);
  }
  // Rows of one transaction, which is not told of afterwards.
  void fill(const std::vector<std::string>& keys) {
    Transaction first = begin("first");
    for (const std::string& key : keys) ASSERT_TRUE(first.put(table_, key, "0").ok());
    ASSERT_TRUE(first.commit().ok());
    log_.take();
  }

  Database database_ = *Database::open_in_memory();
  Table table_ = *database_.ensure_table("t");
  Log log_;
};

TEST_F(ObserverTest, ReadsAndWritesNameTheVersionsConcerned) {
  fill({"x"});
  Transaction a = begin("a");
  EXPECT_TRUE(a.get(table_, "x").ok());
  EXPECT_TRUE(a.get(table_, "y").status().is(StatusCode::not_found));
  EXPECT_TRUE(a.put(table_, "x", "1").ok());
  EXPECT_TRUE(a.put(table_, "x", "2").ok());
  EXPECT_TRUE(a.insert(table_, "y", "1").ok());
  EXPECT_TRUE(a.erase(table_, "y").ok());
  EXPECT_TRUE(a.get(table_, "x").ok());
  EXPECT_TRUE(a.commit().ok());
  EXPECT_THAT(log_.take(), ElementsAre("a begins at serializable_ssi", "a reads t/x of first",
                                       "a reads t/y of nobody, which is not there", "a puts t/x over first",
                                       "a puts t/x over a", "a inserts t/y over nobody",
                                       "a erases t/y over a", "a reads t/x of a", "a commits"));
}

TEST_F(ObserverTest, ASnapshotReadsOfWhomItSees) {
  fill({"x"});
  Transaction reader = begin("reader", Isolation::snapshot, true);
  Transaction writer = begin("writer");
  EXPECT_TRUE(writer.put(table_, "x", "1").ok());
  EXPECT_TRUE(writer.commit().ok());
  log_.take();
  EXPECT_TRUE(reader.get(table_, "x").ok());
  EXPECT_TRUE(reader.commit().ok());
  EXPECT_THAT(log_.take(), ElementsAre("reader reads t/x of first", "reader commits, having read"));
}

// serializable_ssi looks at what was read last once more where others have written nearby since.
TEST_F(ObserverTest, WhatIsReadIsToldOnce) {
  Transaction reader = begin("reader");
  ASSERT_TRUE(reader.get(table_, "none").status().is(StatusCode::not_found));
  Transaction writer = begin("writer");
  ASSERT_TRUE(writer.put(table_, "beside", "1").ok());
  ASSERT_TRUE(writer.commit().ok());
  log_.take();
  ASSERT_TRUE(reader.get(table_, "x").status().is(StatusCode::not_found));
  ASSERT_TRUE(reader.commit().ok());
  EXPECT_THAT(log_.take(),
              ElementsAre("reader reads t/x of nobody, which is not there", "reader commits, having read"));
}

TEST_F(ObserverTest, OfACursorComeTheRowsThatItStoodOn) {
  fill({"a", "b", "c", "d"});
  for (const Isolation level : {Isolation::serializable_ssi, Isolation::serializable_2pl}) {
    SCOPED_TRACE(to_string(level));
    Transaction a = begin("a", level);
    {
      Cursor rows = *a.cursor(table_);
      rows.seek("b");
      rows.next();
    }
    const std::vector<std::string> early = log_.take();
    EXPECT_THAT(early, ::testing::Contains("a scans t/b to c+"));
    EXPECT_THAT(early, ::testing::Contains("a reads t/b of first"));
    EXPECT_THAT(early, ::testing::Contains("a reads t/c of first"));
    EXPECT_EQ(early.size(), 4U) << "and its beginning";
    {
      Cursor rows = *a.cursor(table_, {"b", "d"});
      for (rows.seek_last(); rows.valid(); rows.prev()) {
      }
    }
    EXPECT_THAT(log_.take(), ::testing::UnorderedElementsAre("a scans t/b to d", "a reads t/c of first",
                                                             "a reads t/b of first"));
    EXPECT_TRUE(a.abort().ok());
    EXPECT_THAT(log_.take(), ElementsAre("a aborts: none"));
  }
}

TEST_F(ObserverTest, AConflictAndAWaitAreTold) {
  fill({"x"});
  Transaction a = begin("a");
  Transaction b = begin("b", Isolation::read_committed);
  EXPECT_TRUE(b.put(table_, "x", "1").ok());
  log_.take();
  std::thread late([&] { EXPECT_TRUE(a.put(table_, "x", "2").is(StatusCode::conflict)); });
  while (log_.waits.load() == 0) std::this_thread::yield();
  EXPECT_TRUE(b.commit().ok());
  late.join();
  EXPECT_THAT(log_.take(), ::testing::UnorderedElementsAre("a waits for b at t/x", "b commits", "a wakes",
                                                           "a aborts: write_conflict"));
}

TEST_F(ObserverTest, NobodyIsToldOnceItIsTakenBack) {
  fill({"x"});
  database_.set_observer(nullptr);
  Transaction a = begin("a");
  EXPECT_TRUE(a.put(table_, "x", "1").ok());
  EXPECT_TRUE(a.commit().ok());
  EXPECT_THAT(log_.take(), IsEmpty());
}

}  // namespace
}  // namespace isolith

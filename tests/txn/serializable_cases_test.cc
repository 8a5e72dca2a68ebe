// The level serializable_ssi: cases in which engines have lost a conflict, or found one where there is none.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/simulated_disk.h"
#include "tests/txn/serializable_fixture.h"

namespace isolith::testing {
namespace {

class SerializableCaseTest : public SerializableTest {};

INSTANTIATE_TEST_SUITE_P(Judging, SerializableCaseTest, ::testing::ValuesIn(ways_of_judging()),
                         [](const auto& given) { return std::string(given.param.name); });

// ---- keys that others change several times between a reader's snapshot and its read ----

enum class Look : std::uint8_t { get, scan, scan_back };
enum class LastEnd : std::uint8_t { commits, goes_on, aborts };

struct Rewriting {
  bool is_there;     // the key, at first
  char first;        // p: put, e: erase; by the one that comes before the reader
  char second;       // by another one, later
  std::size_t more;  // and so many after that
  LastEnd last_end;
  Look look;
};

std::string text(const Rewriting& r) {
  return std::string(r.is_there ? "row " : "no row ") + r.first + r.second + " and " +
         std::to_string(r.more) + " more, look " + std::to_string(static_cast<int>(r.look)) + ", end " +
         std::to_string(static_cast<int>(r.last_end));
}

std::vector<Rewriting> rewritings(const std::vector<std::size_t>& mores) {
  std::vector<Rewriting> all;
  for (const bool is_there : {true, false}) {
    for (const char first : {'p', 'e'}) {
      for (const char second : {'p', 'e'}) {
        if ((!is_there && first == 'e') || (first == 'e' && second == 'e')) continue;
        for (const std::size_t more : mores) {
          for (const LastEnd last_end : {LastEnd::commits, LastEnd::goes_on, LastEnd::aborts}) {
            for (const Look look : {Look::get, Look::scan, Look::scan_back})
              all.push_back({is_there, first, second, more, last_end, look});
          }
        }
      }
    }
  }
  return all;
}

// The reader has to find the one that replaced the version it sees, whatever came after (PostgreSQL's fault
// of 2020 lost it where a row was updated twice; tombstones and dropped versions are other ways to lose it).
class RewritingTest : public SerializableTest {
 protected:
  void run(const Rewriting& r) {
    SCOPED_TRACE(text(r));
    open_with(r.is_there ? std::vector<std::string>{"a", "b", "c"} : std::vector<std::string>{"a", "c"});
    const auto change = [&](Player& by, char how) { how == 'p' ? by.put("b", "n") : by.erase("b"); };
    Player& reader = player();
    EXPECT_EQ(reader.get("a"), "0");
    alone([&](Player& first) {
      first.get(other_, "x");  // before the reader writes it
      change(first, r.first);
    });
    if (r.more > 0) {
      alone([&](Player& second) { change(second, r.second); });
      for (std::size_t i = 1; i < r.more; ++i) alone([](Player& t) { t.put("b"); });
    }
    Player& rewriter = player();
    r.more > 0 ? rewriter.put("b") : change(rewriter, r.second);
    if (r.last_end == LastEnd::commits) {
      EXPECT_TRUE(rewriter.commit());
    }
    if (r.last_end == LastEnd::aborts) rewriter.abort();
    const std::string there = r.is_there ? "b " : "";
    if (r.look == Look::get) {
      EXPECT_EQ(reader.get("b"), r.is_there ? "0" : "-");
    }
    if (r.look == Look::scan) {
      EXPECT_EQ(reader.scan({"aa", "bb"}), there);
    }
    if (r.look == Look::scan_back) {
      EXPECT_EQ(reader.scan({"aa", "bb", false}), there);
    }
    reader.put(other_, "x");
    EXPECT_FALSE(reader.commit());
    if (r.last_end == LastEnd::goes_on) {
      EXPECT_TRUE(rewriter.commit()) << rewriter.failure().to_string();
    }
    EXPECT_TRUE(reader.retry()) << reader.failure().to_string();
  }
};

INSTANTIATE_TEST_SUITE_P(Judging, RewritingTest, ::testing::ValuesIn(ways_of_judging()),
                         [](const auto& given) { return std::string(given.param.name); });

TEST_P(RewritingTest, AReaderMeetsWhoReplacedWhatItSeesHoweverOftenOthersHaveSince) {
  for (const Rewriting& r : rewritings({0, 1})) run(r);
}

// So often that versions between the reader's and the newest are not kept.
TEST_P(RewritingTest, AReaderMeetsWhoReplacedWhatItSeesWhenItsVersionIsNotKept) {
  for (const Rewriting& r : rewritings({100})) run(r);
}

// As above, with the read before the changes: now those who write have to find the reader.
TEST_P(SerializableCaseTest, WhoReplacesAReadVersionMeetsTheReaderThroughErasingsAndInsertions) {
  for (const bool by_scan : {true, false}) {
    for (const std::string changes : {"pp", "pe", "ep", "pep", "epe"}) {
      SCOPED_TRACE(changes);
      open_with({"a", "b", "c"});
      Player& reader = player();
      by_scan ? reader.scan({"b", "bb"}) : reader.get("b");
      bool is_first = true;
      for (const char how : changes) {
        alone([&](Player& t) {
          if (std::exchange(is_first, false)) t.get(other_, "x");
          how == 'p' ? t.put("b") : t.erase("b");
        });
      }
      reader.put(other_, "x");
      expect_one_fails({&reader});
    }
  }
}

// ---- what a transaction has written itself ----

TEST_F(SerializableExactTest, ReadsOfItsOwnRowsDoNotCountAgainstATransaction) {
  Player& a = player();
  Player& b = player();
  b.get("e");  // b comes before a
  a.get("a");
  a.put("a");
  a.insert("b");
  a.erase("c");
  a.put("e");
  EXPECT_EQ(a.get("a") + a.get("b") + a.get("c"), "vv-");
  EXPECT_EQ(a.scan(), "a b e ");
  EXPECT_EQ(a.scan({.forward = false}), "e b a ");
  a.put("b");
  expect_all_commit({&a, &b});
}

TEST_F(SerializableExactTest, ManyThatReadAndWriteTheirOwnRowsAloneAllCommit) {
  std::vector<Player*> all;
  for (int i = 0; i < 20; ++i) {
    Player& mine = *all.emplace_back(&player());
    const std::string key = "own" + std::to_string(10 + i);
    EXPECT_EQ(mine.get(key), "-");
    mine.insert(key);
    EXPECT_EQ(mine.get(key), "v");
    mine.put(key);
    EXPECT_EQ(mine.scan({key, key + "z"}), key + " ");
    mine.erase(key);
    EXPECT_EQ(mine.get(key), "-");
    mine.put(key);
  }
  for (Player* const each : all) EXPECT_TRUE(each->commit()) << each->failure().to_string();
}

// ---- what was read stays known ----

std::string near_key(const std::string& prefix, std::size_t i) {
  return prefix + std::to_string(1'000'000 + i);
}

// Rows before and behind what was read, so that its page splits, and are gone again, so that pages merge.
TEST_P(SerializableCaseTest, WhatWasReadIsKnownAfterPagesHaveSplitAndMerged) {
  for (const bool by_scan : {true, false}) {
    for (const std::string written : {"m", "m5"}) {
      if (!by_scan && written != "m") continue;
      open_with({"a", "m", "z"});
      Player& a = player();
      Player& b = player();
      by_scan ? a.scan({"m", "n"}) : a.get("m");
      b.get(other_, "x");
      alone([](Player& t) {
        for (std::size_t i = 0; i < 1000; ++i) {
          t.put(near_key("b", i), std::string(100, 'v'));
          t.put(near_key("n", i), std::string(100, 'v'));
        }
      });
      alone([this](Player& t) {
        t.call([this](Transaction& erasing, std::string&) {
          const Status status = erasing.erase_range(table_, {"b", "c"}).status();
          return status.ok() ? erasing.erase_range(table_, {"n", "o"}).status() : status;
        });
      });
      a.put(other_, "x");
      b.put(written);
      expect_one_fails({&a, &b});
    }
  }
}

TEST_P(SerializableCaseTest, WhatWasReadIsKnownAfterARollbackToASavepoint) {
  for (const bool by_scan : {true, false}) {
    open_with({"a", "b", "c"});
    Player& a = player();
    Player& b = player();
    a.call([this, by_scan](Transaction& t, std::string&) {
      Result<Savepoint> savepoint = t.savepoint();
      if (!savepoint.ok()) return savepoint.status();
      std::string value;
      Status status = by_scan ? Status() : t.get(table_, "b", value);
      if (by_scan) {
        Result<Cursor> rows = t.cursor(table_, {"aa", "bb"});
        for (rows->seek_first(); rows->valid(); rows->next()) value = rows->value();
        status = rows->status();
      }
      if (status.ok()) status = t.put(table_, "a", value);
      return status.ok() ? t.rollback_to(*savepoint) : status;
    });
    b.get(other_, "x");
    a.put(other_, "x");
    b.put("b");
    expect_one_fails({&a, &b});
  }
}

TEST_P(SerializableCaseTest, AReaderOfADroppedTableComesBeforeWhoDroppedIt) {
  for (const bool by_scan : {true, false}) {
    open_with({"a"});
    Player& a = player();
    Player& b = player();
    by_scan ? a.scan() : a.get("a");
    b.get(other_, "x");
    const Table dropped = table_;
    b.call([dropped](Transaction& t, std::string&) { return t.drop_table(dropped); });
    a.put(other_, "x");
    EXPECT_TRUE(b.commit());
    EXPECT_FALSE(a.commit());
  }
}

TEST_F(SerializableExactTest, AReaderOfADroppedTableWithNoOtherTieCommits) {
  Player& a = player();
  Player& b = player();
  a.get("a");
  const Table dropped = table_;
  b.call([dropped](Transaction& t, std::string&) { return t.drop_table(dropped); });
  EXPECT_TRUE(b.commit());
  a.put(other_, "x");
  expect_all_commit({&a});
}

// One that has committed before the writer began to write, while one lives that overlaps both.
TEST_P(SerializableCaseTest, WhatCommittedTransactionsHaveReadIsKnownWhileOneLivesThatOverlaps) {
  for (std::size_t others = 0; others < 200; others += 66) {
    open_with({"a", "b"});
    Player& oldest = player();
    EXPECT_EQ(oldest.get("a"), "0");
    alone([this](Player& writer) {
      writer.get(other_, "y");
      writer.put("a", "1");
    });
    alone([this](Player& reader) {  // after the writer, and before who writes x
      EXPECT_EQ(reader.get("a"), "1");
      reader.get(other_, "x");
    });
    for (std::size_t i = 0; i < others; ++i) alone([](Player& t) { t.put("b", t.get("b") + "1"); });
    oldest.put(other_, "x");  // and before the writer, whose change it did not see
    expect_one_fails({&oldest});
  }
}

// ---- cursors that do not read all of their range ----

TEST_F(SerializableExactTest, ACursorHasReadFromWhereItWasSought) {
  for (const bool forward : {true, false}) {
    open({}, {"a", "c", "e", "g"});
    Player& a = player();
    Player& b = player();
    a.call([this, forward](Transaction& t, std::string&) {
      Result<Cursor> rows = t.cursor(table_, {"a", "h"});
      for (forward ? rows->seek("d") : rows->seek_before("d"); rows->valid();
           forward ? rows->next() : rows->prev()) {
      }
      return rows->status();
    });
    b.get(other_, "x");
    a.put(other_, "x");
    b.put(forward ? "c" : "e");
    expect_all_commit({&a, &b});
  }
}

TEST_F(SerializableExactTest, ACursorThatStopsEarlyHasNotReadWhatIsFarBehind) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < 5000; ++i) keys.push_back(near_key("k", i));
  for (const bool forward : {true, false}) {
    for (const std::size_t rows : {1U, 3U, 50U, 2000U}) {
      SCOPED_TRACE(rows);
      open({}, keys);
      Player& a = player();
      Player& b = player();
      a.scan({.forward = forward, .rows_max = rows});
      b.get(other_, "x");
      a.put(other_, "x");
      b.put(forward ? keys[rows] : keys[keys.size() - 1 - rows]);  // the one behind
      expect_all_commit({&a, &b});
    }
  }
}

// Ranges that touch, overlap and lie in each other, of which one is left early.
TEST_P(SerializableCaseTest, ACursorThatStopsEarlyKeepsWhatOthersOfItsTransactionHaveRead) {
  const std::vector<std::string> keys = {"b", "c", "d", "e", "f", "g", "h"};
  const std::vector<Player::Scan> ranges = {{"b", "i"}, {"a", "d"}, {"a", "e"}, {"c", "f"},
                                            {"e", "i"}, {"d", "z"}, {"c", {}},  {"", "d"},
                                            {"f", "i"}, {"f", {}},  {"a", "c"}, {"", "c"}};
  for (const bool full_first : {true, false}) {
    for (Player::Scan early : ranges) {
      for (const bool forward : {true, false}) {
        for (const std::string written : {"c", "cc", "d", "e", "ee"}) {
          SCOPED_TRACE("early [" + early.lo + ", " + early.hi.value_or("end") +
                       (forward ? ") forward, " : ") backward, ") + (full_first ? "after" : "before") +
                       " the other; " + written + " written");
          fill(table_, keys);
          Player& a = player();
          Player& b = player();
          early.forward = forward;
          early.rows_max = 1;
          if (!full_first) a.scan(early);
          EXPECT_EQ(a.scan({"c", "f"}), "c d e ");
          if (full_first) a.scan(early);
          b.get(other_, "x");
          a.put(other_, "x");
          b.put(written);
          expect_one_fails({&a, &b});
          players_.clear();
        }
      }
    }
  }
}

// The range of a cursor that is still open has the other in it, and then the cursor is left early.
TEST_P(SerializableCaseTest, ACursorThatIsLeftKeepsWhatOthersHaveReadWhileItStood) {
  for (const bool forward : {true, false}) {
    for (const std::string written : {"c", "dd", "e"}) {
      SCOPED_TRACE((forward ? "forward, " : "backward, ") + written + " written");
      fill(table_, {"b", "c", "d", "e", "g"});
      Player& a = player();
      Player& b = player();
      a.call([&](Transaction& t, std::string&) {
        Cursor outer = *t.cursor(table_, {"a", "h"});
        forward ? outer.seek_first() : outer.seek_last();
        Cursor inner = *t.cursor(table_, {"c", "f"});
        for (inner.seek_first(); inner.valid(); inner.next()) {
        }
        return inner.status();
      });
      b.get(other_, "x");
      a.put(other_, "x");
      b.put(written);
      expect_one_fails({&a, &b});
      players_.clear();
    }
  }
}

// An insertion or an erasing that is refused has read the key; here what another one has done to it.
TEST_P(SerializableCaseTest, ARefusedInsertionOrErasingHasReadWhatItMet) {
  for (const bool inserts : {true, false}) {
    open_with(inserts ? std::vector<std::string>{"a"} : std::vector<std::string>{"a", "m"});
    const auto change = [=](Player& by) { inserts ? by.insert("m") : by.erase("m"); };
    Player& before = player();
    before.get("m");
    alone(change);  // after `before`
    alone([&](Player& behind) {
      change(behind);  // is refused
      behind.get(other_, "x");
    });
    before.put(other_, "x");  // after `behind`
    expect_one_fails({&before});
  }
}

// ---- the moment of a commit ----

// Calls back in the middle of a sync, that is while some commit is on its way.
class CallingDisk final : public base::FileSystem {
 public:
  std::function<void()> in_sync;

  Result<std::unique_ptr<base::File>> open(const std::string& path, base::OpenMode mode) override {
    Result<std::unique_ptr<base::File>> opened = disk_.open(path, mode);
    if (!opened.ok()) return opened;
    return std::unique_ptr<base::File>(std::make_unique<CallingFile>(*this, *std::move(opened)));
  }
  Status remove(const std::string& path) override { return disk_.remove(path); }
  Status rename(const std::string& from, const std::string& to) override { return disk_.rename(from, to); }
  Status sync_directory(const std::string& path) override { return disk_.sync_directory(path); }
  Status create_directory(const std::string& path) override { return disk_.create_directory(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return disk_.list(path); }
  Result<bool> exists(const std::string& path) override { return disk_.exists(path); }
  Result<std::unique_ptr<base::File>> lock(const std::string& path) override { return disk_.lock(path); }

 private:
  class CallingFile final : public base::File {
   public:
    CallingFile(CallingDisk& disk, std::unique_ptr<base::File> file) : disk_(disk), file_(std::move(file)) {}
    Result<std::size_t> read_at(std::uint64_t offset, void* buffer, std::size_t size) override {
      return file_->read_at(offset, buffer, size);
    }
    Status write_at(std::uint64_t offset, const void* data, std::size_t size) override {
      return file_->write_at(offset, data, size);
    }
    Status sync() override {
      if (disk_.in_sync) std::exchange(disk_.in_sync, nullptr)();
      return file_->sync();
    }
    Status truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<std::uint64_t> size() override { return file_->size(); }
    void discard(std::uint64_t offset, std::uint64_t size) override { file_->discard(offset, size); }

   private:
    CallingDisk& disk_;
    std::unique_ptr<base::File> file_;
  };
  base::SimulatedDisk disk_;
};

// Berkeley DB 5.3.34 (issue 136) lost a write in that window: the committing one was not looked for any more,
// and did not look itself.
TEST(SerializableCommitTest, AWriteWhileAnotherOneIsCommittingMeetsIt) {
  for (const bool reads_in_window : {true, false}) {
    CallingDisk disk;
    Options options;
    options.file_system = &disk;
    options.cache_bytes = std::size_t{4} << 20;
    options.log_segment_bytes = std::size_t{256} << 10;
    Database database = *Database::open("/db", options);
    const Table table = *database.ensure_table("t");
    Player a(database, table, Isolation::serializable_ssi);
    Player b(database, table, Isolation::serializable_ssi);
    a.get("a");
    a.put("c");
    if (!reads_in_window) b.get("c");
    bool was_called = false;
    disk.in_sync = [&] {
      was_called = true;
      if (reads_in_window) b.get("c");
      b.put("a");
    };
    EXPECT_TRUE(a.commit());
    EXPECT_TRUE(was_called);
    EXPECT_FALSE(b.commit());
    EXPECT_TRUE(b.retry());
  }
}

// The same with threads, which meet at every point of each other's commit.
TEST(SerializableCommitTest, OfTwoThatCommitAtTheSameTimeOneFails) {
  constexpr std::size_t kRounds = 3000;
  Options options;
  options.cache_bytes = std::size_t{8} << 20;
  Database database = *Database::open_in_memory(options);
  const Table table = *database.ensure_table("t");
  std::array<std::atomic<bool>, 2> committed{};
  std::size_t both = 0;
  std::size_t neither = 0;
  std::barrier step(2);
  const auto play = [&](std::size_t me) {
    const std::string mine(1, static_cast<char>('a' + me));
    const std::string others(1, static_cast<char>('b' - me));
    for (std::size_t i = 0; i < kRounds; ++i) {
      Transaction transaction = *database.begin(Isolation::serializable_ssi);
      step.arrive_and_wait();
      std::string value;
      Status status = transaction.get(table, others, value);
      if (status.ok() || status.is(StatusCode::not_found)) status = transaction.put(table, mine, "v");
      if (status.ok()) status = transaction.commit();
      EXPECT_TRUE(status.ok() || status.reason() == ConflictReason::serialization) << status.to_string();
      committed[me] = status.ok();
      step.arrive_and_wait();
      if (me != 0) continue;
      both += committed[0] && committed[1] ? 1 : 0;
      neither += !committed[0] && !committed[1] ? 1 : 0;
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  // Both began before either wrote.
  EXPECT_EQ(both, 0U);
  EXPECT_EQ(neither, 0U);
}

// ---- after a conflict ----

TEST_F(SerializableExactTest, AfterAConflictTheTransactionIsOverAndLeavesNothing) {
  Player& a = player();
  Player& b = player();
  a.get("a");
  b.get("c");
  a.put("c");
  b.put("a", "b's");
  EXPECT_TRUE(a.commit());
  EXPECT_FALSE(b.commit());
  EXPECT_TRUE(b.failure().is_retryable());
  Transaction& over = b.transaction();
  std::string value;
  EXPECT_FALSE(over.active());
  EXPECT_TRUE(over.get(table_, "a", value).is(StatusCode::aborted));
  EXPECT_TRUE(over.put(table_, "a", "v").is(StatusCode::aborted));
  EXPECT_TRUE(over.cursor(table_).status().is(StatusCode::aborted));
  EXPECT_TRUE(over.savepoint().status().is(StatusCode::aborted));
  EXPECT_TRUE(over.commit().is(StatusCode::aborted));
  EXPECT_TRUE(over.abort().is(StatusCode::aborted));
  alone([](Player& t) {
    EXPECT_EQ(t.get("a"), "0");
    t.put("a");  // would wait for a lock that was left
  });
}

TEST_F(SerializableExactTest, AConflictIsNoReasonForTheNextOne) {
  Player& long_reader = player();
  long_reader.get(other_, "y");
  for (int i = 0; i < 20; ++i) {
    Player& a = player();
    Player& b = player();
    a.get("a");
    b.get("c");
    a.put("c");
    b.put("a");
    expect_one_fails({&a, &b});
  }
  expect_all_commit({&long_reader});
}

}  // namespace
}  // namespace isolith::testing

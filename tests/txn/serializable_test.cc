// The level serializable_ssi: write skew in all its forms, through rows, absent keys and ranges; and what is
// no conflict.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/seed.h"
#include "tests/txn/serializable_fixture.h"

namespace isolith::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(Judging, SerializableTest, ::testing::ValuesIn(ways_of_judging()),
                         [](const auto& given) { return std::string(given.param.name); });

std::string row_key(std::size_t i) {
  std::string digits = std::to_string(i);
  return "k" + std::string(6 - digits.size(), '0') + digits;
}

TEST_P(SerializableTest, WriteSkewOnTwoRows) {
  for (const bool first_commits_first : {true, false}) {
    Player& a = player();
    Player& b = player();
    EXPECT_EQ(a.get("a") + b.get("c"), first_commits_first ? "00" : "vv");
    a.put("c");
    b.put("a");
    first_commits_first ? expect_one_fails({&a, &b}) : expect_one_fails({&b, &a});
  }
}

TEST_P(SerializableTest, WriteSkewOnTwoRowsWhenTheFirstHasCommittedBeforeTheSecondWrites) {
  Player& a = player();
  Player& b = player();
  b.get("c");
  a.get("a");
  a.put("c");
  EXPECT_TRUE(a.commit());
  b.put("a");
  expect_one_fails({&b});
}

TEST_P(SerializableTest, WriteSkewOnTwoRowsWhenTheFirstHasCommittedBeforeTheSecondReads) {
  Player& a = player();
  Player& b = player();
  a.get("a");
  a.put("c");
  EXPECT_TRUE(a.commit());
  EXPECT_EQ(b.get("c"), "0");
  b.put("a");
  expect_one_fails({&b});
}

TEST_P(SerializableTest, WriteSkewThroughAbsentKeys) {
  for (const bool inserts : {true, false}) {
    open_with({"a"});
    Player& a = player();
    Player& b = player();
    EXPECT_EQ(a.get("b"), "-");
    EXPECT_EQ(b.get("d"), "-");
    inserts ? a.insert("d") : a.put("d");
    inserts ? b.insert("b") : b.put("b");
    expect_one_fails({&a, &b});
  }
}

TEST_P(SerializableTest, WriteSkewThroughTheAnswersOfInsertAndErase) {
  Player& a = player();
  Player& b = player();
  a.erase("b");   // is not there
  b.insert("c");  // is there
  a.erase("c");
  b.insert("b");
  expect_one_fails({&a, &b});
}

TEST_P(SerializableTest, WriteSkewThroughReadsWithLocks) {
  Player& a = player();
  Player& b = player();
  const auto lock = [this](const std::string& key) {
    return [this, key](Transaction& t, std::string& read) { return t.get_for_update(table_, key, read); };
  };
  a.call(lock("a"));
  b.call(lock("c"));
  a.get("c");
  b.get("a");
  a.put("a");
  b.put("c");
  expect_one_fails({&a, &b});
}

TEST_P(SerializableTest, WriteSkewThroughPartsOfValues) {
  Player& a = player();
  Player& b = player();
  const auto part = [this](const std::string& key) {
    return [this, key](Transaction& t, std::string&) {
      char byte = 0;
      return t.get_part(table_, key, 0, &byte, 1).status();
    };
  };
  a.call(part("a"));
  b.call(part("c"));
  a.put("c");
  b.put("a");
  expect_one_fails({&a, &b});
}

TEST_P(SerializableTest, WriteSkewThroughErasedRanges) {
  Player& a = player();
  Player& b = player();
  const auto erase = [this](const std::string& lo, const std::string& hi) {
    return [=, this](Transaction& t, std::string&) { return t.erase_range(table_, {lo, hi}).status(); };
  };
  a.call(erase("a", "b"));
  b.call(erase("c", "d"));
  a.insert("cc");
  b.insert("aa");
  expect_one_fails({&a, &b});
}

// A has read a range, B writes a key in it or beside it; A wrote what B has read.
class PhantomCases {
 public:
  struct Case {
    Player::Scan range;
    std::string key;
    bool erases;
  };
  [[nodiscard]] static bool is_in(const Case& c) {
    return c.key >= c.range.lo && (!c.range.hi || c.key < *c.range.hi);
  }
  [[nodiscard]] static std::string text(const Case& c) {
    return "[" + c.range.lo + ", " + c.range.hi.value_or("end") + ")" +
           (c.range.forward ? " forward, " : " backward, ") + (c.erases ? "erase " : "put ") + c.key;
  }
  // Each key put, and erased where it is one of `rows`.
  static std::vector<Case> all(const std::vector<Player::Scan>& ranges, const std::vector<std::string>& keys,
                               const std::vector<std::string>& rows) {
    std::vector<Case> cases;
    for (Player::Scan range : ranges) {
      for (const bool forward : {true, false}) {
        range.forward = forward;
        for (const std::string& key : keys) {
          cases.push_back({range, key, false});
          if (std::find(rows.begin(), rows.end(), key) != rows.end()) cases.push_back({range, key, true});
        }
      }
    }
    return cases;
  }
};

class PhantomTest : public SerializableTest {
 protected:
  void run(const PhantomCases::Case& c, const std::vector<std::string>& rows, bool reader_commits_first) {
    SCOPED_TRACE(PhantomCases::text(c) + (reader_commits_first ? ", reader first" : ", writer first"));
    if (rows.size() < 100) fill(table_, rows);
    Player& a = player();
    Player& b = player();
    a.scan(c.range);
    b.get(other_, "x");
    a.put(other_, "x");
    c.erases ? b.erase(c.key) : b.put(c.key);
    if (PhantomCases::is_in(c)) {
      reader_commits_first ? expect_one_fails({&a, &b}) : expect_one_fails({&b, &a});
    } else if (GetParam().locks.tracking_bytes > 1) {
      expect_all_commit({&a, &b});
    } else {
      (void)a.commit();
      (void)b.commit();
    }
    if (c.erases) alone([&](Player& again) { again.put(c.key); });
    players_.clear();
  }
};

INSTANTIATE_TEST_SUITE_P(Judging, PhantomTest, ::testing::ValuesIn(ways_of_judging()),
                         [](const auto& given) { return std::string(given.param.name); });

TEST_P(PhantomTest, RangesAreExactAtBothEnds) {
  const std::vector<std::string> rows = {"c", "e", "g"};
  const std::vector<Player::Scan> ranges = {{"d", "f"}, {"c", "g"}, {"e", "ee"}, {"d", "dd"},
                                            {"", {}},   {"d", {}},  {"", "f"},   {"h", {}}};
  const std::vector<std::string> keys = {"", "b", "c", "d", "dd", "e", "f", "g", "h", "i"};
  for (const PhantomCases::Case& c : PhantomCases::all(ranges, keys, rows)) {
    run(c, rows, true);
    run(c, rows, false);
  }
}

TEST_P(PhantomTest, RangesOfAnEmptyTableAreExact) {
  const std::vector<Player::Scan> ranges = {{"", {}}, {"d", "f"}, {"d", {}}, {"", "f"}};
  for (const PhantomCases::Case& c : PhantomCases::all(ranges, {"", "c", "d", "e", "f", "g"}, {})) {
    run(c, {}, true);
    run(c, {}, false);
  }
}

TEST_P(PhantomTest, RangesOverManyPagesAreExact) {
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < 3000; ++i) rows.push_back(row_key(2 * i));
  fill(table_, rows);
  const std::vector<Player::Scan> ranges = {
      {row_key(1000), row_key(5000)}, {row_key(2001), row_key(2003)}, {row_key(5000), {}}};
  std::vector<std::string> keys;
  for (const std::size_t i :
       {0U, 999U, 1000U, 1001U, 2000U, 2001U, 2002U, 2003U, 3333U, 4999U, 5000U, 5998U, 6001U})
    keys.push_back(row_key(i));
  const auto is_row = [&](const std::string& key) {
    return std::find(rows.begin(), rows.end(), key) != rows.end();
  };
  for (const PhantomCases::Case& c : PhantomCases::all(ranges, keys, rows)) {
    run(c, rows, true);
    if (!is_row(c.key)) alone([&](Player& undo) { undo.erase(c.key); });
  }
}

TEST_P(SerializableTest, TwoThatFindNothingAndInsertAreNotBothRight) {
  for (const bool forward : {true, false}) {
    for (const bool is_empty : {true, false}) {
      open_with(is_empty ? std::vector<std::string>{} : std::vector<std::string>{"a", "z"});
      Player& a = player();
      Player& b = player();
      EXPECT_EQ(a.scan({"m", "n", forward}), "");
      EXPECT_EQ(b.scan({"m", "n", forward}), "");
      a.insert("m1");
      b.insert("m2");
      expect_one_fails({&a, &b});
    }
  }
}

// Each reads a key that the next one writes, the last one what the first one writes.
TEST_P(SerializableTest, CirclesOfAnyLengthAreBrokenInWhateverOrderTheyCommit) {
  base::Random random(test_seed());
  for (std::size_t round = 0; round < 200; ++round) {
    const std::size_t size = 2 + random.below(7);
    std::vector<Player*> all;
    for (std::size_t i = 0; i < size; ++i) all.push_back(&player());
    for (std::size_t i = 0; i < size; ++i) all[i]->get(row_key(i));
    std::vector<std::size_t> order(size);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = size; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (const std::size_t i : order) all[i]->put(row_key((i + size - 1) % size));
    for (std::size_t i = size; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    std::size_t failed = 0;
    for (const std::size_t i : order) {
      if (!all[i]->commit()) ++failed;
    }
    EXPECT_GE(failed, 1U) << "of " << size << " in round " << round << " of seed " << test_seed();
    EXPECT_LE(failed, may_fail_without_need_ ? size : 1U);
    players_.clear();
  }
}

TEST_F(SerializableExactTest, ChainsWithoutACircleCommitInWhateverOrder) {
  base::Random random(test_seed());
  for (std::size_t round = 0; round < 200; ++round) {
    const std::size_t size = 2 + random.below(7);
    std::vector<Player*> all;
    for (std::size_t i = 0; i < size; ++i) all.push_back(&player());
    for (std::size_t i = 0; i < size; ++i) all[i]->get(row_key(i));
    std::vector<std::size_t> order(size);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = size; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (const std::size_t i : order) i == 0 ? all[i]->put("last") : all[i]->put(row_key(i - 1));
    for (std::size_t i = size; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (const std::size_t i : order) {
      EXPECT_TRUE(all[i]->commit()) << all[i]->failure().to_string();
    }
    players_.clear();
  }
}

// Each has pieces of the key space, which lie between those of others, on the same pages and touching them.
TEST_F(SerializableExactTest, DisjointDataNeverConflicts) {
  constexpr std::size_t kKeys = 300;
  LockOptions plain;
  plain.conflict_test = ConflictTest::dangerous_structure;
  base::Random random(test_seed());
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < kKeys; i += 2) rows.push_back(row_key(i));
  for (std::size_t round = 0; round < 300; ++round) {
    if (round % 50 == 0) open(round % 100 == 0 ? LockOptions() : plain, rows);
    std::vector<Player*> all;
    for (std::size_t i = 0; i < 4; ++i) all.push_back(&player());
    std::vector<std::size_t> owner(kKeys);
    for (std::size_t i = 0; i < kKeys; ++i)
      owner[i] = i > 0 && random.below(4) != 0 ? owner[i - 1] : random.below(all.size());
    for (std::size_t step = 0; step < 60; ++step) {
      const std::size_t at = random.below(kKeys);
      Player& mine = *all[owner[at]];
      std::size_t end = at;
      while (end < kKeys && owner[end] == owner[at]) ++end;
      const std::uint64_t kind = random.below(6);
      if (kind == 0) mine.get(row_key(at));
      if (kind == 1) mine.put(row_key(at));
      if (kind == 2) mine.insert(row_key(at));
      if (kind == 3) mine.erase(row_key(at));
      if (kind >= 4) mine.scan({row_key(at), row_key(end), kind == 4});
    }
    for (Player* const each : all) ASSERT_TRUE(each->commit()) << each->failure().to_string();
    players_.clear();
  }
}

TEST_F(SerializableExactTest, ReadersOfTheSameAndOneWriterAllCommit) {
  Player& a = player();
  Player& b = player();
  Player& c = player();
  a.scan();
  b.scan();
  c.put("b");
  expect_all_commit({&c, &a, &b});
}

TEST_F(SerializableExactTest, OneAfterTheOtherNeverConflicts) {
  Player& long_reader = player();  // so that all of them are remembered
  long_reader.get(other_, "y");
  for (std::size_t i = 0; i < 100; ++i) {
    alone([&](Player& t) {
      t.scan();
      t.put(i % 2 == 0 ? "a" : "b");
      t.get("c");
      t.put("c");
    });
  }
  expect_all_commit({&long_reader});
}

}  // namespace
}  // namespace isolith::testing

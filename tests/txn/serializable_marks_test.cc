// The level serializable_ssi: when what was read is entered, and for how long it is known.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/txn/serializable_fixture.h"

namespace isolith::testing {
namespace {

class SerializableMarkTest : public SerializableTest {};

INSTANTIATE_TEST_SUITE_P(Judging, SerializableMarkTest, ::testing::ValuesIn(ways_of_judging()),
                         [](const auto& given) { return std::string(given.param.name); });

// ---- what was read last, and is marked later ----

enum class Meanwhile : std::uint8_t { writes, writes_beside, splits, goes_on, aborts };

// While `reader` has read "m" last, and nothing since.
void change_meanwhile(Meanwhile how, Player& writer) {
  if (how == Meanwhile::writes_beside) return writer.put("l");
  writer.put("m");
  if (how != Meanwhile::splits) return;
  for (char c = 'a'; c <= 'z'; ++c)
    writer.call([c, key = std::string("m") + c](Transaction& t, std::string&) {
      return t.put(*t.open_table("t"), key, std::string(1000, c));
    });
}

TEST_P(SerializableMarkTest, WhoWroteOverWhatWasReadLastIsMet) {
  for (const Meanwhile how : {Meanwhile::writes, Meanwhile::splits, Meanwhile::goes_on}) {
    for (const bool is_there : {true, false}) {
      for (const bool reads_on : {true, false}) {
        open_with(is_there ? std::vector<std::string>{"a", "l", "m"} : std::vector<std::string>{"a", "l"});
        Player& reader = player();
        Player& writer = player();
        writer.get(other_, "x");
        EXPECT_EQ(reader.get("m"), is_there ? "0" : "-");
        change_meanwhile(how, writer);
        if (how != Meanwhile::goes_on) {
          EXPECT_TRUE(writer.commit());
        }
        if (reads_on) reader.get("a");
        reader.put(other_, "x");
        if (how == Meanwhile::goes_on) {
          expect_one_fails({&reader, &writer});
        } else {
          expect_one_fails({&reader});
        }
      }
    }
  }
}

TEST_F(SerializableExactTest, WhoWroteBesideWhatWasReadLastOrNotAtAllIsNotMet) {
  for (const Meanwhile how : {Meanwhile::writes_beside, Meanwhile::aborts}) {
    Player& reader = player();
    Player& writer = player();
    writer.get(other_, "x");
    reader.get("m");
    change_meanwhile(how, writer);
    how == Meanwhile::aborts ? writer.abort() : (void)writer.commit();
    reader.put(other_, "x");
    expect_all_commit({&reader});
  }
}

TEST_P(SerializableMarkTest, WhatWasReadLastIsKnownThoughItsNamesakeElsewhereIsWritten) {
  Player& a = player();
  Player& b = player();
  b.get("c");
  EXPECT_EQ(a.get(other_, "x"), "0");
  a.put("x");
  a.put("c");
  b.put(other_, "x");
  expect_one_fails({&a, &b});
}

// All that it knows of the table it has written.
TEST_P(SerializableMarkTest, WhoWroteToADroppedTableComesBeforeWhoDroppedIt) {
  for (const bool reads : {true, false}) {
    open_with({"a"});
    Player& dropper = player();
    Player& writer = player();
    dropper.get(other_, "x");
    if (reads) writer.get("a");
    writer.put("a");
    writer.put(other_, "x");
    EXPECT_TRUE(writer.commit());
    const Table dropped = table_;
    dropper.call([dropped](Transaction& t, std::string&) { return t.drop_table(dropped); });
    EXPECT_FALSE(dropper.commit());
  }
}

TEST_P(SerializableMarkTest, WhatWasReadBeforeASavepointWasTakenBackIsKnown) {
  Player& a = player();
  Player& b = player();
  b.get(other_, "x");
  a.call([this](Transaction& t, std::string& value) {
    Result<Savepoint> savepoint = t.savepoint();
    if (!savepoint.ok()) return savepoint.status();
    Status status = t.get(table_, "a", value);
    if (status.ok()) status = t.get(table_, "c", value);
    if (status.ok()) status = t.put(table_, "c", "v");
    return status.ok() ? t.rollback_to(*savepoint) : status;
  });
  a.put(other_, "x");
  b.put("a");
  expect_one_fails({&a, &b});
}

// Its pages are free, or of other tables. What can not be looked at would count as replaced, and then it
// would fail: somebody has read what it writes, and what matters is not kept any more.
TEST_F(SerializableExactTest, WhatWasReadInATableThatIsNoMoreIsNotLookedAtAgain) {
  Player& player = SerializableBase::player();
  Transaction& transaction = player.transaction();
  const Savepoint before = *transaction.savepoint();
  const Table made = *transaction.create_table("made");
  for (char c = 'a'; c <= 'z'; ++c) {
    ASSERT_TRUE(transaction.put(made, std::string(1, c), std::string(1000, c)).ok());
  }
  ASSERT_TRUE(transaction.get(made, "b").ok());
  ASSERT_TRUE(transaction.rollback_to(before).ok());
  for (int i = 0; i < 100; ++i) {
    alone([](Player& t) {
      t.get("c");
      t.put("e");
    });
  }
  ASSERT_TRUE(transaction.put(table_, "c", "v").ok());
  EXPECT_TRUE(player.commit()) << player.failure().to_string();
}

// Of many that have ended one time alone is kept (mvcc/status_table.h): it is later than that of the one that
// matters, and than the snapshot of who has read what that one wrote.
TEST_P(SerializableMarkTest, WhoWroteOverWhatWasReadIsMetThoughItsTimeIsNotKnownAnyMore) {
  TransactionOptions to_read(Isolation::serializable_ssi);
  to_read.read_only = true;
  const auto commit_many = [this] {
    for (int i = 0; i < 2 * 4096; ++i) {
      alone([](Player& other) { other.put("z"); });
      players_.pop_back();
    }
  };
  for (const bool reads_before : {true, false}) {
    open_with({"a", "m", "z"});
    Player& pivot = player();
    if (reads_before) {
      EXPECT_EQ(pivot.get("a"), "0");
    }
    commit_many();  // all that has its time with it began later than the pivot, too
    alone([](Player& third) { third.put("a"); });
    alone(
        [](Player& reader) {
          EXPECT_EQ(reader.get("a"), "v");
          EXPECT_EQ(reader.get("m"), "0");
        },
        to_read);
    commit_many();
    if (!reads_before) {
      EXPECT_EQ(pivot.get("a"), "0");
    }
    pivot.put("m");
    EXPECT_FALSE(pivot.commit()) << "read before: " << reads_before;
  }
}

// ---- readers that are forgotten for newer ones ----

// The read-only anomaly, with so many readers after the one that matters that its set is not kept any more.
TEST_P(SerializableMarkTest, AReaderIsKnownWhenItsPlaceHasKeptManySince) {
  TransactionOptions to_read(Isolation::serializable_ssi);
  to_read.read_only = true;
  for (const std::size_t readers : {0U, 1U, 31U, 32U, 33U, 70U}) {
    for (const char* const last : {"", "m", "n"}) {  // what others read last begins there
      open_with({"a", "m", "z"});
      Player& pivot = player();
      EXPECT_EQ(pivot.get("a"), "0");
      alone([](Player& third) { third.put("a"); });
      const auto read_from = [&](const std::string& lo) {
        alone([&](Player& reader) { reader.scan({lo}); }, to_read);
        players_.pop_back();
      };
      read_from("");
      for (std::size_t i = 0; i < readers; ++i) read_from(*last == '\0' || i % 2 == 0 ? last : "n");
      pivot.put("m");
      EXPECT_FALSE(pivot.commit()) << readers << " readers from '" << last << "' on";
    }
  }
}

}  // namespace
}  // namespace isolith::testing

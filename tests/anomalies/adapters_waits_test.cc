// What every embedded store has to do behind the Engine interface when sessions meet, at each of its levels.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/anomalies/adapter_fixture.h"

namespace isolith::anomalies {
namespace {

Act start(const std::string& level) {
  return [=](EngineSession& session) { return session.begin({level, false, false}); };
}
Act get(const std::string& key) {
  return [=](EngineSession& session) {
    std::string value;
    return session.get(0, key, ReadLock::none, value);
  };
}
Act put(const std::string& key, const std::string& value) {
  return [=](EngineSession& session) { return session.put(0, key, value); };
}
Act commit() {
  return [](EngineSession& session) { return session.commit(); };
}
Act abort() {
  return [](EngineSession& session) { return session.abort(); };
}

// Reads a number and writes the next one.
Act increment(const std::string& key) {
  return [=](EngineSession& session) {
    std::string value;
    if (Status status = session.get(0, key, ReadLock::none, value); !status.ok()) return status;
    return session.put(0, key, std::to_string(std::stoi(value) + 1));
  };
}

// WiredTiger looks for conflicts at snapshot alone.
bool allows_dirty_writes(const Engine& engine, const std::string& level) {
  return engine.name() == "wiredtiger" && level != "snapshot";
}

// WiredTiger refuses at once, RocksDB's optimistic transactions when they commit.
bool waits(const Engine& engine) {
  return engine.name() != "wiredtiger" && engine.name() != "rocksdb_optimistic";
}

class AdapterWaitsTest : public EmbeddedTest {};

TEST_P(AdapterWaitsTest, nobody_overwrites_what_is_not_committed) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({{"x", "0"}, {"y", "0"}});
    run({{start(level), put("x", "A"), put("y", "A"), commit()},
         {start(level), put("x", "B"), put("y", "B"), commit()}},
        "A B A B B A A B");
    expect_only_conflicts();
    const std::vector<Row> rows = contents();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].value != rows[1].value, allows_dirty_writes(*engine_, level)) << text_;
    EXPECT_TRUE(committed(0) || committed(1));
  }
}

TEST_P(AdapterWaitsTest, two_writers_of_a_row_end_in_a_wait_or_a_conflict) {
  for (const std::string& level : levels()) {
    if (allows_dirty_writes(*engine_, level)) continue;
    SCOPED_TRACE(level);
    reset({{"x", "0"}});
    run({{start(level), put("x", "A"), commit()}, {start(level), put("x", "B"), commit()}}, "A B A B A B");
    expect_only_conflicts();
    const bool waited = std::any_of(trace_.events.begin(), trace_.events.end(),
                                    [](const Event& event) { return event.kind == EventKind::blocked; });
    EXPECT_TRUE(waited || !committed(0) || !committed(1)) << text_;
    EXPECT_EQ(text_of_contents(), committed(1) ? "x=B" : "x=A") << text_;
  }
}

TEST_P(AdapterWaitsTest, who_is_waited_for_is_known_by_session) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({{"x", "0"}});
    run({{start(level), put("x", "A"), commit()}, {start(level), put("x", "B"), commit()}}, "A B A B A B");
    bool waited = false;
    for (const Event& event : trace_.events) {
      if (event.kind != EventKind::blocked) continue;
      waited = true;
      EXPECT_EQ(event.holder_sessions, std::vector<std::size_t>{1U - event.session}) << text_;
    }
    EXPECT_EQ(waited, waits(*engine_)) << text_;
  }
}

TEST_P(AdapterWaitsTest, a_deadlock_ends_and_somebody_commits) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    for (int round = 0; round < 20; ++round) {
      reset({{"x", "0"}, {"y", "0"}});
      run({{start(level), put("x", "A"), put("y", "A"), commit()},
           {start(level), put("y", "B"), put("x", "B"), commit()}},
          "A B A B A B A B");
      expect_only_conflicts();
      const std::vector<Row> rows = contents();
      ASSERT_EQ(rows.size(), 2U);
      EXPECT_NE(rows[0].value, "0") << text_;
      if (allows_dirty_writes(*engine_, level)) continue;
      EXPECT_EQ(rows[0].value, rows[1].value) << text_;
    }
  }
}

TEST_P(AdapterWaitsTest, the_same_order_gives_the_same_trace) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    std::string first;
    for (int round = 0; round < 30; ++round) {
      reset({{"x", "0"}, {"y", "0"}, {"z", "0"}});
      run({{start(level), put("x", "A"), put("y", "A"), commit()},
           {start(level), put("y", "B"), put("z", "B"), commit()},
           {start(level), put("z", "C"), put("x", "C"), abort()}},
          "A B C A B C A B C A B C");
      std::string outcome = text_ + text_of_contents();
      for (const auto& results : results_) {
        for (const Status& status : results) outcome += '\n' + status.to_string();
      }
      if (round == 0) first = outcome;
      ASSERT_EQ(outcome, first);
    }
  }
}

TEST_P(AdapterWaitsTest, a_wait_that_is_ended_from_outside_ends_the_transaction) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({{"x", "0"}});
    run({{start(level), put("x", "A"), commit()}, {start(level), put("x", "B"), commit()}}, "A B A B B! A B");
    expect_only_conflicts();
    const bool waited = std::any_of(trace_.events.begin(), trace_.events.end(),
                                    [](const Event& event) { return event.kind == EventKind::timed_out; });
    if (!waited) continue;
    EXPECT_TRUE(std::any_of(results_[1].begin(), results_[1].end(), [](const Status& status) {
      return status.reason() == ConflictReason::lock_timeout;
    })) << text_;
    EXPECT_EQ(text_of_contents(), "x=A");
  }
}

// Every one of the 70 orders of two that count.
TEST_P(AdapterWaitsTest, no_increment_is_lost_at_levels_that_claim_to_stop_that) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    const bool stops_it = level == "serializable" || level == "immediate" || level == "snapshot" ||
                          level == "optimistic_snapshot";
    std::size_t lost = 0;
    std::string order = "AAAABBBB";
    do {
      std::string spaced;
      for (const char session : order) spaced.append({session, ' '});
      reset({{"x", "0"}});
      run({{start(level), get("x"), increment("x"), commit()},
           {start(level), get("x"), increment("x"), commit()}},
          spaced);
      expect_only_conflicts();
      const int expected = static_cast<int>(committed(0)) + static_cast<int>(committed(1));
      EXPECT_GE(expected, 1) << text_;
      lost += contents().front().value == std::to_string(expected) ? 0 : 1;
    } while (std::next_permutation(order.begin(), order.end()));
    if (stops_it) {
      EXPECT_EQ(lost, 0U);
    }
  }
}

// ---- what only one of them does ----

// As with a busy timeout: SQLite calls no busy handler once the transaction has read.
TEST_F(AdapterFixture, a_sqlite_transaction_that_has_read_does_not_wait_to_write) {
  open("sqlite");
  if (engine_ == nullptr) return;
  reset({{"x", "0"}});
  const std::string level = "serializable";
  run({{start(level), put("x", "A"), commit()}, {start(level), get("x"), put("x", "B"), commit()}},
      "A B B A B A B");
  EXPECT_EQ(results_[1][2].reason(), ConflictReason::write_conflict) << text_;
  EXPECT_EQ(text_.find("blocked"), std::string::npos) << text_;
  run({{start(level), put("x", "A"), commit()}, {start(level), put("x", "B"), commit()}}, "A B A B A B");
  EXPECT_NE(text_.find("B2 blocked: waits for A"), std::string::npos) << text_;
  EXPECT_EQ(text_of_contents(), "x=B");
}

// Locks are of pages: rows that are neighbours are locked together.
TEST_F(AdapterFixture, a_berkeley_db_writer_keeps_others_from_its_neighbours) {
  open("berkeleydb");
  if (engine_ == nullptr) return;
  reset({{"x", "0"}, {"y", "0"}});
  run({{start("serializable"), put("x", "A"), commit()}, {start("serializable"), put("y", "B"), commit()}},
      "A B A B A B");
  EXPECT_NE(text_.find("B2 blocked: waits for A"), std::string::npos) << text_;
  EXPECT_EQ(text_of_contents(), "x=A, y=B");
}

INSTANTIATE_TEST_SUITE_P(embedded, AdapterWaitsTest, ::testing::ValuesIn(kEmbedded),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace isolith::anomalies

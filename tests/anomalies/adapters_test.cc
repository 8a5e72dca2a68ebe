// What every embedded store has to do behind the Engine interface, at each of its levels. A store that is not
// in this build is skipped.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "anomalies/adapters/adapters.h"
#include "anomalies/runner.h"
#include "tests/support/seed.h"
#include "tests/support/temporary_directory.h"

namespace isolith::anomalies {
namespace {

using Act = std::function<Status(EngineSession&)>;

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

bool is_built(std::string_view name) {
  const std::vector<Adapter> adapters = built_adapters();
  return std::any_of(adapters.begin(), adapters.end(),
                     [name](const Adapter& one) { return one.name == name; });
}

// WiredTiger looks for conflicts at snapshot alone.
bool allows_dirty_writes(const Engine& engine, const std::string& level) {
  return engine.name() == "wiredtiger" && level != "snapshot";
}

// WiredTiger refuses at once, RocksDB's optimistic transactions when they commit.
bool waits(const Engine& engine) {
  return engine.name() != "wiredtiger" && engine.name() != "rocksdb_optimistic";
}

class AdapterFixture : public ::testing::Test {
 protected:
  void open(std::string_view name) {
    if (!is_built(name)) GTEST_SKIP() << "the adapter " << name << " is not in this build";
    Result<std::unique_ptr<Engine>> opened = open_adapter(name, directory_.path(), runner_);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    engine_ = *std::move(opened);
  }

  void reset(const std::vector<Row>& rows) {
    const Status status = engine_->reset({{"rows", rows}});
    ASSERT_TRUE(status.ok()) << status.to_string();
  }

  std::vector<Row> contents(std::uint32_t table = 0) {
    std::vector<Row> rows;
    const Status status = engine_->contents(table, rows);
    EXPECT_TRUE(status.ok()) << status.to_string();
    return rows;
  }

  std::string text_of_contents() { return to_text(contents()); }

  std::unique_ptr<EngineSession> session() {
    Result<std::unique_ptr<EngineSession>> opened = engine_->open_session();
    EXPECT_TRUE(opened.ok()) << opened.status().to_string();
    return *std::move(opened);
  }

  // Runs sessions A, B, ... and keeps what each act returned in `results_`.
  void run(const std::vector<std::vector<Act>>& scripts, const std::string& order) {
    Program program;
    std::vector<std::unique_ptr<EngineSession>> sessions;
    results_.assign(scripts.size(), {});
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      sessions.push_back(session());
      program.sessions.push_back({std::string(1, static_cast<char>('A' + i)), {}});
      for (const Act& act : scripts[i]) {
        program.sessions[i].steps.push_back([&, i] { results_[i].push_back(act(*sessions[i])); });
      }
    }
    program.transaction_of = [&](std::size_t i) { return sessions[i]->transaction_id(); };
    const Result<Schedule> schedule = parse_schedule(order, program);
    ASSERT_TRUE(schedule.ok()) << schedule.status().to_string();
    const Status status = runner_.run(program, *schedule, trace_);
    ASSERT_TRUE(status.ok()) << status.to_string();
    text_ = to_string(trace_, program);
    EXPECT_FALSE(trace_.stuck) << text_;
    for (const auto& one : sessions) EXPECT_EQ(one->transaction_id(), 0U) << text_;
  }

  // Each status is ok, a conflict, or that of an act after one.
  void expect_only_conflicts() {
    for (const std::vector<Status>& results : results_) {
      bool is_over = false;
      for (const Status& status : results) {
        const StatusCode wanted = is_over ? StatusCode::aborted : StatusCode::conflict;
        EXPECT_TRUE((status.ok() && !is_over) || status.is(wanted)) << status.to_string() << '\n' << text_;
        is_over = is_over || status.is(StatusCode::conflict);
      }
    }
  }

  [[nodiscard]] bool committed(std::size_t session) const { return results_[session].back().ok(); }

  [[nodiscard]] std::vector<std::string> levels() const {
    std::vector<std::string> names;
    for (const EngineLevel& level : engine_->levels()) names.push_back(level.name);
    return names;
  }

  testing::TemporaryDirectory directory_;
  Runner runner_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::vector<Status>> results_;
  Trace trace_;
  std::string text_;  // of the trace
};

class AdapterTest : public AdapterFixture, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { open(GetParam()); }
};

TEST_P(AdapterTest, says_who_it_is_and_what_its_levels_claim) {
  EXPECT_EQ(engine_->name(), GetParam());
  EXPECT_NE(engine_->version().find('.'), std::string_view::npos);
  ASSERT_FALSE(engine_->levels().empty());
  for (const EngineLevel& level : engine_->levels()) {
    EXPECT_FALSE(level.claim.empty());
    EXPECT_EQ(level.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << level.name;
  }
}

TEST_P(AdapterTest, a_transaction_reads_what_it_wrote_and_leaves_it_when_it_commits) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({{"a", "1"}, {"b", "2"}, {"c", "3"}});
    const auto one = session();
    std::string value;
    ASSERT_TRUE(one->begin({level}).ok());
    EXPECT_NE(one->transaction_id(), 0U);
    EXPECT_TRUE(one->get(0, "a", ReadLock::none, value).ok());
    EXPECT_EQ(value, "1");
    EXPECT_TRUE(one->get(0, "missing", ReadLock::none, value).is(StatusCode::not_found));
    EXPECT_TRUE(one->put(0, "a", "10").ok());
    EXPECT_TRUE(one->put(0, "d", "4").ok());
    EXPECT_TRUE(one->insert(0, "b", "no").is(StatusCode::already_exists));
    EXPECT_TRUE(one->insert(0, "e", "5").ok());
    EXPECT_TRUE(one->erase(0, "c").ok());
    EXPECT_TRUE(one->erase(0, "c").is(StatusCode::not_found));
    EXPECT_TRUE(one->get(0, "a", ReadLock::none, value).ok());
    EXPECT_EQ(value, "10");
    EXPECT_TRUE(one->get(0, "c", ReadLock::none, value).is(StatusCode::not_found));
    std::vector<Row> rows;
    EXPECT_TRUE(one->scan({0, true, "b", "e"}, rows).ok());
    EXPECT_EQ(to_text(rows), "b=2, d=4");
    EXPECT_TRUE(one->scan({0, true, "", std::nullopt}, rows).ok());
    EXPECT_EQ(to_text(rows), "a=10, b=2, d=4, e=5");
    EXPECT_TRUE(one->commit().ok());
    EXPECT_EQ(one->transaction_id(), 0U);
    EXPECT_EQ(text_of_contents(), "a=10, b=2, d=4, e=5");
  }
}

TEST_P(AdapterTest, an_abort_and_a_session_that_ends_leave_nothing) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({{"a", "1"}, {"b", "2"}});
    const auto one = session();
    ASSERT_TRUE(one->begin({level}).ok());
    EXPECT_TRUE(one->put(0, "a", "10").ok());
    EXPECT_TRUE(one->erase(0, "b").ok());
    EXPECT_TRUE(one->insert(0, "c", "3").ok());
    EXPECT_TRUE(one->abort().ok());
    EXPECT_EQ(text_of_contents(), "a=1, b=2");
    {
      const auto another = session();
      ASSERT_TRUE(another->begin({level}).ok());
      EXPECT_TRUE(another->put(0, "a", "11").ok());
    }
    EXPECT_EQ(text_of_contents(), "a=1, b=2");
    ASSERT_TRUE(one->begin({level}).ok());
    EXPECT_TRUE(one->put(0, "a", "12").ok());
    EXPECT_TRUE(one->commit().ok());
    EXPECT_EQ(text_of_contents(), "a=12, b=2");
  }
}

TEST_P(AdapterTest, keys_and_values_are_any_bytes_in_the_order_of_bytes) {
  using namespace std::string_literals;
  const std::vector<std::string> keys = {"\0"s, "\0\0"s, "a"s, "a\0b"s, "ab"s, "\x7f"s, "\x80"s, "\xff\xff"s};
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({});
    const auto one = session();
    ASSERT_TRUE(one->begin({level}).ok());
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
      ASSERT_TRUE(one->put(0, *key, "v\0"s + *key).ok());
    }
    ASSERT_TRUE(one->put(0, "a", "").ok());
    std::string value = "old";
    EXPECT_TRUE(one->get(0, "a", ReadLock::none, value).ok());
    EXPECT_EQ(value, "");
    ASSERT_TRUE(one->commit().ok());
    const std::vector<Row> rows = contents();
    ASSERT_EQ(rows.size(), keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      EXPECT_EQ(rows[i].key, keys[i]);
      EXPECT_EQ(rows[i].value, keys[i] == "a" ? "" : "v\0"s + keys[i]);
    }
  }
}

TEST_P(AdapterTest, a_range_is_from_its_first_key_on_and_ends_before_its_last) {
  struct Case {
    Target target;
    std::string_view rows;
  };
  const std::vector<Case> cases = {
      {{0, true, "", std::nullopt}, "b=1, d=2, f=3"},
      {{0, true, "c", std::nullopt}, "d=2, f=3"},
      {{0, true, "d", std::nullopt}, "d=2, f=3"},
      {{0, true, "e", std::nullopt}, "f=3"},
      {{0, true, "g", std::nullopt}, ""},
      {{0, true, "", "d"}, "b=1"},
      {{0, true, "b", "e"}, "b=1, d=2"},
      {{0, true, "c", "c"}, ""},
      {{0, true, "c", "d"}, ""},
      {{0, false, "d", std::nullopt}, "d=2"},
      {{0, false, "c", std::nullopt}, ""},
  };
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    ASSERT_TRUE(
        engine_->reset({{"rows", {{"b", "1"}, {"d", "2"}, {"f", "3"}}}, {"next", {{"a", "no"}}}}).ok());
    const auto one = session();
    ASSERT_TRUE(one->begin({level}).ok());
    for (const auto& [target, expected] : cases) {
      std::vector<Row> rows;
      EXPECT_TRUE(one->scan(target, rows).ok());
      EXPECT_EQ(to_text(rows), expected) << target.lo;
    }
    EXPECT_TRUE(one->commit().ok());
  }
}

TEST_P(AdapterTest, tables_are_apart) {
  const std::vector<TableContents> tables = {{"left", {{"k", "1"}}}, {"right", {{"k", "2"}, {"l", "3"}}}};
  ASSERT_TRUE(engine_->reset(tables).ok());
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    ASSERT_TRUE(engine_->reset(tables).ok());
    const auto one = session();
    ASSERT_TRUE(one->begin({level}).ok());
    EXPECT_TRUE(one->put(1, "k", "20").ok());
    std::vector<Row> rows;
    EXPECT_TRUE(one->scan({0, true, "", std::nullopt}, rows).ok());
    EXPECT_EQ(to_text(rows), "k=1");
    EXPECT_TRUE(one->commit().ok());
    EXPECT_EQ(to_text(contents(0)), "k=1");
    EXPECT_EQ(to_text(contents(1)), "k=20, l=3");
  }
}

TEST_P(AdapterTest, a_savepoint_undoes_what_came_after_it_or_is_said_not_to_be_there) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({{"a", "1"}, {"b", "2"}});
    const auto one = session();
    ASSERT_TRUE(one->begin({level}).ok());
    EXPECT_TRUE(one->put(0, "a", "10").ok());
    const Status made = one->savepoint(0);
    if (made.is(StatusCode::invalid_argument)) {
      EXPECT_NE(made.message().find("savepoint"), std::string_view::npos);
      EXPECT_TRUE(one->abort().ok());
      continue;
    }
    ASSERT_TRUE(made.ok()) << made.to_string();
    EXPECT_TRUE(one->put(0, "a", "11").ok());
    EXPECT_TRUE(one->savepoint(1).ok());
    EXPECT_TRUE(one->erase(0, "b").ok());
    EXPECT_TRUE(one->rollback_to(1).ok());
    EXPECT_TRUE(one->put(0, "c", "3").ok());
    EXPECT_TRUE(one->rollback_to(0).ok());
    EXPECT_TRUE(one->rollback_to(1).is(StatusCode::invalid_argument));
    EXPECT_TRUE(one->put(0, "d", "4").ok());
    EXPECT_TRUE(one->rollback_to(0).ok());
    EXPECT_TRUE(one->put(0, "e", "5").ok());
    EXPECT_TRUE(one->commit().ok());
    EXPECT_EQ(text_of_contents(), "a=10, b=2, e=5");
  }
}

TEST_P(AdapterTest, a_read_only_transaction_reads_and_refuses_to_write) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({{"a", "1"}});
    const auto one = session();
    std::string value;
    ASSERT_TRUE(one->begin({level, true}).ok());
    EXPECT_TRUE(one->get(0, "a", ReadLock::none, value).ok());
    EXPECT_EQ(value, "1");
    EXPECT_TRUE(one->put(0, "a", "2").is(StatusCode::read_only));
    EXPECT_TRUE(one->insert(0, "b", "2").is(StatusCode::read_only));
    EXPECT_TRUE(one->erase(0, "a").is(StatusCode::read_only));
    EXPECT_TRUE(one->commit().ok());
    EXPECT_EQ(text_of_contents(), "a=1");
  }
}

TEST_P(AdapterTest, a_locking_read_gives_the_row_or_says_that_there_is_none_such) {
  for (const std::string& level : levels()) {
    for (const ReadLock lock : {ReadLock::share, ReadLock::update}) {
      SCOPED_TRACE(level);
      reset({{"a", "1"}});
      const auto one = session();
      ASSERT_TRUE(one->begin({level}).ok());
      std::string value;
      const Status status = one->get(0, "a", lock, value);
      if (status.ok()) {
        EXPECT_EQ(value, "1");
        EXPECT_TRUE(one->get(0, "b", lock, value).is(StatusCode::not_found));
      } else {
        EXPECT_TRUE(status.is(StatusCode::invalid_argument)) << status.to_string();
        EXPECT_FALSE(status.message().empty());
      }
      EXPECT_TRUE(one->put(0, "a", "2").ok());
      EXPECT_TRUE(one->commit().ok());
    }
  }
}

TEST_P(AdapterTest, what_it_does_not_offer_is_said_and_begins_nothing) {
  reset({});
  const auto one = session();
  EXPECT_TRUE(one->begin({"no_such_level"}).is(StatusCode::invalid_argument));
  EXPECT_TRUE(one->begin({levels().front(), false, true}).is(StatusCode::invalid_argument));
  EXPECT_EQ(one->transaction_id(), 0U);
  EXPECT_TRUE(one->put(0, "a", "1").is(StatusCode::aborted));
  EXPECT_TRUE(one->commit().is(StatusCode::aborted));
  EXPECT_TRUE(one->abort().is(StatusCode::aborted));
  ASSERT_TRUE(one->begin({levels().front()}).ok());
  EXPECT_TRUE(one->begin({levels().front()}).is(StatusCode::invalid_argument));
  EXPECT_TRUE(one->rollback_to(0).is(StatusCode::invalid_argument));
}

TEST_P(AdapterTest, reset_makes_the_rows_be_exactly_these_however_often) {
  const std::uint64_t seed = testing::test_seed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<TableContents> tables(1 + random() % 3);
    for (std::size_t i = 0; i < tables.size(); ++i) {
      tables[i].name = "table_" + std::to_string(i);
      std::map<std::string, std::string> rows;
      for (std::uint64_t n = random() % 8; n > 0; --n) {
        rows["key_" + std::to_string(random() % 12)] = std::to_string(random() % 3);
      }
      for (const auto& [key, value] : rows) tables[i].rows.push_back({key, value});
    }
    ASSERT_TRUE(engine_->reset(tables).ok());
    for (std::uint32_t i = 0; i < tables.size(); ++i)
      ASSERT_EQ(to_text(contents(i)), to_text(tables[i].rows));
  }
}

TEST_P(AdapterTest, what_was_left_in_the_directory_is_taken_over) {
  reset({{"a", "1"}});
  engine_.reset();
  open(GetParam());
  reset({{"b", "2"}});
  EXPECT_EQ(text_of_contents(), "b=2");
}

// ---- two and more ----

TEST_P(AdapterTest, nobody_overwrites_what_is_not_committed) {
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

TEST_P(AdapterTest, two_writers_of_a_row_end_in_a_wait_or_a_conflict) {
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

TEST_P(AdapterTest, who_is_waited_for_is_known_by_session) {
  for (const std::string& level : levels()) {
    SCOPED_TRACE(level);
    reset({{"x", "0"}});
    run({{start(level), put("x", "A"), commit()}, {start(level), put("x", "B"), commit()}}, "A B A B A B");
    bool waited = false;
    for (const Event& event : trace_.events) {
      if (event.kind != EventKind::blocked) continue;
      waited = true;
      EXPECT_EQ(event.holder_session, 1U - event.session) << text_;
    }
    EXPECT_EQ(waited, waits(*engine_)) << text_;
  }
}

TEST_P(AdapterTest, a_deadlock_ends_and_somebody_commits) {
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

TEST_P(AdapterTest, the_same_order_gives_the_same_trace) {
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

TEST_P(AdapterTest, a_wait_that_is_ended_from_outside_ends_the_transaction) {
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
TEST_P(AdapterTest, no_increment_is_lost_at_levels_that_claim_to_stop_that) {
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

// ---- what is broken ----

TEST_P(AdapterTest, a_directory_that_is_none_is_said_to_be_none) {
  const Result<std::unique_ptr<Engine>> missing =
      open_adapter(GetParam(), directory_.path() + "/no", runner_);
  ASSERT_FALSE(missing.ok());
  EXPECT_TRUE(missing.status().is(StatusCode::io_error)) << missing.status().to_string();
  EXPECT_NE(missing.status().message().find(directory_.path()), std::string_view::npos);

  std::ofstream(directory_.path() + "/file") << "not a directory";
  EXPECT_FALSE(open_adapter(GetParam(), directory_.path() + "/file", runner_).ok());
}

TEST_P(AdapterTest, files_of_something_else_are_refused) {
  reset({{"a", "1"}});
  engine_.reset();
  bool changed = false;
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory_.path())) {
    if (!file.is_regular_file() || file.path().filename().string().starts_with("WiredTiger.basecfg"))
      continue;
    std::ofstream(file.path(), std::ios::trunc) << std::string(64 * 1024, '#');
    changed = true;
  }
  if (!changed) GTEST_SKIP() << GetParam() << " keeps no files";
  const Result<std::unique_ptr<Engine>> opened = open_adapter(GetParam(), directory_.path(), runner_);
  ASSERT_FALSE(opened.ok());
  EXPECT_TRUE(opened.status().is(StatusCode::io_error));
  EXPECT_NE(opened.status().message().find(directory_.path()), std::string_view::npos)
      << opened.status().to_string();
}

INSTANTIATE_TEST_SUITE_P(embedded, AdapterTest,
                         ::testing::Values("sqlite", "lmdb", "rocksdb", "rocksdb_optimistic", "wiredtiger",
                                           "berkeleydb"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(Adapters, one_that_is_not_known_is_refused_with_those_that_are) {
  Runner runner;
  const Result<std::unique_ptr<Engine>> opened = open_adapter("oracle", "/", runner);
  ASSERT_FALSE(opened.ok());
  EXPECT_TRUE(opened.status().is(StatusCode::invalid_argument));
  EXPECT_NE(opened.status().message().find("'oracle'"), std::string_view::npos);
  for (const Adapter& adapter : built_adapters()) {
    EXPECT_NE(opened.status().message().find(adapter.name), std::string_view::npos);
  }
}

}  // namespace
}  // namespace isolith::anomalies

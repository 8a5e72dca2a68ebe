// Sessions on a database in memory, in the order of a schedule, in both kinds of threads.
#include "anomalies/runner.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "isolith/isolith.h"
#include "tests/support/seed.h"

namespace isolith::anomalies {
namespace {

// Of the first transaction that writes: making the table was another.
constexpr std::uint64_t kFirstId = 2;

class RunnerTest : public ::testing::TestWithParam<Threads> {
 protected:
  RunnerTest() : runner_(GetParam()) {
    Options options;
    options.cache_bytes = std::size_t{4} << 20;
    options.default_isolation = Isolation::read_committed;
    options.wait_hook = &runner_;
    database_.emplace(*Database::open_in_memory(options));
    table_ = *database_->ensure_table("t");
    program_.transaction_of = [this](std::size_t session) {
      return transactions_[session] ? transactions_[session]->id() : 0;
    };
  }

  void TearDown() override { transactions_.clear(); }

  std::size_t add_session(const std::string& name) {
    program_.sessions.push_back({name, {}});
    transactions_.emplace_back();
    statuses_.emplace_back();
    return program_.sessions.size() - 1;
  }
  void add(std::size_t session, std::function<Status(Transaction&)> call) {
    program_.sessions[session].steps.emplace_back([this, session, call = std::move(call)] {
      if (!transactions_[session]) transactions_[session].emplace(*database_->begin());
      statuses_[session].push_back(call(*transactions_[session]).to_string().substr(0, 21));
    });
  }
  void put(std::size_t session, const std::string& key, const std::string& value = "v") {
    add(session,
        [this, key, value](Transaction& transaction) { return transaction.put(table_, key, value); });
  }
  void get_for_share(std::size_t session, const std::string& key) {
    add(session,
        [this, key](Transaction& transaction) { return transaction.get_for_share(table_, key).status(); });
  }
  void commit(std::size_t session) {
    add(session, [this, session](Transaction& transaction) {
      const Status status = transaction.commit();
      transactions_[session].reset();
      return status;
    });
  }

  // The trace, or the error.
  std::string run(const std::string& text) {
    const Result<Schedule> schedule = parse_schedule(text, program_);
    if (!schedule.ok()) return schedule.status().to_string();
    forget();
    if (const Status status = runner_.run(program_, *schedule, trace_); !status.ok())
      return status.to_string();
    return to_string(trace_, program_);
  }
  std::string run(std::uint64_t seed) {
    forget();
    EXPECT_TRUE(runner_.run(program_, seed, trace_).ok());
    return to_string(trace_, program_);
  }
  void forget() {
    for (auto& transaction : transactions_) transaction.reset();
    for (auto& statuses : statuses_) statuses.clear();
  }
  std::string get(const std::string& key) { return database_->begin()->get(table_, key).value_or("(none)"); }

  Runner runner_;
  std::optional<Database> database_;
  Table table_;
  Program program_;
  std::vector<std::optional<Transaction>> transactions_;
  std::vector<std::vector<std::string>> statuses_;
  Trace trace_;
};

INSTANTIATE_TEST_SUITE_P(Threads, RunnerTest, ::testing::Values(Threads::shared, Threads::per_session),
                         [](const auto& parameter) {
                           return parameter.param == Threads::shared ? "Shared" : "PerSession";
                         });

TEST_P(RunnerTest, TheSecondWriterOfAKeyBlocksAtOnceAndGoesOnAfterTheFirstHasCommitted) {
  const std::size_t a = add_session("A"), b = add_session("B");
  put(a, "k", "a");
  commit(a);
  put(b, "k", "b");
  commit(b);
  EXPECT_EQ(run("A1 B1 A2 B2"),
            "A1 done\n"
            "B1 blocked: waits for A at t/k\n"
            "A2 done\n"
            "B1 resumed\n"
            "B1 done\n"
            "B2 done\n");
  EXPECT_EQ(get("k"), "b");
  EXPECT_FALSE(trace_.stuck);
  EXPECT_EQ(trace_.events[1].waiter, trace_.events[1].holder + 1);
}

TEST_P(RunnerTest, StepsRunInTheOrderOfTheScheduleAndOneAtATime) {
  std::string order;
  for (const char* name : {"A", "B", "C"}) {
    const std::size_t session = add_session(name);
    for (int i = 0; i < 3; ++i)
      program_.sessions[session].steps.emplace_back([&order, name] { order += name; });
  }
  run("C B A A B C A C B");
  EXPECT_EQ(order, "CBAABCACB");
  order.clear();
  run("A A A B B B C C C");
  EXPECT_EQ(order, "AAABBBCCC");
}

TEST_P(RunnerTest, StepsNamedWhileTheirSessionIsBlockedFollowAsSoonAsItIsFree) {
  const std::size_t a = add_session("A"), b = add_session("B"), c = add_session("C");
  put(a, "k");
  commit(a);
  put(b, "k");
  put(b, "l");
  commit(b);
  put(c, "m");
  EXPECT_EQ(run("A1 B1 B2 B3 A2 C1"),
            "A1 done\n"
            "B1 blocked: waits for A at t/k\n"
            "B2 deferred\n"
            "B3 deferred\n"
            "A2 done\n"
            "B1 resumed\n"
            "B1 done\n"
            "B2 done\n"
            "B3 done\n"
            "C1 done\n");
}

TEST_P(RunnerTest, DeadlocksAreFoundByWhoeverWouldCloseTheCircle) {
  const std::size_t a = add_session("A"), b = add_session("B");
  put(a, "k");
  put(a, "l");
  commit(a);
  put(b, "l");
  put(b, "k");
  commit(b);
  EXPECT_EQ(run("A1 B1 A2 B2 A3 B3"),
            "A1 done\n"
            "B1 done\n"
            "A2 blocked: waits for B at t/l\n"
            "B2 done\n"
            "A2 resumed\n"
            "A2 done\n"
            "A3 done\n"
            "B3 done\n");
  EXPECT_EQ(statuses_[b][1], "conflict/deadlock: T3");
  EXPECT_EQ(statuses_[a], (std::vector<std::string>{"ok", "ok", "ok"}));
}

TEST_P(RunnerTest, AChainOfThreeWaitsEndsLinkByLink) {
  const std::size_t a = add_session("A"), b = add_session("B"), c = add_session("C"), d = add_session("D");
  put(a, "k");
  commit(a);
  put(b, "l");
  put(b, "k");
  commit(b);
  put(c, "m");
  put(c, "l");
  commit(c);
  put(d, "m");
  commit(d);
  EXPECT_EQ(run("A1 B1 C1 D1 C2 B2 A2 B3 C3 D2"),
            "A1 done\n"
            "B1 done\n"
            "C1 done\n"
            "D1 blocked: waits for C at t/m\n"
            "C2 blocked: waits for B at t/l\n"
            "B2 blocked: waits for A at t/k\n"
            "A2 done\n"
            "B2 resumed\n"
            "B2 done\n"
            "B3 done\n"
            "C2 resumed\n"
            "C2 done\n"
            "C3 done\n"
            "D1 resumed\n"
            "D1 done\n"
            "D2 done\n");
}

TEST_P(RunnerTest, WhoWaitsForSeveralIsSaidToWaitForAllOfThem) {
  const std::size_t a = add_session("A"), b = add_session("B"), c = add_session("C");
  get_for_share(a, "k");
  commit(a);
  get_for_share(b, "k");
  commit(b);
  put(c, "k");
  commit(c);
  // In the order of the sessions, whoever was first.
  for (const std::string begin : {"A1 B1", "B1 A1"}) {
    const std::string trace = run(begin + " C1 B2 A2 C2");
    EXPECT_NE(trace.find("C1 blocked: waits for A and B at t/k\n"
                         "B2 done\n"
                         "A2 done\n"
                         "C1 resumed\n"),
              std::string::npos)
        << trace;
  }
  EXPECT_EQ(trace_.events[2].holder_sessions, (std::vector<std::size_t>{a, b}));
}

TEST_P(RunnerTest, WhoStandsInLineWaitsForThoseBeforeHim) {
  const std::size_t a = add_session("A"), b = add_session("B"), c = add_session("C");
  put(a, "k", "a");
  commit(a);
  put(b, "k", "b");
  commit(b);
  put(c, "k", "c");
  commit(c);
  EXPECT_EQ(run("B1 C1 A1 B2 C2 A2"),
            "B1 done\n"
            "C1 blocked: waits for B at t/k\n"
            "A1 blocked: waits for B and C at t/k\n"
            "B2 done\n"
            "C1 resumed\n"
            "C1 done\n"
            "C2 done\n"
            "A1 resumed\n"
            "A1 done\n"
            "A2 done\n");
  EXPECT_EQ(get("k"), "a");
}

TEST_P(RunnerTest, OfSeveralThatAreWokenTheFirstSessionGoesOnFirst) {
  const std::size_t a = add_session("A"), b = add_session("B"), c = add_session("C");
  get_for_share(a, "k");
  commit(a);
  put(b, "k", "b");
  commit(b);
  get_for_share(c, "k");
  commit(c);
  EXPECT_EQ(run("B1 C1 A1 B2 C2 A2"),
            "B1 done\n"
            "C1 blocked: waits for B at t/k\n"
            "A1 blocked: waits for B at t/k\n"
            "B2 done\n"
            "A1 resumed\n"
            "A1 done\n"
            "C1 resumed\n"
            "C1 done\n"
            "C2 done\n"
            "A2 done\n");
}

TEST_P(RunnerTest, AScheduleCanEndAWait) {
  const std::size_t a = add_session("A"), b = add_session("B");
  put(a, "k", "a");
  commit(a);
  put(b, "k", "b");
  commit(b);
  EXPECT_EQ(run("A1 A! B1 B! A2 B2"),
            "A1 done\n"
            "A is not blocked\n"
            "B1 blocked: waits for A at t/k\n"
            "B1 timed out\n"
            "B1 done\n"
            "A2 done\n"
            "B2 done\n");
  EXPECT_EQ(statuses_[b][0], "conflict/lock_timeout");
  EXPECT_FALSE(trace_.stuck);
  EXPECT_EQ(get("k"), "a");
}

TEST_P(RunnerTest, ARunWhereNobodyCanGoOnSaysSoAndEnds) {
  Transaction outside = *database_->begin();
  ASSERT_TRUE(outside.put(table_, "k", "outside").ok());
  ASSERT_EQ(outside.id(), kFirstId);
  const std::size_t a = add_session("A"), b = add_session("B"), c = add_session("C");
  put(a, "k");
  commit(a);
  put(b, "k");
  commit(b);
  put(c, "l");
  EXPECT_EQ(run("A1 B1 B2 A2 C1"),
            "A1 blocked: waits for T2 at t/k\n"
            "B1 blocked: waits for A at t/k\n"
            "B2 deferred\n"
            "A2 deferred\n"
            "C1 done\n"
            "A1 stuck: waits for T2 at t/k\n"
            "A1 timed out\n"
            "A1 done\n"
            "B1 resumed\n"
            "B1 blocked: waits for T2 at t/k\n"
            "A2 done\n"
            "B1 stuck: waits for T2 at t/k\n"
            "B1 timed out\n"
            "B1 done\n"
            "B2 done\n");
  EXPECT_TRUE(trace_.stuck);
  ASSERT_TRUE(outside.commit().ok());
  run("A1 B1 A2 B2 C1");
  EXPECT_FALSE(trace_.stuck);
}

TEST_P(RunnerTest, AnEndedWaitThatFreesAnotherIsFollowedByIt) {
  Transaction outside = *database_->begin();
  ASSERT_TRUE(outside.put(table_, "k", "outside").ok());
  ASSERT_EQ(outside.id(), kFirstId);
  const std::size_t a = add_session("A"), b = add_session("B");
  put(a, "l");
  put(a, "k");
  put(b, "l");
  commit(b);
  // The timeout aborts A, which is what B waits for.
  EXPECT_EQ(run("A1 B1 A2 B2"),
            "A1 done\n"
            "B1 blocked: waits for A at t/l\n"
            "A2 blocked: waits for T2 at t/k\n"
            "B2 deferred\n"
            "A2 stuck: waits for T2 at t/k\n"
            "A2 timed out\n"
            "A2 done\n"
            "B1 resumed\n"
            "B1 done\n"
            "B2 done\n");
}

TEST_P(RunnerTest, AScheduleRunAThousandTimesGivesTheSameTrace) {
  const std::size_t a = add_session("A"), b = add_session("B"), c = add_session("C");
  for (const std::size_t session : {a, b, c}) {
    put(session, session == b ? "k" : "l");
    put(session, session == b ? "l" : "k");
    commit(session);
  }
  const std::string first = run("A1 B1 C1 A2 B2 C2 A3 B3 C3");
  EXPECT_NE(first.find("blocked"), std::string::npos);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(run("A1 B1 C1 A2 B2 C2 A3 B3 C3"), first);
}

TEST_P(RunnerTest, WhatWasDrawnIsRunAgainFromItsText) {
  for (const char* name : {"A", "B", "C", "D"}) {
    const std::size_t session = add_session(name);
    for (int i = 0; i < 3; ++i)
      put(session,
          std::string(1, static_cast<char>('k' + (session * 5 + static_cast<std::size_t>(i) * 3) % 4)));
    commit(session);
  }
  std::set<std::string> schedules;
  bool blocked = false;
  const std::uint64_t seed = testing::test_seed();
  for (std::uint64_t i = 0; i < 200; ++i) {
    const std::string drawn = run(seed + i);
    const std::string text = to_string(trace_.schedule, program_);
    schedules.insert(text);
    blocked = blocked || drawn.find("blocked") != std::string::npos;
    ASSERT_EQ(run(seed + i), drawn);
    ASSERT_EQ(run(text), drawn) << text;
    // The memory of the run may be its own schedule's.
    forget();
    ASSERT_TRUE(runner_.run(program_, trace_.schedule, trace_).ok());
    ASSERT_EQ(to_string(trace_, program_), drawn);
  }
  EXPECT_GT(schedules.size(), 150U);
  EXPECT_TRUE(blocked);
}

TEST_P(RunnerTest, ManySessionsWaitForOneAndGoOnInTheirOrder) {
  constexpr std::size_t kSessions = 16;
  std::string schedule, expected_order;
  for (std::size_t i = 0; i < kSessions; ++i) {
    const std::size_t session = add_session("S" + std::to_string(i));
    put(session, "k", std::to_string(i));
    commit(session);
    schedule += "S" + std::to_string(i) + ".1 ";
  }
  std::string order;
  program_.on_event = [&](const Event& event) {
    if (event.kind == EventKind::done && event.step == 1) order += std::to_string(event.session) + " ";
  };
  for (std::size_t i = 0; i < kSessions; ++i) {
    schedule += "S" + std::to_string(i) + ".2 ";
    expected_order += std::to_string(i) + " ";
  }
  for (int i = 0; i < 50; ++i) {
    order.clear();
    run(schedule);
    ASSERT_EQ(order, expected_order);
    ASSERT_EQ(get("k"), "15");
    ASSERT_FALSE(trace_.stuck);
  }
}

TEST_P(RunnerTest, EventsAreToldWhenTheyHappen) {
  const std::size_t a = add_session("A"), b = add_session("B");
  put(a, "k");
  commit(a);
  put(b, "k");
  std::string told;
  program_.on_event = [&](const Event& event) {
    told += to_string(event, program_) + "; ";
    if (event.kind == EventKind::blocked) {
      EXPECT_TRUE(runner_.is_blocked(b));
      EXPECT_FALSE(runner_.is_blocked(a));
      EXPECT_EQ(runner_.blocked_count(), 1U);
      // Reading waits for nobody.
      EXPECT_EQ(get("k"), "(none)");
    }
  };
  run("A1 B1 A2");
  EXPECT_EQ(told, "A1 done; B1 blocked: waits for A at t/k; A2 done; B1 resumed; B1 done; ");
  EXPECT_EQ(runner_.blocked_count(), 0U);
}

TEST_P(RunnerTest, WithoutACallbackTheTraceNamesTransactions) {
  program_.transaction_of = nullptr;
  const std::size_t a = add_session("A"), b = add_session("B");
  put(a, std::string("k\n\xff", 3));
  put(b, std::string("k\n\xff", 3));
  EXPECT_EQ(run("A1 B1").substr(0, 52), "A1 done\nB1 blocked: waits for T2 at t/k\\x0a\\xff\nB1 s");
}

TEST_P(RunnerTest, ASessionRunsInThreadsAsAsked) {
  std::vector<std::set<std::thread::id>> threads(2);
  for (std::size_t i = 0; i < 2; ++i) {
    add_session(i == 0 ? "A" : "B");
    for (int step = 0; step < 4; ++step) {
      program_.sessions[i].steps.emplace_back(
          [&threads, i] { threads[i].insert(std::this_thread::get_id()); });
    }
  }
  for (int i = 0; i < 3; ++i) run("A B A B B A B A");
  EXPECT_EQ(threads[0].size(), 1U);
  EXPECT_EQ(threads[1].size(), 1U);
  const bool shared = GetParam() == Threads::shared;
  EXPECT_EQ(threads[0] == threads[1], shared);
  EXPECT_EQ(threads[0].contains(std::this_thread::get_id()), shared);
}

TEST_P(RunnerTest, ARunOfNothingEnds) {
  EXPECT_EQ(run(""), "");
  add_session("A");
  EXPECT_EQ(run(""), "");
  EXPECT_EQ(run(7), "");
}

TEST_P(RunnerTest, WhatDoesNotFitIsRefused) {
  const std::size_t a = add_session("A");
  put(a, "k");
  EXPECT_TRUE(runner_.run(program_, Schedule{}, trace_).is(StatusCode::invalid_argument));
  Status inner;
  program_.sessions[a].steps[0] = [&] {
    Trace other;
    inner = runner_.run(program_, Schedule{{{0, false}}}, other);
  };
  EXPECT_EQ(run("A"), "A1 done\n");
  EXPECT_TRUE(inner.is(StatusCode::invalid_argument));
  add_session("A");
  EXPECT_TRUE(runner_.run(program_, 7, trace_).is(StatusCode::invalid_argument));
}

}  // namespace
}  // namespace isolith::anomalies

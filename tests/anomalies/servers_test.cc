// The engines that are servers: what each call does, who waits, who fails, and what comes of a server that
// dies.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "anomalies/adapters/adapters.h"
#include "anomalies/engine.h"
#include "anomalies/runner.h"
#include "anomalies/trace.h"
#include "tests/support/temporary_directory.h"

namespace isolith::anomalies {
namespace {

bool is_there(const std::string& name) {
  const std::vector<Adapter> adapters = built_adapters();
  return std::any_of(adapters.begin(), adapters.end(), [&](const Adapter& one) { return one.name == name; });
}

// The process that the adapter has noted there.
pid_t noted_server(const std::string& directory) {
  std::ifstream note(directory + "/server");
  std::string word;
  pid_t process = 0;
  note >> word >> process;
  return process;
}

// A server, sessions A, B, C on it, and what their steps are and came to.
class Servers : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!is_there(GetParam())) GTEST_SKIP() << GetParam() << " was not built, or its server is not installed";
    // As most directories are: whoever runs the server may go through it.
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0711));
    open();
    ASSERT_NE(engine_, nullptr);
    reset({{"accounts", {{"alice", "1"}, {"bob", "2"}}}, {"log", {}}});
    for (std::size_t i = 0; i < statuses_.size(); ++i)
      program_.sessions.push_back({std::string(1, "ABC"[i]), {}});
    program_.transaction_of = [this](std::size_t session) { return sessions_[session]->transaction_id(); };
  }

  void open() {
    auto opened = open_adapter(GetParam(), directory_.path(), runner_);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    engine_ = *std::move(opened);
    for (auto& session : sessions_) {
      auto made = engine_->open_session();
      ASSERT_TRUE(made.ok()) << made.status().to_string();
      session = *std::move(made);
    }
  }

  void reset(const std::vector<TableContents>& tables) {
    const Status status = engine_->reset(tables);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }

  EngineSession& session(char name) { return *sessions_[static_cast<std::size_t>(name - 'A')]; }

  // One more step of the session; what it returns is in `statuses_`.
  void step(char name, std::function<Status(EngineSession&)> call) {
    const auto place = static_cast<std::size_t>(name - 'A');
    program_.sessions[place].steps.emplace_back([this, place, call = std::move(call)] {
      statuses_[place].push_back(call(*sessions_[place]).to_string());
    });
  }
  void begin(char name, std::string level) {
    step(name, [level = std::move(level)](EngineSession& session) { return session.begin({level}); });
  }
  void put(char name, std::string key, std::string value) {
    step(name, [=](EngineSession& session) { return session.put(0, key, value); });
  }
  void commit(char name) {
    step(name, [](EngineSession& session) { return session.commit(); });
  }

  // The steps in this order, and what the trace says.
  std::string run(const std::string& order) {
    Trace trace;
    auto schedule = parse_schedule(order, program_);
    if (!schedule.ok()) return schedule.status().to_string();
    const Status status = runner_.run(program_, *schedule, trace);
    return status.ok() ? to_string(trace, program_) : status.to_string();
  }

  std::string contents(std::uint32_t table = 0) {
    std::vector<Row> rows;
    const Status status = engine_->contents(table, rows);
    return status.ok() ? to_text(rows) : status.to_string();
  }

  [[nodiscard]] pid_t server() const { return noted_server(directory_.path() + "/" + GetParam()); }

  isolith::testing::TemporaryDirectory directory_;
  Runner runner_;
  std::unique_ptr<Engine> engine_;
  std::array<std::unique_ptr<EngineSession>, 3> sessions_;
  Program program_;
  std::array<std::vector<std::string>, 3> statuses_;
};

// What InnoDB has not, or does otherwise: MariaDB's threads can not be held, for one.
class PostgresAlone : public Servers {};

using Texts = std::vector<std::string>;

TEST_P(Servers, CallsDoWhatTheirInterfaceSays) {
  EngineSession& a = session('A');
  std::string value;
  ASSERT_EQ(a.begin({"read_committed"}).to_string(), "ok");
  EXPECT_NE(a.transaction_id(), 0U);
  EXPECT_EQ(a.get(0, "alice", ReadLock::none, value).to_string(), "ok");
  EXPECT_EQ(value, "1");
  EXPECT_EQ(a.get(0, "carol", ReadLock::none, value).to_string(), "not_found");
  EXPECT_EQ(a.get(0, "bob", ReadLock::share, value).to_string(), "ok");
  EXPECT_EQ(a.get(0, "bob", ReadLock::update, value).to_string(), "ok");
  EXPECT_EQ(value, "2");
  EXPECT_EQ(a.put(0, "alice", "10").to_string(), "ok");
  EXPECT_EQ(a.put(0, "carol", "3").to_string(), "ok");
  EXPECT_EQ(a.insert(0, "carol", "4").to_string(), "already_exists");
  EXPECT_EQ(a.insert(0, "dave", "4").to_string(), "ok");
  EXPECT_EQ(a.erase(0, "bob").to_string(), "ok");
  EXPECT_EQ(a.erase(0, "bob").to_string(), "not_found");
  std::vector<Row> rows;
  EXPECT_EQ(a.scan({0, true, "", std::nullopt}, rows).to_string(), "ok");
  EXPECT_EQ(to_text(rows), "alice=10, carol=3, dave=4");
  EXPECT_EQ(a.scan({0, true, "alice", "dave"}, rows).to_string(), "ok");
  EXPECT_EQ(to_text(rows), "alice=10, carol=3");
  EXPECT_EQ(a.commit().to_string(), "ok");
  EXPECT_EQ(a.transaction_id(), 0U);
  EXPECT_EQ(a.get(0, "alice", ReadLock::none, value).code(), StatusCode::aborted);
  EXPECT_EQ(contents(), "alice=10, carol=3, dave=4");
  EXPECT_EQ(contents(1), "");
}

TEST_P(Servers, KeysAndValuesAreAnyBytes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  const std::string key = std::string("a\0b", 3);
  reset({{"bytes", {{std::string("a\0a", 3), all}, {key, ""}, {"\xff", "'\\"}}}});
  EngineSession& a = session('A');
  ASSERT_EQ(a.begin({"read_committed"}).to_string(), "ok");
  std::string value;
  EXPECT_EQ(a.get(0, key, ReadLock::none, value).to_string(), "ok");
  EXPECT_EQ(value, "");
  EXPECT_EQ(a.put(0, key, all).to_string(), "ok");
  EXPECT_EQ(a.insert(0, "", all).to_string(), "ok");
  EXPECT_EQ(a.get(0, key, ReadLock::none, value).to_string(), "ok");
  EXPECT_EQ(value, all);
  EXPECT_EQ(a.commit().to_string(), "ok");
  std::vector<Row> rows;
  ASSERT_EQ(engine_->contents(0, rows).to_string(), "ok");
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].key, "");
  EXPECT_EQ(rows[0].value, all);
  EXPECT_EQ(rows[1].value, all);
  EXPECT_EQ(rows[2].key, key);
  EXPECT_EQ(rows[3].value, "'\\");
}

TEST_P(Servers, ARollbackToASavepointUndoesWhatCameAfterIt) {
  EngineSession& a = session('A');
  ASSERT_EQ(a.begin({"read_committed"}).to_string(), "ok");
  EXPECT_EQ(a.put(0, "alice", "5").to_string(), "ok");
  EXPECT_EQ(a.savepoint(0).to_string(), "ok");
  EXPECT_EQ(a.put(0, "alice", "6").to_string(), "ok");
  EXPECT_EQ(a.savepoint(1).to_string(), "ok");
  EXPECT_EQ(a.erase(0, "bob").to_string(), "ok");
  EXPECT_EQ(a.rollback_to(0).to_string(), "ok");
  EXPECT_EQ(a.rollback_to(1).code(), StatusCode::invalid_argument);
  EXPECT_EQ(a.commit().to_string(), "ok");
  EXPECT_EQ(contents(), "alice=5, bob=2");
}

TEST_P(Servers, AResetMakesTheTablesBeThese) {
  for (int i = 0; i < 20; ++i) {
    reset({{"accounts", {{"x", std::to_string(i)}}}, {"more", {{"y", "1"}}}, {"third", {}}});
    EXPECT_EQ(contents(), "x=" + std::to_string(i));
    EXPECT_EQ(contents(1), "y=1");
    EngineSession& a = session('A');
    ASSERT_EQ(a.begin({"serializable"}).to_string(), "ok");
    EXPECT_EQ(a.put(2, "z", "1").to_string(), "ok");
    EXPECT_EQ(a.commit().to_string(), "ok");
    EXPECT_EQ(contents(2), "z=1");
  }
}

TEST_P(Servers, AnAbortAndTheEndOfASessionLeaveNothing) {
  EngineSession& a = session('A');
  ASSERT_EQ(a.begin({"repeatable_read"}).to_string(), "ok");
  EXPECT_EQ(a.put(0, "alice", "5").to_string(), "ok");
  EXPECT_EQ(a.abort().to_string(), "ok");
  ASSERT_EQ(a.begin({"repeatable_read"}).to_string(), "ok");
  EXPECT_EQ(a.put(0, "alice", "6").to_string(), "ok");
  sessions_[0].reset();
  EXPECT_EQ(contents(), "alice=1, bob=2");
}

TEST_P(Servers, AReadOnlyTransactionWritesNothing) {
  EngineSession& a = session('A');
  ASSERT_EQ(a.begin({"repeatable_read", true}).to_string(), "ok");
  EXPECT_EQ(a.put(0, "alice", "5").code(), StatusCode::read_only);
  std::string value;
  EXPECT_EQ(a.get(0, "alice", ReadLock::none, value).to_string(), "ok");
  EXPECT_EQ(a.commit().to_string(), "ok");
}

TEST_P(Servers, WhoWritesWhatAnotherHasWrittenWaitsForIt) {
  for (const char name : {'A', 'B'}) {
    begin(name, "read_committed");
    put(name, "alice", std::string(1, name));
    commit(name);
  }
  EXPECT_EQ(run("A B A B A B"),
            "A1 done\nB1 done\nA2 done\nB2 blocked: waits for A at accounts/alice\nA3 done\nB2 resumed\n"
            "B2 done\nB3 done\n");
  EXPECT_EQ(contents(), "alice=B, bob=2");
}

TEST_P(Servers, WaitersAreWokenOneAfterTheOther) {
  for (const char name : {'A', 'B', 'C'}) {
    begin(name, "read_committed");
    put(name, "alice", std::string(1, name));
    commit(name);
  }
  const std::string trace = run("A B C A B C A B C");
  EXPECT_EQ(trace.find("C2 resumed"), trace.rfind("C2 resumed")) << trace;
  EXPECT_LT(trace.find("A3 done"), trace.find("B2 resumed")) << trace;
  EXPECT_LT(trace.find("B3 done"), trace.find("C2 resumed")) << trace;
  EXPECT_EQ(contents(), "alice=C, bob=2");
}

// All wait for the transaction that inserted the key; when it is aborted the server lets them race.
TEST_P(PostgresAlone, OfSeveralWhoInsertTheSameKeyTheFirstToWaitGetsIt) {
  for (const char name : {'A', 'B', 'C'}) {
    begin(name, "read_committed");
    step(name, [name](EngineSession& session) { return session.insert(0, "carol", std::string(1, name)); });
    step(name, [name](EngineSession& session) { return name == 'A' ? session.abort() : session.commit(); });
  }
  for (int i = 0; i < 20; ++i) {
    reset({{"accounts", {}}});
    statuses_ = {};
    run("A C B A C B A C B");
    ASSERT_EQ(contents(), "carol=C") << "run " << i;
    ASSERT_EQ(statuses_[1], (Texts{"ok", "already_exists", "ok"}));
  }
}

TEST_P(Servers, WhoClosesACycleOfWaitsIsItsVictim) {
  for (const char name : {'A', 'B'}) begin(name, "read_committed");
  put('A', "alice", "A");
  put('B', "bob", "B");
  put('A', "bob", "A");
  put('B', "alice", "B");
  commit('A');
  step('B', [](EngineSession& session) { return session.abort(); });
  EXPECT_EQ(run("A B A B A B A B"),
            "A1 done\nB1 done\nA2 done\nB2 done\nA3 blocked: waits for B at accounts/bob\nB3 done\n"
            "A3 resumed\nA3 done\nA4 done\nB4 done\n");
  EXPECT_EQ(statuses_[1][2].substr(0, 18), "conflict/deadlock:") << statuses_[1][2];
  EXPECT_EQ(contents(), "alice=A, bob=A");
}

TEST_P(Servers, AWaitThatIsEndedFailsWithLockTimeout) {
  for (const char name : {'A', 'B'}) {
    begin(name, "read_committed");
    put(name, "alice", std::string(1, name));
  }
  commit('A');
  step('B', [](EngineSession& session) { return session.abort(); });
  EXPECT_EQ(run("A B A B B! B A"),
            "A1 done\nB1 done\nA2 done\nB2 blocked: waits for A at accounts/alice\nB2 timed out\nB2 done\n"
            "B3 done\nA3 done\n");
  EXPECT_EQ(statuses_[1][1].substr(0, 22), "conflict/lock_timeout:") << statuses_[1][1];
  EXPECT_EQ(contents(), "alice=A, bob=2");
}

TEST_P(Servers, TheSameOrderGivesTheSameTraceEachTime) {
  for (const char name : {'A', 'B', 'C'}) {
    begin(name, "serializable");
    step(name, [](EngineSession& session) {
      std::vector<Row> rows;
      return session.scan({0, true, "", std::nullopt}, rows);
    });
    put(name, name == 'C' ? "alice" : "bob", std::string(1, name));
    commit(name);
  }
  const std::string order = "A B C A B C A B C A B C";
  const std::string first = run(order);
  const std::array<Texts, 3> first_statuses = std::exchange(statuses_, {});
  for (int i = 0; i < 100; ++i) {
    reset({{"accounts", {{"alice", "1"}, {"bob", "2"}}}, {"log", {}}});
    ASSERT_EQ(run(order), first) << "run " << i;
    ASSERT_EQ(std::exchange(statuses_, {}), first_statuses) << "run " << i;
  }
}

TEST_P(Servers, AServerThatWasKilledIsAnErrorForEverybody) {
  for (const char name : {'A', 'B'}) {
    begin(name, "read_committed");
    put(name, "alice", std::string(1, name));
  }
  const pid_t process = server();
  ASSERT_GT(process, 0);
  step('A', [process](EngineSession& session) {
    ::kill(process, SIGKILL);
    Status status;
    while (status.ok()) status = session.put(0, "bob", "A");  // it may have had time for some
    return status;
  });
  step('B', [](EngineSession& session) { return session.commit(); });
  run("A B A B A B");
  EXPECT_EQ(statuses_[0][2].substr(0, 9), "io_error:") << statuses_[0][2];
  EXPECT_NE(statuses_[0][2].find("is gone"), std::string::npos) << statuses_[0][2];
  EXPECT_EQ(statuses_[1][1].substr(0, 9), "io_error:") << statuses_[1][1];
  EXPECT_EQ(engine_->open_session().status().code(), StatusCode::io_error);
  EXPECT_EQ(engine_->reset({{"accounts", {}}}).code(), StatusCode::io_error);
  std::vector<Row> rows;
  EXPECT_EQ(engine_->contents(0, rows).code(), StatusCode::io_error);
}

TEST_P(Servers, WhatAnEarlierServerLeftIsTakenOver) {
  const pid_t first = server();
  for (auto& session : sessions_) session.reset();
  engine_.reset();
  EXPECT_NE(::kill(first, 0), 0) << "the server still runs";
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/" + GetParam() + "/server"));
  open();
  ASSERT_NE(engine_, nullptr);
  reset({{"accounts", {{"alice", "7"}}}});
  EXPECT_EQ(contents(), "alice=7");
}

TEST_P(Servers, WriteSkewFailsAtSerializable) {
  for (const char name : {'A', 'B'}) {
    begin(name, "serializable");
    step(name, [](EngineSession& session) {
      std::vector<Row> rows;
      return session.scan({0, true, "", std::nullopt}, rows);
    });
    put(name, name == 'A' ? "alice" : "bob", "0");
    commit(name);
  }
  run("A B A B A B A B");
  const auto failed = [](const Texts& texts) {
    return std::any_of(texts.begin(), texts.end(), [](const std::string& one) {
      return one.starts_with("conflict/serialization:") || one.starts_with("conflict/deadlock:");
    });
  };
  EXPECT_NE(failed(statuses_[0]), failed(statuses_[1])) << contents();
}

TEST_P(PostgresAlone, TheSecondWriterFailsAtRepeatableRead) {
  for (const char name : {'A', 'B'}) {
    begin(name, "repeatable_read");
    put(name, "alice", std::string(1, name));
  }
  commit('A');
  step('B', [](EngineSession& session) { return session.abort(); });
  run("A B A B A B");
  EXPECT_EQ(statuses_[1][1],
            "conflict/write_conflict: PostgreSQL: could not serialize access due to concurrent update");
  EXPECT_EQ(contents(), "alice=A, bob=2");
}

TEST_P(PostgresAlone, ADeferrableTransactionWaitsForASafeSnapshot) {
  begin('A', "serializable");
  put('A', "alice", "A");
  commit('A');
  step('B', [](EngineSession& session) { return session.begin({"serializable", true, true}); });
  commit('B');
  EXPECT_EQ(run("A A B A B"),
            "A1 done\nA2 done\nB1 blocked: waits for A\nA3 done\nB1 resumed\nB1 done\nB2 done\n");
}

TEST_P(Servers, ADirectoryThatTheServersAccountCannotReachIsNoHindrance) {
  const isolith::testing::TemporaryDirectory closed;
  Runner runner;
  auto opened = open_adapter(GetParam(), closed.path(), runner);
  ASSERT_TRUE(opened.ok()) << opened.status().to_string();
  EXPECT_EQ((*opened)->reset({{"accounts", {{"a", "1"}}}}).to_string(), "ok");
}

TEST_P(Servers, ASecondServerInTheSameDirectoryIsRefused) {
  Runner runner;
  EXPECT_EQ(open_adapter(GetParam(), directory_.path(), runner).status().code(), StatusCode::busy);
  EXPECT_EQ(contents(), "alice=1, bob=2");
}

// No fixture: the program that dies has a server of its own.
TEST(ServersAlone, NoServerOutlivesAProgramThatIsKilled) {
  for (const char* name : {"postgres", "mariadb"}) {
    if (!is_there(name)) continue;
    const isolith::testing::TemporaryDirectory directory;
    const pid_t program = ::fork();
    if (program == 0) {
      Runner runner;
      auto opened = open_adapter(name, directory.path(), runner);
      ::kill(::getpid(), opened.ok() ? SIGKILL : SIGTERM);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(program, &status, 0), program);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the engine was not opened";
    const pid_t server = noted_server(directory.path() + "/" + name);
    ASSERT_GT(server, 0);
    const auto watched = static_cast<int>(::syscall(SYS_pidfd_open, server, 0));
    if (watched < 0) continue;  // it has ended already
    pollfd end{watched, POLLIN, 0};
    EXPECT_EQ(::poll(&end, 1, 60'000), 1) << name << " still runs";
    ::close(watched);
  }
}

std::string engine_name(const ::testing::TestParamInfo<const char*>& engine) { return engine.param; }

INSTANTIATE_TEST_SUITE_P(Each, Servers, ::testing::Values("postgres", "mariadb"), engine_name);
INSTANTIATE_TEST_SUITE_P(Of, PostgresAlone, ::testing::Values("postgres"), engine_name);

}  // namespace
}  // namespace isolith::anomalies

// Timelines of runs that are made by hand, so that each word can be traced to what is in the run.
#include "tools/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "anomalies/run.h"
#include "anomalies/scenario.h"
#include "tools/lanes.h"
#include "tools/text_layout.h"

namespace isolith::tools {
namespace {

using anomalies::Event;
using anomalies::EventKind;
using anomalies::Operation;
using anomalies::OperationEnd;
using anomalies::Scenario;
using anomalies::SessionScript;
using anomalies::Step;
using anomalies::StepKind;
using anomalies::TransactionEnd;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Step step(StepKind kind, std::string text, std::string key = "") {
  Step made;
  made.kind = kind;
  made.text = std::move(text);
  made.target.lo = std::move(key);
  return made;
}

// Two sessions over one table with the row alice = 100, and a run that is written down event by event.
class TimelineTest : public ::testing::Test {
 protected:
  TimelineTest() {
    scenario_.tables.push_back({"accounts", {}, {{"alice", "100"}}});
    anomalies::Write first;
    first.key = "alice";
    first.value = "100";
    run_.writes.push_back(first);
  }

  void add_session(const std::string& name, std::vector<Step> steps, const std::string& level) {
    anomalies::TransactionRecord record;
    record.session = static_cast<std::uint32_t>(scenario_.sessions.size());
    record.first_step = 1;
    record.last_step = static_cast<std::uint32_t>(steps.size());
    record.level = level;
    run_.transactions.push_back(record);
    SessionScript session;
    session.name = name;
    session.steps = std::move(steps);
    scenario_.sessions.push_back(session);
  }

  std::uint32_t now() const { return static_cast<std::uint32_t>(run_.trace.events.size()); }

  Event& event(EventKind kind, std::uint32_t session, std::uint32_t step) {
    Event& made = run_.trace.events.emplace_back();
    made.kind = kind;
    made.session = session;
    made.step = step;
    return made;
  }

  // An operation that ends now, with its event.
  Operation& done(std::uint32_t session, std::uint32_t step, OperationEnd end = OperationEnd::done) {
    Operation& made = run_.operations.emplace_back();
    made.session = session;
    made.step = step;
    made.transaction = session;
    made.end = end;
    made.began_at = made.ended_at = now();
    anomalies::TransactionRecord& record = run_.transactions[session];
    if (step == 1) record.began_at = now();
    event(EventKind::done, session, step);
    return made;
  }

  void read(Operation& operation, std::uint32_t write, anomalies::Value result) {
    anomalies::Read read;
    read.key = "alice";
    read.write = write;
    read.at = operation.ended_at;
    operation.reads.push_back(read);
    operation.result = std::move(result);
  }

  std::uint32_t write(Operation& operation, std::string value) {
    anomalies::Write made;
    made.key = "alice";
    made.value = std::move(value);
    made.transaction = operation.transaction;
    made.session = operation.session;
    made.step = operation.step;
    made.at = operation.ended_at;
    run_.writes.push_back(made);
    operation.writes.push_back(static_cast<std::uint32_t>(run_.writes.size() - 1));
    return operation.writes.back();
  }

  void end(std::uint32_t session, TransactionEnd how) {
    run_.transactions[session].end = how;
    run_.transactions[session].ended_at = now() - 1;
  }

  TimelineRow row_of(std::size_t row) { return make_timeline(scenario_, run_, "isolith").rows.at(row); }

  std::vector<std::string> engine_of(std::size_t place) {
    const TimelineRow row = row_of(place);
    std::vector<std::string> texts;
    for (const Note& note : row.engine) texts.push_back(note.text);
    return texts;
  }

  std::vector<std::string> lane_of(std::size_t place) {
    const TimelineRow row = row_of(place);
    std::vector<std::string> texts;
    for (const LaneLine& line : row.lane) texts.push_back(line.text);
    return texts;
  }

  Scenario scenario_;
  anomalies::Run run_;
};

TEST_F(TimelineTest, AReadTellsItsVersionAndWhoseItIs) {
  add_session("A", {step(StepKind::get, "x = get accounts/alice", "alice")}, "read_committed");
  read(done(0, 1), 0, std::int64_t{100});
  EXPECT_THAT(lane_of(0), ElementsAre("x = get accounts/alice", "100"));
  EXPECT_THAT(engine_of(0), ElementsAre("reads alice = 100, first row"));
}

TEST_F(TimelineTest, ADirtyReadSaysThatItIsOneAndTheAbortSaysWhatCameOfIt) {
  add_session("A", {step(StepKind::put, "put accounts/alice = 70", "alice"), step(StepKind::abort, "abort")},
              "read_uncommitted");
  add_session("B", {step(StepKind::get, "x = get accounts/alice", "alice")}, "read_uncommitted");
  const std::uint32_t version = write(done(0, 1), "70");
  read(done(1, 1), version, std::int64_t{70});
  done(0, 2);
  end(0, TransactionEnd::aborted);
  EXPECT_THAT(engine_of(0), ElementsAre("locks alice: 100 becomes 70"));
  EXPECT_THAT(engine_of(1), ElementsAre("reads alice = 70, by A (not committed!)"));
  EXPECT_THAT(engine_of(2), ElementsAre("undoes alice = 70", "B has read alice = 70, which never was"));
}

TEST_F(TimelineTest, WhatASnapshotDoesNotSeeIsSaid) {
  add_session("A",
              {step(StepKind::put, "put accounts/alice = 70", "alice"), step(StepKind::commit, "commit")},
              "snapshot");
  add_session("B", {step(StepKind::begin, "begin"), step(StepKind::get, "x = get accounts/alice", "alice")},
              "snapshot");
  done(1, 1);
  write(done(0, 1), "70");
  done(0, 2);
  end(0, TransactionEnd::committed);
  read(done(1, 2), 0, std::int64_t{100});
  EXPECT_THAT(engine_of(0), ElementsAre("takes its snapshot: the first rows"));
  EXPECT_THAT(engine_of(2), ElementsAre("commits: alice = 70"));
  EXPECT_THAT(engine_of(3), ElementsAre("reads alice = 100, first row",
                                        "does not see alice = 70 by A: it was committed later"));
}

TEST_F(TimelineTest, AWaitIsARowAndItsEndIsOneWithWhatTheStepDidThen) {
  const Step put = step(StepKind::put, "put accounts/alice = 70", "alice");
  add_session("A", {put, step(StepKind::commit, "commit")}, "read_committed");
  add_session("B", {put, step(StepKind::commit, "commit")}, "read_committed");
  write(done(0, 1), "70");
  Event& wait = event(EventKind::blocked, 1, 1);
  wait.holder_sessions = {0};
  wait.table = "accounts";
  wait.key = "alice";
  done(0, 2);
  end(0, TransactionEnd::committed);
  event(EventKind::resumed, 1, 1);
  write(done(1, 1), "70");
  const Timeline timeline = make_timeline(scenario_, run_, "isolith");
  ASSERT_EQ(timeline.rows.size(), 4U);
  EXPECT_THAT(lane_of(1), ElementsAre("put accounts/alice = 70", "waits for A"));
  EXPECT_THAT(engine_of(1), ElementsAre("waits: A has locked alice in A1"));
  EXPECT_THAT(timeline.rows[1].waiting, ElementsAre(false, true));
  EXPECT_EQ(timeline.rows[1].outcome.kind, Outcome::Kind::waits);
  EXPECT_THAT(timeline.rows[2].waiting, ElementsAre(false, true));
  EXPECT_THAT(lane_of(3), ElementsAre("goes on", "70"));
  EXPECT_THAT(engine_of(3), ElementsAre("A has committed: its locks are free", "locks alice: 70 becomes 70"));
  EXPECT_THAT(timeline.rows[3].waiting, ElementsAre(false, false));
}

TEST_F(TimelineTest, AWriteOverWhatItHadNotReadIsALostUpdate) {
  const std::vector<Step> steps = {step(StepKind::get, "x = get accounts/alice", "alice"),
                                   step(StepKind::put, "put accounts/alice = x + 1", "alice"),
                                   step(StepKind::commit, "commit")};
  add_session("A", steps, "read_committed");
  add_session("B", steps, "read_committed");
  read(done(0, 1), 0, std::int64_t{100});
  read(done(1, 1), 0, std::int64_t{100});
  write(done(0, 2), "101");
  done(0, 3);
  end(0, TransactionEnd::committed);
  write(done(1, 2), "101");
  EXPECT_THAT(engine_of(4),
              ElementsAre("locks alice: 101 becomes 101", "writes over A's 101, having read 100"));
}

TEST_F(TimelineTest, AConflictNamesTheRuleAndWhoWasFirst) {
  const std::vector<Step> steps = {step(StepKind::begin, "begin"),
                                   step(StepKind::put, "put accounts/alice = 7", "alice"),
                                   step(StepKind::commit, "commit")};
  add_session("A", steps, "snapshot");
  add_session("B", steps, "snapshot");
  done(1, 1);
  done(0, 1);
  write(done(0, 2), "7");
  done(0, 3);
  end(0, TransactionEnd::committed);
  Operation& failed = done(1, 2, OperationEnd::failed);
  ConflictReport report;
  report.parties = {{8, "", "snapshot", "failed", 0}, {7, "", "", "committed", 2}};
  report.edges = {{1, 0, "ww", "accounts", false, "alice", false, {}}};
  failed.status = Status::conflict(ConflictReason::write_conflict, "T8 met T7", report);
  end(1, TransactionEnd::failed);
  done(1, 3, OperationEnd::passed_over);
  EXPECT_THAT(lane_of(4), ElementsAre("put accounts/alice = 7", "fails: write_conflict"));
  EXPECT_THAT(engine_of(4),
              ElementsAre("first updater wins: A changed alice and committed after the snapshot",
                          "its transaction is over"));
  EXPECT_THAT(lane_of(5), ElementsAre("commit", "passed over"));
  EXPECT_EQ(row_of(5).outcome.kind, Outcome::Kind::none);
}

TEST_F(TimelineTest, ADeadlockTellsTheWholeCycle) {
  const Step put = step(StepKind::put, "put accounts/alice = 7", "alice");
  for (const char* name : {"A", "B", "C"}) add_session(name, {put}, "read_committed");
  event(EventKind::blocked, 1, 1).holder_sessions = {2};  // B waits for C
  event(EventKind::blocked, 0, 1).holder_sessions = {1};  // A waits for B
  Operation& failed = done(2, 1, OperationEnd::failed);
  failed.status = Status::conflict(ConflictReason::deadlock, "T1 waits for T2");
  end(2, TransactionEnd::failed);
  EXPECT_THAT(engine_of(2),
              ElementsAre("deadlock: A waits for B, B waits for C, and C would have to wait for "
                          "A; C gives way",
                          "its transaction is over"));
}

TEST_F(TimelineTest, ANewRowAndAnErasedOneAreCalledSo) {
  add_session("A",
              {step(StepKind::put, "put accounts/bob = 7", "bob"),
               step(StepKind::erase, "erase accounts/alice", "alice")},
              "read_committed");
  run_.writes[write(done(0, 1), "7")].key = "bob";
  run_.writes[write(done(0, 2), "")].value.reset();
  EXPECT_THAT(engine_of(0), ElementsAre("locks bob: new, 7"));
  EXPECT_THAT(engine_of(1), ElementsAre("locks alice: 100 is erased"));
}

TEST_F(TimelineTest, OtherEnginesArePromisedNeitherLocksNorSnapshots) {
  add_session("A", {step(StepKind::put, "put accounts/alice = 70", "alice")}, "snapshot");
  write(done(0, 1), "70");
  const Timeline timeline = make_timeline(scenario_, run_, "sqlite");
  ASSERT_EQ(timeline.rows[0].engine.size(), 1U);
  EXPECT_EQ(timeline.rows[0].engine[0].text, "alice: 100 becomes 70");
}

TEST_F(TimelineTest, LanesAlignWideNamesAndKeepTheWidth) {
  add_session(
      "A",
      {step(StepKind::get, "x = get accounts/\"山田太郎 and a long name that has to be wrapped\"", "alice")},
      "read_committed");
  add_session("B", {step(StepKind::get, "y = get accounts/alice", "alice")}, "read_committed");
  read(done(0, 1), 0, std::string("山田"));
  read(done(1, 1), 0, std::int64_t{100});
  const Timeline timeline = make_timeline(scenario_, run_, "isolith");
  Look look;
  look.width = 80;
  const std::string text = Lanes(timeline, look).all();
  EXPECT_THAT(text, HasSubstr("| -> \"山田\""));
  std::vector<std::size_t> bars;  // where the engine's column begins, in columns of the terminal
  for (std::size_t begin = 0; begin < text.size();) {
    const std::string line = text.substr(begin, text.find('\n', begin) - begin);
    begin += line.size() + 1;
    EXPECT_LE(display_width(line), 80U) << line;
    const std::size_t bar = line.rfind(" |");
    if (bar != std::string::npos) bars.push_back(display_width(line.substr(0, bar)));
  }
  EXPECT_GE(bars.size(), 4U);
  EXPECT_THAT(bars, Each(bars.front())) << text;
}

}  // namespace
}  // namespace isolith::tools

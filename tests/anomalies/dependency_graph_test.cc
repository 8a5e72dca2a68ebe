// Runs that are told by hand, with what an engine would have to do wrong for each phenomenon: the edges, what
// is found, and the words for it.
#include "anomalies/dependency_graph.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/anomalies/story.h"

namespace isolith::anomalies {
namespace {

constexpr std::uint32_t kA = 0;
constexpr std::uint32_t kB = 1;
constexpr std::uint32_t kC = 2;

Phenomenon found(const Story& story) { return DependencyGraph(story.scenario, story.run).find().phenomenon; }

std::string words(const Story& story) {
  const Finding finding = DependencyGraph(story.scenario, story.run).find();
  return std::string(to_string(finding.phenomenon)) + ": " + explain(finding, story.scenario, story.run);
}

// "A rw B x A1 B2; ...", with "range" before "rw".
std::string edges(const Story& story) {
  const DependencyGraph graph(story.scenario, story.run);
  std::string text;
  for (const Edge& edge : graph.edges()) {
    if (!text.empty()) text += "; ";
    const auto name = [&](std::uint32_t transaction) {
      return transaction_name(story.scenario, story.run, transaction);
    };
    text += name(edge.from) + (edge.of_range ? " range" : "");
    text += edge.kind == EdgeKind::write_write ? " ww " : edge.kind == EdgeKind::write_read ? " wr " : " rw ";
    text += name(edge.to) + " " + edge.key;
    text += " " + std::to_string(edge.from_step) + " " + std::to_string(edge.to_step);
  }
  return text;
}

// ---- the order of versions ----

TEST(DependencyGraph, VersionsAreInTheOrderOfTheCommits) {
  Story story({1, 1});
  story.row("k", "0");
  story.put(kA, "k", "1");
  story.commit(kA);
  story.put(kB, "k", "2");
  story.commit(kB);
  EXPECT_EQ(edges(story), "A ww B k 1 1");
  EXPECT_EQ(words(story), ": ");
}

TEST(DependencyGraph, WritesInTurnAreInTheOrderOfTheLastOnes) {
  Story story({1, 1});
  story.put(kA, "k", "1");
  story.put(kB, "k", "2");
  story.put(kA, "k", "3");
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(edges(story), "B ww A k 1 2");
}

TEST(DependencyGraph, FindsWritesInTurnOnTwoKeys) {
  Story story({1, 1});
  story.put(kA, "k", "1");
  story.put(kB, "k", "2");
  story.put(kB, "l", "2");
  story.put(kA, "l", "1");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G0: A comes before B, because A wrote x/k (A1) before B did (B1); B comes before A, because B "
            "wrote x/l (B2) before A did (A2): no serial order (a dirty write).");
}

TEST(DependencyGraph, WritesThatWereTakenBackOrRefusedAreNoVersions) {
  Story story({1, 1, 1});
  story.savepoint(kA);
  story.roll_back(kA, {story.put(kA, "k", "1")});
  story.run.writes[story.put(kA, "k", "2")].state = WriteState::failed;
  story.commit(kA);
  story.put(kB, "k", "3");
  story.abort(kB);
  story.put(kC, "k", "4");
  story.commit(kC);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyGraph, AnErasedRowIsAVersion) {
  Story story({1, 1, 1});
  const std::uint32_t first = story.row("k", "0");
  story.get(kB, "k", first);
  story.erase(kA, "k");
  story.commit(kA);
  story.insert(kC, "k", "2");
  story.commit(kC);
  story.commit(kB);
  EXPECT_EQ(edges(story), "A ww C k 1 1; A wr C k 1 1; B rw A k 1 1");
}

// ---- reads of rows ----

TEST(DependencyGraph, ReadersComeAfterTheWriterAndBeforeTheNext) {
  Story story({1, 1, 1});
  story.row("k", "0");
  const std::uint32_t one = story.put(kA, "k", "1");
  story.commit(kA);
  story.get(kB, "k", one);
  story.put(kC, "k", "2");
  story.commit(kC);
  story.commit(kB);
  EXPECT_EQ(edges(story), "A wr B k 1 1; A ww C k 1 1; B rw C k 1 1");
  EXPECT_EQ(found(story), Phenomenon::none);
}

TEST(DependencyGraph, OwnWritesAreNoDependencies) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "0");
  story.get(kA, "k", first);
  story.get(kA, "k", story.put(kA, "k", "1"));
  story.erase(kA, "k");
  story.get(kA, "k", kNoWrite);
  story.range(kA, StepKind::scan, {});
  story.commit(kA);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyGraph, OwnWritesThatWereTakenBackAreNotSeenAnyMore) {
  Story story({1, 1});
  story.row("k", "0");
  story.erase(kB, "k");
  story.commit(kB);
  story.savepoint(kA);
  const std::uint32_t write = story.put(kA, "k", "1");
  const std::uint32_t erased = story.erase(kA, "k");
  story.get(kA, "k", kNoWrite);  // its own
  story.roll_back(kA, {write, erased});
  story.get(kA, "k", kNoWrite);  // what B left
  story.commit(kA);
  // The first write of A read nothing; `erase` found what it had put there itself.
  EXPECT_EQ(edges(story), "B wr A k 1 6");
}

TEST(DependencyGraph, WhatAbortedTransactionsReadIsNoDependency) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "0");
  story.get(kA, "k", first);
  story.put(kB, "k", "1");
  story.commit(kB);
  story.abort(kA);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyGraph, FindsAReadOfWhatWasAborted) {
  Story story({1, 1});
  story.row("k", "0");
  const std::uint32_t one = story.put(kA, "k", "1");
  story.get(kB, "k", one);
  story.abort(kA);
  story.commit(kB);
  EXPECT_EQ(words(story),
            "G1a: B read x/k (B1), which A wrote (A1) and then took back: B saw what never was.");
}

TEST(DependencyGraph, AReadOfWhatWasAbortedHurtsNobodyWhoAbortsToo) {
  Story story({1, 1});
  const std::uint32_t one = story.put(kA, "k", "1");
  story.get(kB, "k", one);
  story.abort(kA);
  story.abort(kB);
  EXPECT_EQ(found(story), Phenomenon::none);
}

TEST(DependencyGraph, FindsAReadOfWhatTheEngineTookBack) {
  Story story({1, 1});
  story.row("k", "0");
  const std::uint32_t one = story.put(kA, "k", "1");
  story.get(kB, "k", one);
  story.lose(kA);
  story.commit(kB);
  EXPECT_EQ(words(story), "G1a: B read x/k (B1), which A wrote (A1) before A failed: B saw what never was.");
}

TEST(DependencyGraph, FindsAReadOfWhatARollbackToASavepointTookBack) {
  Story story({1, 1});
  story.row("k", "0");
  story.savepoint(kA);
  const std::uint32_t one = story.put(kA, "k", "1");
  story.get(kB, "k", one);
  story.roll_back(kA, {one});
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(words(story),
            "G1a: B read x/k (B1), which A wrote (A2) and then took back: B saw what never was.");
}

TEST(DependencyGraph, FindsARowThatWasNotThereBecauseOfWhatWasAborted) {
  Story story({1, 1});
  story.row("k", "0");
  story.erase(kA, "k");
  story.get(kB, "k", kNoWrite);
  story.abort(kA);
  story.commit(kB);
  EXPECT_EQ(words(story),
            "G1a: B found no x/k (B1), which A erased (A1) and then put back: B saw what never was.");
}

TEST(DependencyGraph, FindsAReadOfWhatItsWriterReplaced) {
  Story story({1, 1});
  story.row("k", "0");
  const std::uint32_t one = story.put(kA, "k", "1");
  story.get(kB, "k", one);
  story.put(kA, "k", "2");
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(words(story),
            "G1b: B read x/k (B1), which A wrote (A1) and wrote again (A2): B saw what A did not leave.");
}

TEST(DependencyGraph, FindsReadsInACircle) {
  Story story({1, 1});
  story.row("k", "0");
  story.row("l", "0");
  const std::uint32_t k = story.put(kA, "k", "1");
  const std::uint32_t l = story.put(kB, "l", "2");
  story.get(kA, "l", l);
  story.get(kB, "k", k);
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(words(story),
            "G1c: A comes before B, because B read x/k (B2), which A wrote (A1); B comes before A, because A "
            "read x/l (A2), which B wrote (B1): no serial order (a circular information flow).");
}

TEST(DependencyGraph, FindsALostUpdate) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "0");
  story.get(kA, "k", first);
  story.get(kB, "k", first);
  story.put(kA, "k", "1");
  story.commit(kA);
  story.put(kB, "k", "2");
  story.commit(kB);
  EXPECT_EQ(
      words(story),
      "G-single: A comes before B, because A wrote x/k (A2) before B did (B2); B comes before A, because "
      "B read x/k (B1) before A changed it (A2): no serial order (a lost update).");
}

TEST(DependencyGraph, FindsAReadSkew) {
  Story story({1, 1});
  const std::uint32_t k = story.row("k", "0");
  story.row("l", "0");
  story.get(kA, "k", k);
  story.put(kB, "k", "1");
  const std::uint32_t l = story.put(kB, "l", "1");
  story.commit(kB);
  story.get(kA, "l", l);
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G-single: A comes before B, because A read x/k (A1) before B changed it (B1); B comes before A, "
            "because A read x/l (A2), which B wrote (B2): no serial order (a read skew).");
}

TEST(DependencyGraph, AnOldReadBeforeAWriteOfAnotherKeyHasNoNameOfItsOwn) {
  Story story({1, 1});
  const std::uint32_t k = story.row("k", "0");
  story.row("l", "0");
  story.get(kA, "k", k);
  story.put(kB, "k", "1");
  story.erase(kB, "l");
  story.commit(kB);
  story.put(kA, "l", "1");
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G-single: A comes before B, because A read x/k (A1) before B changed it (B1); B comes before A, "
            "because B erased x/l (B2) before A wrote it (A2): no serial order.");
}

TEST(DependencyGraph, FindsAWriteSkew) {
  Story story({1, 1});
  const std::uint32_t alice = story.row("alice", "on");
  const std::uint32_t bob = story.row("bob", "on");
  story.get(kA, "bob", bob);
  story.get(kB, "alice", alice);
  story.put(kA, "alice", "off");
  story.put(kB, "bob", "off");
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(
      words(story),
      "G2-item: A comes before B, because A read x/bob (A1) before B changed it (B2); B comes before A, "
      "because B read x/alice (B1) before A changed it (A2): no serial order (a write skew).");
}

TEST(DependencyGraph, FindsAWriteSkewOfRowsThatWereNotThere) {
  Story story({1, 1});
  story.get(kA, "l", kNoWrite);
  story.get(kB, "k", kNoWrite);
  story.put(kA, "k", "1");
  story.put(kB, "l", "1");
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(
      words(story),
      "G2-item: A comes before B, because A found no x/l (A1) before B wrote it (B2); B comes before A, "
      "because B found no x/k (B1) before A wrote it (A2): no serial order (a write skew).");
}

TEST(DependencyGraph, FindsAReadOnlyAnomaly) {
  Story story({1, 1, 1});
  const std::uint32_t k = story.row("k", "0");
  const std::uint32_t l = story.row("l", "0");
  story.get(kA, "l", l);  // withdraws
  story.get(kA, "k", k);
  const std::uint32_t deposit = story.put(kB, "l", "20");
  story.commit(kB);
  story.get(kC, "k", k);  // reports
  story.get(kC, "l", deposit);
  story.commit(kC);
  story.put(kA, "k", "-11");
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G2-item: A comes before B, because A read x/l (A1) before B changed it (B1); B comes before C, "
            "because C read x/l (C2), which B wrote (B1); C comes before A, because C read x/k (C1) before A "
            "changed it (A3): no serial order (a read-only anomaly).");
}

TEST(DependencyGraph, TheShortestCycleIsTold) {
  Story story({1, 1, 1});
  const std::uint32_t k = story.row("k", "0");
  const std::uint32_t l = story.row("l", "0");
  const std::uint32_t m = story.row("m", "0");
  story.get(kA, "k", k);
  story.get(kB, "l", l);
  story.get(kC, "m", m);
  story.get(kC, "l", l);
  story.put(kB, "k", "1");
  story.put(kC, "l", "1");
  story.put(kA, "m", "1");
  story.put(kB, "l", "2");
  story.run.writes.back().state = WriteState::failed;
  story.put(kB, "m", "2");
  for (const std::uint32_t session : {kA, kC, kB}) story.commit(session);
  // A before B before C before A; and C before B by m, B before C by l.
  const Finding finding = DependencyGraph(story.scenario, story.run).find();
  EXPECT_EQ(finding.phenomenon, Phenomenon::g2_item);
  ASSERT_EQ(finding.cycle.size(), 3U);
  EXPECT_EQ(finding.cycle[0].from, kA);
}

// ---- rows that are not there ----

TEST(DependencyGraph, WhoFindsNoRowMayHaveSeenItBeforeItWasThere) {
  // At a snapshot: A begins, B inserts, C erases, then A looks; and it reads what was before C elsewhere.
  Story story({1, 1, 1});
  const std::uint32_t l = story.row("l", "0");
  story.begin(kA);
  story.insert(kB, "k", "1");
  story.commit(kB);
  story.erase(kC, "k");
  story.put(kC, "l", "1");
  story.commit(kC);
  story.get(kA, "k", kNoWrite);
  story.get(kA, "l", l);
  story.commit(kA);
  EXPECT_EQ(found(story), Phenomenon::none);
  EXPECT_EQ(edges(story), "A rw B k 2 1; A rw C l 3 2; B ww C k 1 1; B wr C k 1 1");
}

TEST(DependencyGraph, WhoFindsNoRowSawTheNewestAbsenceIfNothingSpeaksAgainstIt) {
  Story story({1, 1, 1});
  story.begin(kA);
  story.insert(kB, "k", "1");
  story.commit(kB);
  story.erase(kC, "k");
  story.commit(kC);
  story.get(kA, "k", kNoWrite);
  story.commit(kA);
  EXPECT_EQ(edges(story), "B ww C k 1 1; B wr C k 1 1; C wr A k 1 2");
}

TEST(DependencyGraph, AnAbsenceThatWasOverWhenTheTransactionBeganWasNotSeen) {
  Story story({1, 1, 1});
  const std::uint32_t l = story.row("l", "0");
  story.insert(kB, "k", "1");
  story.commit(kB);
  story.begin(kA);
  story.erase(kC, "k");
  story.put(kC, "l", "1");
  story.commit(kC);
  story.get(kA, "k", kNoWrite);
  story.get(kA, "l", l);
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G-single: A comes before C, because A read x/l (A3) before C changed it (C2); C comes before A, "
            "because A found no x/k (A2), which C erased (C1): no serial order (a read skew).");
}

TEST(DependencyGraph, ADirtyReadMayFindARowErasedThatIsErasedInTheEnd) {
  Story story({1, 1});
  story.row("k", "0");
  story.erase(kA, "k");
  story.get(kB, "k", kNoWrite);
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(edges(story), "A wr B k 1 1");
}

TEST(DependencyGraph, AnInsertThatFailsHasSeenTheRow) {
  Story story({1, 1});
  story.insert(kA, "k", "1");
  story.commit(kA);
  story.fail(kB, StepKind::insert, "k", StatusCode::already_exists);
  story.commit(kB);
  EXPECT_EQ(edges(story), "A wr B k 1 1");
}

TEST(DependencyGraph, AnEraseThatFailsHasSeenThatThereIsNoRow) {
  Story story({1, 1});
  story.fail(kB, StepKind::erase, "k", StatusCode::not_found);
  story.insert(kA, "k", "1");
  const std::uint32_t one = story.put(kA, "l", "1");
  story.commit(kA);
  story.get(kB, "l", one);
  story.commit(kB);
  EXPECT_EQ(words(story),
            "G-single: A comes before B, because B read x/l (B2), which A wrote (A2); B comes before A, "
            "because B could not erase x/k (B1) before A wrote it (A1): no serial order (a read skew).");
}

TEST(DependencyGraph, AWriteThatWasRefusedForAnotherReasonHasSeenNothing) {
  Story story({1, 1});
  story.fail(kB, StepKind::erase, "k", StatusCode::read_only);
  story.insert(kA, "k", "1");
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyGraph, AnInsertDoesNotCareWhatTheRowSaid) {
  Story story({1, 1, 1});
  story.row("k", "0");
  story.put(kA, "k", "1");
  story.commit(kA);
  story.fail(kB, StepKind::insert, "k", StatusCode::already_exists);
  story.put(kC, "k", "1");
  story.commit(kC);
  story.commit(kB);
  EXPECT_EQ(edges(story), "A ww C k 1 1");
}

// ---- ranges ----

TEST(DependencyGraph, RowsThatFitAreReadsOfRows) {
  Story story({1, 1, 1});
  const std::uint32_t first = story.row("k", "on");
  story.row("l", "on");
  const std::uint32_t second = story.put(kC, "l", "on");
  story.commit(kC);
  story.range(kA, StepKind::count, {first, second}, "on");
  story.put(kB, "k", "off");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "A rw B k 1 1; C wr A l 1 1");
}

TEST(DependencyGraph, ARowThatAppearsChangesARange) {
  Story story({1, 1});
  story.row("k", "0");
  story.range(kA, StepKind::count, {0});
  story.insert(kB, "l", "1");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "A range rw B l 1 1");
}

TEST(DependencyGraph, ARowOutsideOfARangeDoesNotChangeIt) {
  Story story({1, 1});
  story.range(kA, StepKind::scan, {}, {}, {0, true, "k", "l"});
  story.insert(kB, "l", "1");
  story.insert(kB, "j", "1");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyGraph, ARowThatBeginsToFitChangesARange) {
  Story story({1, 1, 1});
  const std::uint32_t first = story.row("k", "off");
  story.range(kA, StepKind::count, {first}, "on");
  story.put(kB, "k", "away");
  story.commit(kB);
  story.put(kC, "k", "on");
  story.commit(kC);
  story.commit(kA);
  EXPECT_EQ(edges(story), "A range rw C k 1 1; B ww C k 1 1");
}

TEST(DependencyGraph, ARowThatStoppedFittingWasSeenByARange) {
  Story story({1, 1, 1});
  story.row("k", "on");
  story.put(kB, "k", "off");
  story.commit(kB);
  const std::uint32_t away = story.put(kC, "k", "away");
  story.commit(kC);
  story.range(kA, StepKind::count, {away}, "on");
  story.commit(kA);
  EXPECT_EQ(edges(story), "B range wr A k 1 1; B ww C k 1 1");
}

TEST(DependencyGraph, ARowThatWasErasedWasSeenByARange) {
  Story story({1, 1});
  story.row("k", "on");
  story.erase(kB, "k");
  story.commit(kB);
  story.range(kA, StepKind::count, {}, "on");
  story.commit(kA);
  EXPECT_EQ(edges(story), "B range wr A k 1 1");
}

TEST(DependencyGraph, ARowThatFitsNeitherBeforeNorAfterDoesNotMatter) {
  Story story({1, 1});
  story.row("k", "off");
  story.range(kA, StepKind::count, {0}, "on");
  story.erase(kB, "k");
  story.insert(kB, "l", "off");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyGraph, ADirtyRowThatMakesNoDifferenceToARangeIsNotRead) {
  Story story({1, 1});
  story.row("k", "off");
  const std::uint32_t away = story.put(kB, "k", "away");
  story.range(kA, StepKind::count, {away}, "on");
  story.abort(kB);
  story.commit(kA);
  EXPECT_EQ(found(story), Phenomenon::none);
}

TEST(DependencyGraph, ADirtyRowThatStopsFittingIsRead) {
  Story story({1, 1});
  story.row("k", "on");
  const std::uint32_t away = story.put(kB, "k", "away");
  story.range(kA, StepKind::count, {away}, "on");
  story.abort(kB);
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G1a: A counted x (A1) after B wrote x/k (B1) and then took back: A saw what never was.");
}

TEST(DependencyGraph, UpdatesOfRangesReadAsWellAsWrite) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "on");
  story.range(kA, StepKind::update, {first}, "on");
  story.insert(kB, "l", "on");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "A range rw B l 1 1");
}

TEST(DependencyGraph, FindsAPhantomBetweenTwoReadsOfARange) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "1");
  story.range(kA, StepKind::scan, {first}, {}, {0, true, "k", "l"});
  const std::uint32_t second = story.insert(kB, "k2", "1");
  story.commit(kB);
  story.range(kA, StepKind::scan, {first, second}, {}, {0, true, "k", "l"});
  story.commit(kA);
  EXPECT_EQ(
      words(story),
      "G-single: A comes before B, because A read x/k* (A1) before B added x/k2 (B1); B comes before A, "
      "because A read x/k2 (A2), which B wrote (B1): no serial order (a phantom).");
}

TEST(DependencyGraph, FindsAWriteSkewOfRanges) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "off");
  story.range(kA, StepKind::count, {first}, "on");
  story.range(kB, StepKind::exists, {first}, "on", {0, true, "a", "z"});
  story.put(kA, "k", "on");
  story.insert(kB, "l", "on");
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(
      words(story),
      "G2: A comes before B, because A counted x (A1) before B added x/l (B2); B comes before A, because "
      "B looked into x/a..z (B1) before A changed x/k so that it fits (A2): no serial order (a phantom).");
}

TEST(DependencyGraph, ReadsOfRowsAreToldRatherThanRanges) {
  Story story({1, 1});
  const std::uint32_t alice = story.row("alice", "on");
  const std::uint32_t bob = story.row("bob", "on");
  story.range(kA, StepKind::count, {alice, bob}, "on");
  story.range(kB, StepKind::count, {alice, bob}, "on");
  story.insert(kA, "carl", "on");
  story.put(kA, "alice", "off");
  story.put(kB, "bob", "off");
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(
      words(story),
      "G2-item: A comes before B, because A read x/bob (A1) before B changed it (B2); B comes before A, "
      "because B read x/alice (B1) before A changed it (A3): no serial order (a write skew).");
}

TEST(DependencyGraph, AConditionOverAVariableIsTakenAsItWasThen) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "off");
  SessionScript& session = story.scenario.sessions[kA];
  session.variables = {"wanted"};
  for (const std::string wanted : {"on", "away"}) {
    story.get(kA, "none", kNoWrite);
    session.steps.back().variable = 0;
    story.run.operations.back().result = wanted;
    story.range(kA, StepKind::count, {first}, "on");
    Expression& literal = session.steps.back().where->operands[1];
    literal.op = Operator::variable;
  }
  story.put(kB, "k", "on");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "A range rw B k 2 1");  // by the first count, not by the second
}

// ---- sessions with several transactions ----

TEST(DependencyGraph, TransactionsOfASessionAreNamed) {
  Story story({2, 1});
  const std::uint32_t first = story.row("k", "0");
  story.put(kA, "l", "0");
  story.commit(kA);
  story.get(kA, "k", first);
  story.put(kB, "k", "1");
  const std::uint32_t second = story.put(kB, "m", "1");
  story.commit(kB);
  story.get(kA, "m", second);
  story.commit(kA);
  EXPECT_EQ(
      words(story),
      "G-single: A's second comes before B, because A's second read x/k (A3) before B changed it (B1); B "
      "comes before A's second, because A's second read x/m (A4), which B wrote (B2): no serial order (a "
      "read skew).");
}

TEST(DependencyGraph, NamesAreThoseOfTheLiterature) {
  EXPECT_EQ(to_string(Phenomenon::g_single), "G-single");
  EXPECT_EQ(to_string(Phenomenon::none), "");
  EXPECT_EQ(common_name(Phenomenon::g1a), "aborted read");
  EXPECT_EQ(common_name(Phenomenon::g2_item), "write skew");
}

}  // namespace
}  // namespace isolith::anomalies

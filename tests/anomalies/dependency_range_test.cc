// Runs that are told by hand: rows that are not there, and ranges.
#include <gtest/gtest.h>

#include <string>

#include "tests/anomalies/story_graph.h"

namespace isolith::anomalies {
namespace {

// ---- rows that are not there ----

TEST(DependencyOfRanges, WhoFindsNoRowMayHaveSeenItBeforeItWasThere) {
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

TEST(DependencyOfRanges, WhoFindsNoRowSawTheNewestAbsenceIfNothingSpeaksAgainstIt) {
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

TEST(DependencyOfRanges, AnAbsenceThatWasOverWhenTheTransactionBeganWasNotSeen) {
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

TEST(DependencyOfRanges, ADirtyReadMayFindARowErasedThatIsErasedInTheEnd) {
  Story story({1, 1});
  story.row("k", "0");
  story.erase(kA, "k");
  story.get(kB, "k", kNoWrite);
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(edges(story), "A wr B k 1 1");
}

TEST(DependencyOfRanges, AnInsertThatFailsHasSeenTheRow) {
  Story story({1, 1});
  story.insert(kA, "k", "1");
  story.commit(kA);
  story.fail(kB, StepKind::insert, "k", StatusCode::already_exists);
  story.commit(kB);
  EXPECT_EQ(edges(story), "A wr B k 1 1");
}

TEST(DependencyOfRanges, AnEraseThatFailsHasSeenThatThereIsNoRow) {
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

TEST(DependencyOfRanges, AWriteThatWasRefusedForAnotherReasonHasSeenNothing) {
  Story story({1, 1});
  story.fail(kB, StepKind::erase, "k", StatusCode::read_only);
  story.insert(kA, "k", "1");
  story.commit(kA);
  story.commit(kB);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyOfRanges, AnInsertDoesNotCareWhatTheRowSaid) {
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

TEST(DependencyOfRanges, RowsThatFitAreReadsOfRows) {
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

TEST(DependencyOfRanges, ARowThatAppearsChangesARange) {
  Story story({1, 1});
  story.row("k", "0");
  story.range(kA, StepKind::count, {0});
  story.insert(kB, "l", "1");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "A range rw B l 1 1");
}

TEST(DependencyOfRanges, ARowOutsideOfARangeDoesNotChangeIt) {
  Story story({1, 1});
  story.range(kA, StepKind::scan, {}, {}, {0, true, "k", "l"});
  story.insert(kB, "l", "1");
  story.insert(kB, "j", "1");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyOfRanges, ARowThatBeginsToFitChangesARange) {
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

TEST(DependencyOfRanges, ARowThatStoppedFittingWasSeenByARange) {
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

TEST(DependencyOfRanges, ARowThatWasErasedWasSeenByARange) {
  Story story({1, 1});
  story.row("k", "on");
  story.erase(kB, "k");
  story.commit(kB);
  story.range(kA, StepKind::count, {}, "on");
  story.commit(kA);
  EXPECT_EQ(edges(story), "B range wr A k 1 1");
}

TEST(DependencyOfRanges, ARowThatFitsNeitherBeforeNorAfterDoesNotMatter) {
  Story story({1, 1});
  story.row("k", "off");
  story.range(kA, StepKind::count, {0}, "on");
  story.erase(kB, "k");
  story.insert(kB, "l", "off");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "");
}

TEST(DependencyOfRanges, ADirtyRowThatMakesNoDifferenceToARangeIsNotRead) {
  Story story({1, 1});
  story.row("k", "off");
  const std::uint32_t away = story.put(kB, "k", "away");
  story.range(kA, StepKind::count, {away}, "on");
  story.abort(kB);
  story.commit(kA);
  EXPECT_EQ(found(story), Phenomenon::none);
}

TEST(DependencyOfRanges, ADirtyRowIsComparedWithWhatWasCommittedThen) {
  Story story({1, 1, 1});
  story.row("k", "on");
  story.put(kC, "k", "off");
  story.commit(kC);
  const std::uint32_t away = story.put(kB, "k", "away");
  story.range(kA, StepKind::count, {away}, "on");
  story.abort(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "C range wr A k 1 1");
  EXPECT_EQ(found(story), Phenomenon::none);
}

TEST(DependencyOfRanges, ADirtyRowThatStopsFittingIsRead) {
  Story story({1, 1});
  story.row("k", "on");
  const std::uint32_t away = story.put(kB, "k", "away");
  story.range(kA, StepKind::count, {away}, "on");
  story.abort(kB);
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G1a: A counted x (A1) after B wrote x/k (B1) and then took back: A saw what never was.");
}

TEST(DependencyOfRanges, UpdatesOfRangesReadAsWellAsWrite) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "on");
  story.range(kA, StepKind::update, {first}, "on");
  story.insert(kB, "l", "on");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "A range rw B l 1 1");
}

TEST(DependencyOfRanges, ARowThatAnUpdateLookedAtAndDidNotLockIsReadByItsFirstLook) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "off");
  story.range(kA, StepKind::update, {first}, "on");
  story.put(kB, "k", "on");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "A range rw B k 1 1");
}

TEST(DependencyOfRanges, OfARowThatAnUpdateLookedAtAndLockedTheLastReadCounts) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "on");
  const std::uint32_t second = story.put(kB, "k", "off");
  story.range(kA, StepKind::update, {first, second}, "on");
  story.commit(kB);
  story.commit(kA);
  EXPECT_EQ(edges(story), "B range wr A k 1 1");
}

TEST(DependencyOfRanges, FindsAPhantomBetweenTwoReadsOfARange) {
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

TEST(DependencyOfRanges, FindsAPhantomThatDisappears) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "1");
  story.range(kA, StepKind::sum, {first});
  story.erase(kB, "k");
  story.commit(kB);
  story.range(kA, StepKind::sum, {});
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G-single: A comes before B, because A read x/k (A1) before B erased it (B1); B comes before A, "
            "because A added up x (A2) after B erased x/k (B1): no serial order (a phantom).");
}

TEST(DependencyOfRanges, FindsAReadOnlyAnomaly) {
  Story story({1, 1, 1});
  const std::uint32_t batch = story.row("batch", "1");
  story.get(kA, "batch", batch);
  const std::uint32_t next = story.put(kB, "batch", "2");
  story.commit(kB);
  story.get(kC, "batch", next);
  story.range(kC, StepKind::scan, {}, {}, {0, true, "r", "s"});
  story.commit(kC);
  story.insert(kA, "r1", "1");
  story.commit(kA);
  EXPECT_EQ(
      words(story),
      "G2: A comes before B, because A read x/batch (A1) before B changed it (B1); B comes before C, "
      "because C read x/batch (C1), which B wrote (B1); C comes before A, because C read x/r* (C2) before "
      "A added x/r1 (A2): no serial order (a read-only anomaly).");
}

TEST(DependencyOfRanges, FindsAWriteSkewOfRanges) {
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

TEST(DependencyOfRanges, ReadsOfRowsAreToldRatherThanRanges) {
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

TEST(DependencyOfRanges, AConditionOverAVariableIsTakenAsItWasThen) {
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

}  // namespace
}  // namespace isolith::anomalies

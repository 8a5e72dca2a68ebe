// Runs that are told by hand, with what an engine would have to do wrong for each phenomenon: the edges, what
// is found, and the words for it.
#include "anomalies/dependency_graph.h"

#include <gtest/gtest.h>

#include "tests/anomalies/story_graph.h"

namespace isolith::anomalies {
namespace {

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

TEST(DependencyGraph, ARollbackToALaterSavepointTakesNothingBackThatWasBefore) {
  Story story({1, 1});
  story.row("k", "0");
  story.erase(kB, "k");
  story.commit(kB);
  story.savepoint(kA);
  const std::uint32_t write = story.put(kA, "k", "1");
  const std::uint32_t erased = story.erase(kA, "k");
  story.savepoint(kA, 1);
  story.roll_back(kA, {}, 1);
  story.get(kA, "k", kNoWrite);  // its own
  story.roll_back(kA, {write, erased});
  story.commit(kA);
  EXPECT_EQ(edges(story), "");
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

TEST(DependencyGraph, FindsAnUnrepeatableRead) {
  Story story({1, 1});
  const std::uint32_t first = story.row("k", "0");
  story.get(kA, "k", first);
  const std::uint32_t second = story.put(kB, "k", "1");
  story.commit(kB);
  story.get(kA, "k", second);
  story.commit(kA);
  EXPECT_EQ(words(story),
            "G-single: A comes before B, because A read x/k (A1) before B changed it (B1); B comes before A, "
            "because A read x/k (A2), which B wrote (B1): no serial order (an unrepeatable read).");
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

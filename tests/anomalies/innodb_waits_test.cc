// Who waits for whom, from the text that InnoDB prints.
#include "anomalies/adapters/innodb_waits.h"

#include <gtest/gtest.h>

#include <string>

namespace isolith::anomalies {
namespace {

using Threads = std::vector<std::uint64_t>;

constexpr const char* kHead =
    "LATEST DETECTED DEADLOCK\nLOCK WAIT 2 lock struct(s)\nMariaDB thread id 99, OS\n"
    "------------\nTRANSACTIONS\nLIST OF TRANSACTIONS FOR EACH SESSION:\n";

// A transaction with one lock: `mode` is how its line ends.
std::string transaction(int thread, const std::string& mode, int record) {
  const bool waits = mode.ends_with("waiting");
  return "---TRANSACTION 8, ACTIVE 0 sec\n" + std::string(waits ? "LOCK WAIT 2 lock struct(s)\n" : "") +
         "MariaDB thread id " + std::to_string(thread) +
         ", OS thread handle 1\nTABLE LOCK table `x`.`t0` trx id 8 lock mode IX\n"
         "RECORD LOCKS space id 1 page no 3 n bits 320 index PRIMARY of table `x`.`t0` trx id 8 lock" +
         mode + "\nRecord lock, heap no " + std::to_string(record) + " PHYSICAL RECORD: n_fields 4;\n";
}

Threads holders(const std::string& held, const std::string& wanted, int record) {
  const auto waits = parse_innodb_waits(kHead + transaction(6, wanted, record) +
                                        transaction(7, held, record) + transaction(8, held, record + 1));
  return waits.size() == 1 && waits[0].thread == 6 ? waits[0].holders : Threads{0};
}

TEST(InnodbWaits, NobodyWaitsWhereOnlyTheLastDeadlockTellsOfWaits) {
  EXPECT_TRUE(parse_innodb_waits("").empty());
  EXPECT_TRUE(parse_innodb_waits(kHead + transaction(7, "_mode X", 2)).empty());
}

TEST(InnodbWaits, AHolderHasALockOnTheSameRecordThatDoesNotGoWithTheWantedOne) {
  EXPECT_EQ(holders("_mode X locks rec but not gap", "_mode X locks rec but not gap waiting", 2), Threads{7});
  EXPECT_EQ(holders(" mode S", "_mode X waiting", 2), Threads{7});
  EXPECT_EQ(holders("_mode X", " mode S waiting", 2), Threads{7});
  EXPECT_EQ(holders(" mode S", " mode S waiting", 2), Threads{});
}

TEST(InnodbWaits, OnlyWhoInsertsWaitsForAGap) {
  EXPECT_EQ(holders("_mode X locks gap before rec", "_mode X waiting", 2), Threads{});
  EXPECT_EQ(holders("_mode X locks gap before rec", "_mode X insert intention waiting", 2), Threads{7});
  EXPECT_EQ(holders("_mode X locks rec but not gap", "_mode X insert intention waiting", 2), Threads{});
  EXPECT_EQ(holders(" mode S", "_mode X insert intention waiting", 1), Threads{7});
  EXPECT_EQ(holders("_mode X insert intention", "_mode X waiting", 2), Threads{});
}

TEST(InnodbWaits, WhoStandsBehindAWaiterWaitsForIt) {
  const auto waits =
      parse_innodb_waits(kHead + transaction(6, "_mode X waiting", 2) + transaction(7, "_mode X waiting", 3) +
                         transaction(8, " mode S waiting", 2));
  ASSERT_EQ(waits.size(), 3U);
  EXPECT_EQ(waits[2].holders, Threads{6});
}

TEST(InnodbWaits, ACycleIsFoundByWayOfOthersAndOnlyForThoseInIt) {
  const std::vector<InnodbWait> waits = {{1, {2}}, {2, {4, 3}}, {3, {1}}, {5, {1}}};
  EXPECT_TRUE(is_in_cycle(waits, 1));
  EXPECT_TRUE(is_in_cycle(waits, 3));
  EXPECT_FALSE(is_in_cycle(waits, 4));
  EXPECT_FALSE(is_in_cycle(waits, 5));
}

}  // namespace
}  // namespace isolith::anomalies

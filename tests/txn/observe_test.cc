// Database::observe: what others see of a database that a process has open.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/live_file.h"
#include "isolith/isolith.h"
#include "tests/support/temporary_directory.h"

namespace isolith::testing {
namespace {

class ObserveTest : public ::testing::Test {
 protected:
  // What is seen once `condition` holds of it; the report is written once a second.
  template <typename Condition>
  Observation wait_for(const Condition& condition) {
    for (;;) {
      const Result<Observation> seen = Database::observe(path_);
      if (!seen.ok()) ADD_FAILURE() << seen.status().to_string();
      if (!seen.ok() || condition(*seen)) return seen.ok() ? *seen : Observation();
      std::this_thread::yield();
    }
  }

  TemporaryDirectory root_;
  std::string path_ = root_.path() + "/db";
};

TEST_F(ObserveTest, TellsTheFiguresAndWhoIsActiveWhileItIsOpen) {
  EXPECT_TRUE(Database::observe(path_).status().is(StatusCode::not_found));
  Result<Database> database = Database::open(path_);
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  const Result<Observation> first = Database::observe(path_);
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(first->process_id, static_cast<std::uint64_t>(::getpid()));
  EXPECT_TRUE(first->transactions.empty());
  EXPECT_EQ(first->stats.page_size_bytes, database->stats().page_size_bytes);

  const Table table = *database->ensure_table("t");
  TransactionOptions options(Isolation::snapshot);
  options.label = std::string_view("a \0label", 8);
  Transaction reader = *database->begin(options);
  ASSERT_TRUE(reader.get(table, "k").status().is(StatusCode::not_found));
  Transaction writer = *database->begin(Isolation::read_committed);
  ASSERT_TRUE(writer.put(table, "k", "v").ok());
  const Observation seen = wait_for([](const Observation& now) {
    return now.transactions.size() == 2 && now.stats.active_transactions == 2;
  });
  ASSERT_EQ(seen.transactions.size(), 2U);
  const std::vector<TransactionInfo> truth = database->active_transactions();
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(seen.transactions[i].id, truth[i].id);
    EXPECT_EQ(seen.transactions[i].level, truth[i].level);
    EXPECT_EQ(seen.transactions[i].label, truth[i].label);
    EXPECT_EQ(seen.transactions[i].snapshot, truth[i].snapshot);
    EXPECT_LE(seen.transactions[i].age_ms, truth[i].age_ms + 1);
  }
  EXPECT_EQ(seen.stats.newest_commit, database->stats().newest_commit);
  ASSERT_TRUE(database->close().ok());
  EXPECT_TRUE(Database::observe(path_).status().is(StatusCode::not_found));
}

TEST_F(ObserveTest, OfManyTheThousandLongestAreTold) {
  Result<Database> database = Database::open(path_);
  ASSERT_TRUE(database.ok());
  std::vector<Snapshot> held;
  for (int i = 0; i < 1'500; ++i) held.push_back(*database->snapshot("s" + std::to_string(i)));
  const Observation seen = wait_for([](const Observation& now) { return now.transactions.size() >= 1'000; });
  EXPECT_EQ(seen.transactions.size(), 1'000U);
  held.clear();
  EXPECT_TRUE(wait_for([](const Observation& now) { return now.transactions.empty(); }).stats.aborts == 0);
}

TEST_F(ObserveTest, FiguresOfSomethingElseAreAnErrorAndNoReasonNotToOpen) {
  ASSERT_TRUE(Database::open(path_).ok());
  Result<std::unique_ptr<base::LiveFile>> other = base::LiveFile::create(path_ + "/live");
  ASSERT_TRUE(other.ok());
  for (const std::string& body : {std::string(), std::string("x"), std::string(300, '\x80'),
                                  std::string(300, '\x7f'), std::string(27, '\1'), std::string(30, '\0')}) {
    ASSERT_TRUE((*other)->write(body).ok());
    EXPECT_TRUE(Database::observe(path_).status().is(StatusCode::corruption)) << body.size() << " bytes";
  }
  // What they wrote stays theirs.
  Result<Database> database = Database::open(path_);
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  EXPECT_TRUE(Database::observe(path_).status().is(StatusCode::corruption));
}

}  // namespace
}  // namespace isolith::testing

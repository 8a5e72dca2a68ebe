// What every embedded store has to do behind the Engine interface, at each of its levels, for one session;
// and with what is broken.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/anomalies/adapter_fixture.h"
#include "tests/support/seed.h"

namespace isolith::anomalies {
namespace {

class AdapterTest : public EmbeddedTest {};

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

INSTANTIATE_TEST_SUITE_P(embedded, AdapterTest, ::testing::ValuesIn(kEmbedded),
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

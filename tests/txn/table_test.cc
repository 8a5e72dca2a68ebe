// Tables made and dropped inside transactions, large values, and wrong calls.
#include <unistd.h>

#include "tests/txn/database_fixture.h"

namespace isolith::testing {
namespace {

using TableTest = DatabaseTest;
using LargeValueTest = DatabaseTest;
using BadCallTest = DatabaseTest;

// Large values are compared without being printed.
void expect_same(std::string_view a, std::string_view b) {
  EXPECT_TRUE(a == b) << a.size() << " and " << b.size();
}

std::string pattern(std::size_t size, char salt) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<char>(i * 31 + i / 251 + static_cast<unsigned char>(salt));
  return out;
}

TEST_F(TableTest, ATableIsPartOfItsTransaction) {
  {
    Transaction transaction = begin();
    Table made = *transaction.create_table("made");
    ASSERT_TRUE(transaction.put(made, "k", "v").ok());
    EXPECT_TRUE(begin().open_table("made").status().is(StatusCode::not_found));
    ASSERT_TRUE(transaction.abort().ok());
    EXPECT_TRUE(begin().get(made, "k").status().is(StatusCode::not_found));
  }
  EXPECT_EQ(*database_->tables(), std::vector<std::string>{"t"});
  Transaction transaction = begin();
  Table made = *transaction.create_table("made");
  ASSERT_TRUE(transaction.put(made, "k", "v").ok());
  EXPECT_TRUE(transaction.create_table("made").status().is(StatusCode::already_exists));
  ASSERT_TRUE(transaction.commit().ok());
  reopen();
  EXPECT_EQ(*database_->tables(), (std::vector<std::string>{"made", "t"}));
  made = *database_->open_table("made");
  EXPECT_EQ(*begin().get(made, "k"), "v");
  verify();
}

TEST_F(TableTest, ADroppedTableGivesItsPagesBack) {
  Transaction transaction = begin();
  Table big = *transaction.create_table("big");
  for (int i = 0; i < 5000; ++i)
    ASSERT_TRUE(transaction.put(big, std::to_string(i), std::string(100, 'x')).ok());
  ASSERT_TRUE(transaction.put(big, "large", pattern(200'000, 1)).ok());
  ASSERT_TRUE(transaction.commit().ok());
  const std::uint64_t pages = database_->stats().pages;
  Transaction dropper = begin();
  ASSERT_TRUE(dropper.drop_table(big).ok());
  EXPECT_TRUE(dropper.put(big, "k", "v").is(StatusCode::not_found));
  EXPECT_EQ(*begin().get(big, "7"), std::string(100, 'x'));
  ASSERT_TRUE(dropper.abort().ok());
  EXPECT_EQ(*begin().get(big, "7"), std::string(100, 'x'));
  dropper = begin();
  ASSERT_TRUE(dropper.drop_table(big).ok());
  ASSERT_TRUE(dropper.commit().ok());
  EXPECT_TRUE(begin().get(big, "7").status().is(StatusCode::not_found));
  const auto crashed = disk_.crash(5);
  reopen();
  EXPECT_LT(database_->stats().pages, pages - 60);
  verify();
  Options options = options_;
  options.file_system = crashed.get();
  Result<Database> again = Database::open("/db", options);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_EQ(*again->tables(), std::vector<std::string>{"t"});
  EXPECT_EQ(again->verify()->problems, std::vector<std::string>());
}

TEST_F(LargeValueTest, LargeValuesComeBackWholeAndInParts) {
  const std::string value = pattern(1'000'000, 3);
  put("k", value);
  put("just inline", pattern(3000, 4));
  expect_same(get("k"), value);
  reopen();
  expect_same(get("k"), value);
  expect_same(get("just inline"), pattern(3000, 4));
  Transaction transaction = begin();
  std::string part(1000, '\0');
  EXPECT_EQ(*transaction.get_part(table_, "k", 123'456, part.data(), part.size()), 1000U);
  EXPECT_EQ(part, value.substr(123'456, 1000));
  EXPECT_EQ(*transaction.get_part(table_, "k", 999'990, part.data(), part.size()), 10U);
  EXPECT_EQ(*transaction.get_part(table_, "k", 2'000'000, part.data(), part.size()), 0U);
  Cursor cursor = *transaction.cursor(table_);
  cursor.seek("k");
  ASSERT_TRUE(cursor.valid());
  expect_same(cursor.value(), value);
  verify();
}

TEST_F(LargeValueTest, ReplacedAndRolledBackValuesLeakNoPages) {
  put("k", pattern(100'000, 1));
  {
    Transaction transaction = begin();
    ASSERT_TRUE(transaction.put(table_, "k", pattern(200'000, 2)).ok());
    ASSERT_TRUE(transaction.savepoint().ok());
    ASSERT_TRUE(transaction.put(table_, "k", "small").ok());
    expect_same(get("k"), pattern(100'000, 1));
  }
  expect_same(get("k"), pattern(100'000, 1));
  Transaction transaction = begin();
  std::string value;
  ASSERT_TRUE(transaction.get_for_update(table_, "k", value).ok());
  expect_same(value, pattern(100'000, 1));
  ASSERT_TRUE(transaction.put(table_, "k", pattern(50'000, 3)).ok());
  ASSERT_TRUE(transaction.commit().ok());
  expect_same(get("k"), pattern(50'000, 3));
  reopen();
  expect_same(get("k"), pattern(50'000, 3));
  EXPECT_LT(database_->stats().pages, 15U);
  verify();
}

TEST_F(LargeValueTest, AppendWritesAValueInPieces) {
  const std::string value = pattern(700'000, 5);
  Transaction transaction = begin();
  EXPECT_TRUE(transaction.append(table_, "k", "x").is(StatusCode::invalid_argument));
  ASSERT_TRUE(transaction.put(table_, "k", "").ok());
  for (std::size_t at = 0; at < value.size(); at += 10'000) {
    ASSERT_TRUE(transaction.append(table_, "k", std::string_view(value).substr(at, 10'000)).ok());
  }
  expect_same(get(transaction, "k"), value);
  const Savepoint savepoint = *transaction.savepoint();
  ASSERT_TRUE(transaction.append(table_, "k", "more").ok());
  expect_same(get(transaction, "k"), value + "more");
  ASSERT_TRUE(transaction.rollback_to(savepoint).ok());
  expect_same(get(transaction, "k"), value);
  ASSERT_TRUE(transaction.commit().ok());
  expect_same(get("k"), value);
  const auto crashed = disk_.crash(9);
  verify();
  Options options = options_;
  options.file_system = crashed.get();
  Result<Database> again = Database::open("/db", options);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  expect_same(*again->begin()->get(*again->open_table("t"), "k"), value);
  EXPECT_EQ(again->verify()->problems, std::vector<std::string>());
}

TEST_F(BadCallTest, KeysAndValuesOverTheLimit) {
  Transaction transaction = begin();
  EXPECT_TRUE(transaction.put(table_, std::string(kMaxKeyBytes + 1, 'k'), "v").is(StatusCode::too_large));
  EXPECT_TRUE(transaction.get(table_, std::string(kMaxKeyBytes + 1, 'k')).status().is(StatusCode::too_large));
  ASSERT_TRUE(transaction.put(table_, std::string(kMaxKeyBytes, 'k'), "v").ok());
  EXPECT_EQ(get(transaction, std::string(kMaxKeyBytes, 'k')), "v");
  EXPECT_TRUE(transaction.create_table("").status().is(StatusCode::invalid_argument));
  EXPECT_TRUE(transaction.create_table(std::string(256, 'n')).status().is(StatusCode::invalid_argument));
}

TEST_F(BadCallTest, HandlesOfNothingAndOfOtherDatabases) {
  Result<Database> other = Database::open_in_memory();
  ASSERT_TRUE(other.ok());
  const Table foreign = *other->ensure_table("t");
  Transaction transaction = begin();
  EXPECT_TRUE(transaction.get(Table(), "k").status().is(StatusCode::invalid_argument));
  EXPECT_TRUE(transaction.put(foreign, "k", "v").is(StatusCode::invalid_argument));
  EXPECT_TRUE(transaction.open_table("nowhere").status().is(StatusCode::not_found));
}

TEST_F(BadCallTest, HandlesOutliveTheirDatabase) {
  put("a", "1");
  Transaction transaction = begin();
  ASSERT_TRUE(transaction.put(table_, "a", "2").ok());
  Cursor cursor = *transaction.cursor(table_);
  cursor.seek_first();
  ASSERT_TRUE(database_->close().ok());
  EXPECT_TRUE(transaction.get(table_, "a").status().is(StatusCode::aborted));
  EXPECT_TRUE(transaction.commit().is(StatusCode::aborted));
  cursor.seek_first();
  EXPECT_FALSE(cursor.valid());
  EXPECT_TRUE(cursor.status().is(StatusCode::aborted));
  EXPECT_TRUE(database_->begin().status().is(StatusCode::aborted));
  EXPECT_TRUE(database_->close().ok());
  database_.reset();
  EXPECT_TRUE(transaction.put(table_, "a", "3").is(StatusCode::aborted));
  reopen();
  EXPECT_EQ(get("a"), "1");
}

TEST_F(BadCallTest, AFinishedTransactionSaysSo) {
  Transaction transaction = begin();
  Cursor cursor = *transaction.cursor(table_);
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_TRUE(transaction.put(table_, "a", "1").is(StatusCode::aborted));
  EXPECT_TRUE(transaction.abort().is(StatusCode::aborted));
  cursor.seek_first();
  EXPECT_TRUE(cursor.status().is(StatusCode::aborted));
}

TEST_F(BadCallTest, ReadOnlyTransactionsAndDatabasesDoNotWrite) {
  put("a", "1");
  TransactionOptions read_only;
  read_only.read_only = true;
  Transaction transaction = begin(read_only);
  EXPECT_TRUE(transaction.put(table_, "a", "2").is(StatusCode::read_only));
  EXPECT_TRUE(transaction.get_for_update(table_, "a").status().is(StatusCode::read_only));
  EXPECT_EQ(get(transaction, "a"), "1");
  ASSERT_TRUE(transaction.commit().ok());
  ASSERT_TRUE(database_->close().ok());
  options_.read_only = true;
  Result<Database> reader = Database::open("/db", options_);
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  Table table = *reader->open_table("t");
  Transaction reading = *reader->begin();
  EXPECT_EQ(*reading.get(table, "a"), "1");
  EXPECT_TRUE(reading.put(table, "a", "2").is(StatusCode::read_only));
  EXPECT_TRUE(reader->checkpoint().is(StatusCode::read_only));
  EXPECT_EQ(reader->verify()->problems, std::vector<std::string>());
}

TEST_F(BadCallTest, ASecondOpeningIsBusyAndNamesTheProcess) {
  const Status status = Database::open("/db", options_).status();
  EXPECT_TRUE(status.is(StatusCode::busy)) << status.to_string();
  EXPECT_NE(status.message().find(std::to_string(getpid())), std::string_view::npos) << status.message();
}

TEST_F(BadCallTest, ForeignDirectoriesAndWrongOptionsAreRefused) {
  ASSERT_TRUE(disk_.create_directory("/other").ok());
  ASSERT_TRUE(disk_.open("/other/letter.txt", base::OpenMode::create).ok());
  EXPECT_TRUE(Database::open("/other", options_).status().is(StatusCode::invalid_argument));
  Options options = options_;
  options.create_if_missing = false;
  EXPECT_TRUE(Database::open("/missing", options).status().is(StatusCode::not_found));
  options = options_;
  options.cache_bytes = 1000;
  EXPECT_TRUE(Database::open("/x", options).status().is(StatusCode::invalid_argument));
  EXPECT_TRUE(Database::open("", options_).status().is(StatusCode::invalid_argument));
}

TEST_F(BadCallTest, AFailedCheckpointIsToldAndTheNextOneCounts) {
  put("a", "1");
  // Full for as long as it takes: a single fault might meet the background's writing of pages instead.
  disk_.set_capacity(1);
  EXPECT_TRUE(database_->checkpoint().is(StatusCode::no_space));
  EXPECT_TRUE(database_->stats().last_checkpoint.is(StatusCode::no_space));
  disk_.set_capacity(0);
  const std::uint64_t checkpoints = database_->stats().checkpoints;
  EXPECT_TRUE(database_->checkpoint().ok());
  EXPECT_TRUE(database_->stats().last_checkpoint.ok());
  EXPECT_EQ(database_->stats().checkpoints, checkpoints + 1);
  verify();
}

TEST_F(BadCallTest, DamageIsReportedNotServed) {
  for (int i = 0; i < 2000; ++i) put(std::to_string(i), std::string(200, 'x'));
  ASSERT_TRUE(database_->close().ok());
  Result<std::unique_ptr<base::File>> file = disk_.open("/db/data", base::OpenMode::read_write);
  ASSERT_TRUE(file.ok());
  const std::uint64_t size = *(*file)->size();
  char byte = 0;
  for (std::uint64_t at = 2 * 8192 + 4000; at < size; at += 8192) {
    ASSERT_TRUE((*file)->read_at(at, &byte, 1).ok());
    byte = static_cast<char>(byte ^ 0x10);
    ASSERT_TRUE((*file)->write_at(at, &byte, 1).ok());
  }
  const Status status = Database::open("/db", options_).status();
  EXPECT_TRUE(status.is(StatusCode::corruption)) << status.to_string();
  EXPECT_NE(status.message().find("/db/data"), std::string_view::npos) << status.message();
  ASSERT_TRUE((*file)->truncate(size / 2).ok());
  EXPECT_TRUE(Database::open("/db", options_).status().is(StatusCode::corruption));
  database_.reset();
}

TEST(InMemoryTest, WorksWithACacheSmallerThanItsData) {
  Options options;
  options.cache_bytes = std::size_t{1} << 20;
  Result<Database> database = Database::open_in_memory(options);
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  const Table table = *database->ensure_table("t");
  for (int i = 0; i < 20'000; ++i) {
    Transaction transaction = *database->begin();
    ASSERT_TRUE(transaction.put(table, std::to_string(i), std::string(200, 'm')).ok());
    ASSERT_TRUE(transaction.commit().ok());
  }
  Transaction reader = *database->begin();
  Cursor cursor = *reader.cursor(table);
  int rows = 0;
  for (cursor.seek_first(); cursor.valid(); cursor.next()) ++rows;
  EXPECT_EQ(rows, 20'000);
  EXPECT_EQ(database->verify()->problems, std::vector<std::string>());
}

}  // namespace
}  // namespace isolith::testing

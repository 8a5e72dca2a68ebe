#include "tools/demo_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace isolith::tools {
namespace {

using ::testing::HasSubstr;

class DemoDataTest : public ::testing::Test {
 protected:
  DemoDataTest() {
    std::string path = (std::filesystem::temp_directory_path() / "isolith-demo-data-XXXXXX").string();
    directory_ = ::mkdtemp(path.data());
    write("UnicodeData.txt",
          "0042;LATIN CAPITAL LETTER B;Lu;0\n0041;LATIN CAPITAL LETTER A;Lu;0\n1F600;FACE;So;0\n");
    write("allkeys.txt", "# comment\n@version 15\n\n0041  ; [.1CAD] # A\n0FB2 0F71 ; [.2C2C] # TWO\n");
    write("NamesList.txt",
          "; charset\n@@\t0000\tBlock\n@+\t\tnote\n0041\tA\n\t= alias\n\tx b\n@\t\tx\n\tlost\n0042\tB\n");
  }
  ~DemoDataTest() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << text;
  }

  std::string directory_;
};

TEST_F(DemoDataTest, ReadsTheFilesIntoSortedTables) {
  Result<DemoData> data = read_demo_data(directory_);
  ASSERT_TRUE(data.ok()) << data.status().to_string();
  ASSERT_EQ(data->tables.size(), kDemoTables);
  const DemoTable& table = data->tables[DemoTableIndex::characters];
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.rows[0].key, "000041");
  EXPECT_EQ(table.rows[0].text, "LATIN CAPITAL LETTER A;Lu;0");
  EXPECT_EQ(table.rows[2].key, "01F600");
  EXPECT_EQ(table.total(), 3 * kStartCount);
}

TEST_F(DemoDataTest, KeepsNotesWithTheirNameAndSequencesWhole) {
  Result<DemoData> data = read_demo_data(directory_);
  ASSERT_TRUE(data.ok());
  const DemoRow* name = data->tables[DemoTableIndex::names].find("000041");
  ASSERT_NE(name, nullptr);
  EXPECT_EQ(name->text, "A\n= alias\nx b");
  const DemoRow* sequence = data->tables[DemoTableIndex::collation].find("000FB2 000F71");
  ASSERT_NE(sequence, nullptr);
  EXPECT_EQ(sequence->text, "[.2C2C] # TWO");
}

TEST_F(DemoDataTest, CountsTheCharactersOfEachCategory) {
  Result<DemoData> data = read_demo_data(directory_);
  ASSERT_TRUE(data.ok());
  const DemoRow* letters = data->tables[DemoTableIndex::categories].find("Lu");
  ASSERT_NE(letters, nullptr);
  EXPECT_EQ(letters->count, 2U);
  EXPECT_EQ(data->tables[DemoTableIndex::categories].total(), 3U);
}

TEST_F(DemoDataTest, NamesTheFileAndLineOfWhatIsNoRow) {
  write("UnicodeData.txt", "0041;A;Lu\nBAD LINE\n");
  const Result<DemoData> data = read_demo_data(directory_);
  ASSERT_TRUE(data.status().is(StatusCode::invalid_argument));
  EXPECT_THAT(std::string(data.status().message()), HasSubstr("UnicodeData.txt:2:"));
}

TEST_F(DemoDataTest, SaysWhichFileIsMissingOrEmpty) {
  write("allkeys.txt", "# nothing\n");
  EXPECT_THAT(std::string(read_demo_data(directory_).status().message()),
              HasSubstr("allkeys.txt' has no rows"));
  std::filesystem::remove(directory_ + "/NamesList.txt");
  write("allkeys.txt", "0041 ; x\n0042 ; y\n");
  const Result<DemoData> data = read_demo_data(directory_);
  EXPECT_TRUE(data.status().is(StatusCode::not_found));
  EXPECT_THAT(std::string(data.status().message()), HasSubstr("NamesList.txt"));
}

TEST(DemoValue, ComesBackAsItWas) {
  std::uint64_t count = 0;
  std::string_view text;
  const std::string value = encode_demo_value(7, "a;b");
  ASSERT_TRUE(decode_demo_value(value, count, text));
  EXPECT_EQ(count, 7U);
  EXPECT_EQ(text, "a;b");
  EXPECT_FALSE(decode_demo_value("7", count, text));
  EXPECT_FALSE(decode_demo_value(";x", count, text));
  EXPECT_FALSE(decode_demo_value("-7;x", count, text));
  EXPECT_FALSE(decode_demo_value("99999999999999999999;x", count, text));
}

TEST(DemoJournal, ComesBackAsItWas) {
  DemoJournalKey key;
  ASSERT_TRUE(decode_journal_key(encode_journal_key({3, 12}), key));
  EXPECT_EQ(key.writer, 3U);
  EXPECT_EQ(key.sequence, 12U);
  EXPECT_FALSE(decode_journal_key("w03", key));
  EXPECT_FALSE(decode_journal_key("x03/1", key));
  std::vector<DemoMove> moves;
  ASSERT_TRUE(decode_journal_value(
      encode_journal_value({{"a", "k 1", "b", "k2", 5}, {"b", "k2", "a", "k 1", 6}}), moves));
  ASSERT_EQ(moves.size(), 2U);
  EXPECT_EQ(moves[0].from_key, "k 1");
  EXPECT_EQ(moves[1].amount, 6U);
  EXPECT_FALSE(decode_journal_value("a\tb\tc\td\n", moves));
}

}  // namespace
}  // namespace isolith::tools

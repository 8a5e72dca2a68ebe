// Operations survive encoding; malformed bytes are told from the end.
#include "wal/operation.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "tests/support/seed.h"

namespace isolith::wal {
namespace {

TEST(Operation, RoundTripsEveryKind) {
  const std::string long_value(70000, 'v');
  const std::vector<Operation> operations = {
      {OperationKind::put, TableId{1}, "key", "value"},
      {OperationKind::put, TableId{0xFFFFFFFF}, "", ""},
      {OperationKind::append, TableId{300}, "key", long_value},
      {OperationKind::erase, TableId{2}, "gone", ""},
      {OperationKind::create_table, TableId{7}, "accounts", ""},
      {OperationKind::drop_table, TableId{7}, "", ""},
  };
  std::string bytes;
  for (const Operation& operation : operations) append_operation(bytes, operation);

  OperationReader reader(bytes);
  Operation found;
  for (const Operation& operation : operations) {
    ASSERT_TRUE(reader.next(found));
    EXPECT_EQ(found.kind, operation.kind);
    EXPECT_EQ(found.table, operation.table);
    EXPECT_EQ(found.key, operation.key);
    EXPECT_EQ(found.value, operation.value);
  }
  EXPECT_FALSE(reader.next(found));
  EXPECT_FALSE(reader.malformed());
}

TEST(Operation, IsEncodedAsTheHeaderSays) {
  std::string bytes;
  append_operation(bytes, {OperationKind::put, TableId{300}, "k", "vw"});
  EXPECT_EQ(bytes, std::string("\x01\xAC\x02\x01k\x02vw"));
}

TEST(Operation, EveryTruncationIsMalformed) {
  std::string bytes;
  append_operation(bytes, {OperationKind::put, TableId{300}, "key", "value"});
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    OperationReader reader(std::string_view(bytes).substr(0, size));
    Operation found;
    EXPECT_FALSE(reader.next(found)) << size;
    EXPECT_TRUE(reader.malformed()) << size;
    EXPECT_FALSE(reader.next(found)) << "malformed stays malformed";
  }
}

TEST(Operation, ImpossibleFieldsAreMalformed) {
  using namespace std::string_literals;
  const std::vector<std::string> malformed = {
      "\x00\x01\x00"s,                                      // kind 0
      "\x06\x01\x00"s,                                      // a kind that there is not
      "\x02\x80\x80\x80\x80\x10\x00"s,                      // a table of 33 bits
      "\x05\x01\x01x"s,                                     // drop_table with a key
      "\x02\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s,  // a key of 2^64 - 1 bytes
  };
  for (const std::string& bytes : malformed) {
    OperationReader reader(bytes);
    Operation found;
    EXPECT_FALSE(reader.next(found)) << ::testing::PrintToString(bytes);
    EXPECT_TRUE(reader.malformed()) << ::testing::PrintToString(bytes);
  }
}

TEST(Operation, LeadingOperationsAreWholeAndAtLeastOne) {
  std::string bytes;
  for (int i = 0; i < 10; ++i)
    append_operation(bytes, {OperationKind::put, TableId{1}, "key", "value"});  // 12 bytes
  EXPECT_EQ(leading_operations(bytes, 12).size(), 12u);
  EXPECT_EQ(leading_operations(bytes, 35).size(), 24u);
  EXPECT_EQ(leading_operations(bytes, 36).size(), 36u);
  EXPECT_EQ(leading_operations(bytes, 4096).size(), bytes.size());
  EXPECT_EQ(leading_operations(bytes, 36).data(), bytes.data());
}

TEST(Operation, RandomBytesAreReadWithinTheirBounds) {
  base::Random random(testing::test_seed());
  for (int round = 0; round < 20000; ++round) {
    const std::size_t size = random.below(40);
    const auto exact = std::make_unique<char[]>(size);  // a sanitizer sees a read past it
    for (std::size_t i = 0; i < size; ++i)
      exact[i] = static_cast<char>(random.chance(1, 2) ? random.below(6) : random.next());
    OperationReader reader(std::string_view(exact.get(), size));
    Operation found;
    std::size_t sum = 0;
    while (reader.next(found)) sum += 3 + found.key.size() + found.value.size();
    EXPECT_LE(sum, size + found.value.size() + found.key.size());
  }
}

}  // namespace
}  // namespace isolith::wal

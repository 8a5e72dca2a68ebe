// The header block: every field comes back, and a damaged, foreign or newer block is told apart.
#include "pages/header_block.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "pages/page.h"

namespace isolith::pages {
namespace {

CheckpointHeader example() {
  CheckpointHeader header;
  header.database_id = 0x1122334455667788;
  header.number = 7;
  header.clean = true;
  header.replay_from = Lsn{1001};
  header.log_from = Lsn{1002};
  header.next_transaction = TransactionId{1003};
  header.timestamp = Timestamp{1004};
  header.id_count = 1005;
  header.slot_count = 1006;
  header.map_levels = 2;
  header.map_root = Location{SlotId{1007}, 1008, 1009};
  header.catalog_root = PageId{1010};
  header.next_table = 1011;
  header.undo_first = PageId{1012};
  header.undo_bytes = 1013;
  return header;
}

HeaderState decode(const std::string& bytes) {
  CheckpointHeader header;
  std::uint32_t version = 0;
  return decode_header(bytes, header, version);
}

TEST(HeaderBlock, EveryFieldComesBack) {
  const CheckpointHeader wrote = example();
  const std::string bytes = encode_header(wrote);
  ASSERT_EQ(bytes.size(), kHeaderBlockBytes);
  CheckpointHeader read;
  std::uint32_t version = 0;
  ASSERT_EQ(decode_header(bytes, read, version), HeaderState::good);
  EXPECT_EQ(version, kFormatVersion);
  EXPECT_EQ(read.database_id, wrote.database_id);
  EXPECT_EQ(read.number, wrote.number);
  EXPECT_EQ(read.clean, wrote.clean);
  EXPECT_EQ(read.replay_from, wrote.replay_from);
  EXPECT_EQ(read.log_from, wrote.log_from);
  EXPECT_EQ(read.next_transaction, wrote.next_transaction);
  EXPECT_EQ(read.timestamp, wrote.timestamp);
  EXPECT_EQ(read.id_count, wrote.id_count);
  EXPECT_EQ(read.slot_count, wrote.slot_count);
  EXPECT_EQ(read.map_levels, wrote.map_levels);
  EXPECT_EQ(read.map_root, wrote.map_root);
  EXPECT_EQ(read.catalog_root, wrote.catalog_root);
  EXPECT_EQ(read.next_table, wrote.next_table);
  EXPECT_EQ(read.undo_first, wrote.undo_first);
  EXPECT_EQ(read.undo_bytes, wrote.undo_bytes);
}

TEST(HeaderBlock, TheBytesLieWhereTheFormatSays) {
  const std::string bytes = encode_header(example());
  EXPECT_EQ(bytes.substr(0, 8), std::string("isolith\0", 8));
  EXPECT_EQ(base::load<std::uint32_t>(bytes.data() + 8), kFormatVersion);
  EXPECT_EQ(base::load<std::uint32_t>(bytes.data() + 12), kPageBytes);
  EXPECT_EQ(base::load<std::uint32_t>(bytes.data() + 24), 7U);
  EXPECT_EQ(base::load<std::uint64_t>(bytes.data() + 48), 1003U);
  EXPECT_EQ(base::load<std::uint32_t>(bytes.data() + 76), 1007U);
  EXPECT_EQ(base::load<std::uint32_t>(bytes.data() + 96), 1012U);
  EXPECT_EQ(base::load<std::uint64_t>(bytes.data() + 104), 1013U);
}

TEST(HeaderBlock, EveryFlippedBitIsSeen) {
  const std::string good = encode_header(example());
  for (std::size_t at = 0; at < 116; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      const HeaderState expected = at < 8    ? HeaderState::foreign
                                   : at < 12 ? HeaderState::wrong_version
                                             : HeaderState::damaged;
      ASSERT_EQ(decode(bytes), expected) << "byte " << at << ", bit " << bit;
    }
  }
}

TEST(HeaderBlock, AShortBlockIsNeverGood) {
  const std::string good = encode_header(example());
  for (std::size_t size = 0; size < 116; ++size) {
    const HeaderState state = decode(good.substr(0, size));
    ASSERT_EQ(state, size == 0 ? HeaderState::blank : size < 8 ? HeaderState::foreign : HeaderState::damaged);
  }
  EXPECT_EQ(decode(good.substr(0, 116)), HeaderState::good);
  EXPECT_EQ(decode(std::string(kHeaderBlockBytes, '\0')), HeaderState::blank);
}

}  // namespace
}  // namespace isolith::pages

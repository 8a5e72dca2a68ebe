// The bytes of units and segment headers: as the format page says, and no bit may change unnoticed.
#include "wal/unit_codec.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "tests/wal/wal_test_support.h"
#include "wal/operation.h"
#include "wal/segment_scan.h"

namespace isolith::wal {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(bytes[i]));
    text += digits;
    text += i % 16 == 15 ? '\n' : ' ';
  }
  return text;
}

std::string encode(const UnitHeader& header, const std::string& payload,
                   std::uint64_t database_id = kDatabaseId) {
  std::string bytes(kUnitHeaderBytes, '\0');
  encode_unit_header(bytes.data(), header, base::crc32c(payload.data(), payload.size()), database_id);
  return bytes + payload;
}

UnitFault check(const std::string& bytes, Lsn position, std::uint64_t room_bytes) {
  UnitHeader header;
  const UnitFault fault = decode_unit_header(bytes.data(), position, room_bytes, header);
  if (fault != UnitFault::none) return fault;
  if (header.size_bytes > bytes.size()) return UnitFault::header;
  return unit_crc_agrees({bytes.data(), header.size_bytes}, kDatabaseId) ? UnitFault::none : UnitFault::crc;
}

// The worked example of wal/README.md: change both or neither.
TEST(LogFormat, IsTheOneInTheReadme) {
  const auto disk = disk_with_directory();
  auto writer = LogWriter::open(small_log(*disk), Lsn{}, Timestamp{});
  ASSERT_TRUE(writer.ok()) << writer.status().to_string();
  std::string payload;
  append_operation(payload, {OperationKind::put, TableId{1}, "alice", "100"});
  ASSERT_TRUE(append(**writer, {UnitKind::commit, Timestamp{5}, TransactionId{9}, payload, {}}).ok());
  ASSERT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
  ASSERT_TRUE(append(**writer, {UnitKind::commit, Timestamp{6}, TransactionId{10}, "", {}}).ok());
  ASSERT_TRUE((*writer)->make_durable((*writer)->appended_lsn(), kNoTransaction).ok());
  EXPECT_EQ(hex(read_file(*disk, "wal/0000000000000000.log").substr(0, 0xB0)),
            "69 73 6f 6c 69 74 68 4c 01 00 00 00 fb 73 85 05\n"
            "88 77 66 55 44 33 22 11 00 00 00 00 00 00 00 00\n"
            "00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
            "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
            "2c 00 00 10 50 c9 07 03 40 00 00 00 00 00 00 00\n"
            "05 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00\n"
            "01 01 05 61 6c 69 63 65 03 31 30 30 20 00 00 40\n"
            "3a 9f 45 13 6c 00 00 00 00 00 00 00 6c 00 00 00\n"
            "00 00 00 00 00 00 00 00 00 00 00 00 20 00 00 10\n"
            "fa 35 15 b2 8c 00 00 00 00 00 00 00 06 00 00 00\n"
            "00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00 00\n");
}

TEST(UnitCodec, FindsEveryFlippedBit) {
  const std::string payload = "some operations";
  const auto size = static_cast<std::uint32_t>(kUnitHeaderBytes + payload.size());
  const std::string unit = encode({UnitKind::part_commit, size, Lsn{640}, 17, TransactionId{3}}, payload);
  ASSERT_EQ(check(unit, Lsn{640}, 4096), UnitFault::none);
  for (std::size_t bit = 0; bit < unit.size() * 8; ++bit) {
    std::string flipped = unit;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(check(flipped, Lsn{640}, 4096), UnitFault::none) << "bit " << bit;
  }
}

TEST(UnitCodec, IsBoundToItsPlaceItsRoomAndItsDatabase) {
  const UnitHeader header{UnitKind::commit, 40, Lsn{640}, 17, TransactionId{3}};
  const std::string unit = encode(header, "12345678");
  EXPECT_EQ(check(unit, Lsn{640}, 40), UnitFault::none);
  EXPECT_EQ(check(unit, Lsn{641}, 40), UnitFault::lsn);
  EXPECT_EQ(check(unit, Lsn{640}, 39), UnitFault::header);
  EXPECT_EQ(check(encode(header, "12345678", kDatabaseId + 1), Lsn{640}, 40), UnitFault::crc);
}

TEST(UnitCodec, RefusesImpossibleHeaders) {
  EXPECT_EQ(check(encode({UnitKind::mark, 32, Lsn{640}, 640, {}}, ""), Lsn{640}, 99), UnitFault::none);
  EXPECT_EQ(check(encode({UnitKind::mark, 32, Lsn{640}, 641, {}}, ""), Lsn{640}, 99), UnitFault::header);
  EXPECT_EQ(check(encode({UnitKind::pad, 32, Lsn{640}, 0, {}}, ""), Lsn{640}, 32), UnitFault::none);
  EXPECT_EQ(check(encode({UnitKind::pad, 32, Lsn{640}, 0, {}}, ""), Lsn{640}, 99), UnitFault::header);
  EXPECT_EQ(check(encode({static_cast<UnitKind>(6), 32, Lsn{640}, 1, {}}, ""), Lsn{640}, 99),
            UnitFault::header);
  EXPECT_EQ(check(std::string(64, '\0'), Lsn{0}, 64), UnitFault::header)
      << "zeros are no unit, not even at 0";
}

TEST(SegmentHeader, FindsEveryFlippedBit) {
  const auto disk = disk_with_directory();
  std::string bytes(kSegmentHeaderBytes, '\0');
  encode_segment_header(bytes.data(), {Lsn{4096}, 4096, kDatabaseId});
  const auto read = [&](const std::string& contents, Lsn start, std::uint64_t database_id) {
    write_file(*disk, "wal/x", 0, contents);
    auto file = disk->open("wal/x", base::OpenMode::read_only);
    SegmentHeader header;
    return *read_segment_header(**file, start, database_id, header);
  };
  EXPECT_EQ(read(bytes, Lsn{4096}, kDatabaseId), SegmentHeaderState::valid);
  EXPECT_EQ(read(bytes, Lsn{8192}, kDatabaseId), SegmentHeaderState::other_start);
  EXPECT_EQ(read(bytes, Lsn{4096}, kDatabaseId + 1), SegmentHeaderState::other_database);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(read(flipped, Lsn{4096}, kDatabaseId), SegmentHeaderState::damaged) << "bit " << bit;
  }
  SegmentHeader newer{Lsn{4096}, 4096, kDatabaseId};
  newer.version = kFormatVersion + 1;
  encode_segment_header(bytes.data(), newer);
  EXPECT_EQ(read(bytes, Lsn{4096}, kDatabaseId), SegmentHeaderState::other_version);
}

TEST(SegmentName, IsTheStartInSixteenHexadecimalDigits) {
  EXPECT_EQ(segment_name(Lsn{0xABC}), "0000000000000abc.log");
  EXPECT_EQ(parse_segment_name("0000000000000abc.log"), Lsn{0xABC});
  EXPECT_EQ(parse_segment_name(segment_name(Lsn{UINT64_MAX})), Lsn{UINT64_MAX});
  for (const char* name : {"", "0.log", "0000000000000ABC.log", "0000000000000abc.tmp",
                           "0000000000000abc.log.tmp", "00000000000000abc.log", "000000000000-abc.log"}) {
    EXPECT_EQ(parse_segment_name(name), std::nullopt) << name;
  }
}

TEST(SegmentScan, FindsClaimsAtEveryOffset) {
  const auto disk = disk_with_directory();
  const std::uint64_t size = (std::uint64_t{600} << 10) + 7;  // several windows
  const Lsn start{1 << 20};
  for (const std::uint64_t offset :
       {std::uint64_t{64}, std::uint64_t{65}, (std::uint64_t{256} << 10) - 3, (std::uint64_t{256} << 10) + 40,
        (std::uint64_t{512} << 10) + 17, size - 32}) {
    std::string bytes(size, '\0');
    const std::string unit = encode({UnitKind::mark, 32, advance(start, offset), 5, {}}, "");
    bytes.replace(offset, unit.size(), unit);
    write_file(*disk, "wal/x", 0, bytes);
    auto file = disk->open("wal/x", base::OpenMode::read_only);
    SegmentScan scan(**file, start, size, kDatabaseId);
    EXPECT_EQ(*scan.find_claim(scan.first_unit()), advance(start, offset));
    UnitHeader header;
    Unit found;
    EXPECT_EQ(*scan.unit_at(advance(start, offset), header, found), UnitFault::none);
    EXPECT_EQ(*scan.find_claim(advance(start, offset + 1)), scan.end());
  }
}

}  // namespace
}  // namespace isolith::wal

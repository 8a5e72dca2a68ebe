// The header block: what a checkpoint is, in 4 KiB at the start of slot 0 or slot 1 of the data file, in
// turn.
//
//   OFFSET  SIZE  DESCRIPTION
//        0     8  "isolith\0"
//        8     4  format version
//       12     4  page size in bytes
//       16     8  database id, random, the same in every log segment
//       24     4  checkpoint number, from 1
//       28     4  1: the database was closed cleanly, the log holds nothing newer
//       32     8  LSN where replay begins: every commit before it is in the pages
//       40     8  LSN of the oldest log that recovery needs (parts of transactions in progress)
//       48     8  the next transaction id
//       56     8  newest commit timestamp
//       64     4  page ids ever given out
//       68     4  slots of the data file
//       72     4  levels of the page map (0: no page at all)
//       76    12  location of the map's root: slot, CRC-32C, version
//       88     4  catalog's root page
//       92     4  next table id
//       96     4  first page of the saved undo (0: none)
//      100     4  zero
//      104     8  bytes of the saved undo
//      112     4  CRC-32C of bytes 0 to 111
//
// The newest block with a good checksum is the database. A block is overwritten only when the other one is
// newer and durable.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "isolith/status.h"
#include "pages/page_map.h"

namespace isolith::pages {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kHeaderBlockBytes = 4096;

struct CheckpointHeader {
  std::uint64_t database_id = 0;
  std::uint32_t number = 0;
  bool clean = false;
  Lsn replay_from{};
  Lsn log_from{};
  TransactionId next_transaction{1};
  Timestamp timestamp{};
  std::uint32_t id_count = 1;
  std::uint32_t slot_count = kReservedSlots;
  std::uint32_t map_levels = 0;
  Location map_root;
  PageId catalog_root = kNoPage;
  std::uint32_t next_table = 1;
  PageId undo_first = kNoPage;
  std::uint64_t undo_bytes = 0;
};

// kHeaderBlockBytes bytes.
std::string encode_header(const CheckpointHeader& header);

enum class HeaderState : std::uint8_t { good, blank, foreign, wrong_version, damaged };

// `bytes` may be short (a file cut off). Fills `header` only when good; `version` also for wrong_version.
HeaderState decode_header(std::string_view bytes, CheckpointHeader& header, std::uint32_t& version);

}  // namespace isolith::pages

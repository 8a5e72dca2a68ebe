#include "pages/header_block.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "pages/page.h"

namespace isolith::pages {
namespace {

constexpr char kMagic[8] = {'i', 's', 'o', 'l', 'i', 't', 'h', '\0'};
constexpr std::size_t kCrcOffset = 112;

}  // namespace

std::string encode_header(const CheckpointHeader& header) {
  std::string out(kMagic, sizeof kMagic);
  base::append_fixed<std::uint32_t>(out, kFormatVersion);
  base::append_fixed<std::uint32_t>(out, kPageBytes);
  base::append_fixed(out, header.database_id);
  base::append_fixed(out, header.number);
  base::append_fixed<std::uint32_t>(out, header.clean ? 1 : 0);
  base::append_fixed(out, header.replay_from);
  base::append_fixed(out, header.log_from);
  base::append_fixed(out, header.next_transaction);
  base::append_fixed(out, header.timestamp);
  base::append_fixed(out, header.id_count);
  base::append_fixed(out, header.slot_count);
  base::append_fixed(out, header.map_levels);
  base::append_fixed(out, header.map_root);
  base::append_fixed(out, header.catalog_root);
  base::append_fixed(out, header.next_table);
  base::append_fixed(out, header.undo_first);
  base::append_fixed<std::uint32_t>(out, 0);
  base::append_fixed(out, header.undo_bytes);
  CHECK(out.size() == kCrcOffset, "the header block's layout");
  base::append_fixed(out, base::crc32c(out.data(), out.size()));
  out.resize(kHeaderBlockBytes, '\0');
  return out;
}

HeaderState decode_header(std::string_view bytes, CheckpointHeader& header, std::uint32_t& version) {
  if (std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; })) return HeaderState::blank;
  if (bytes.substr(0, sizeof kMagic) != std::string_view(kMagic, sizeof kMagic)) return HeaderState::foreign;
  if (bytes.size() < kCrcOffset + sizeof(std::uint32_t)) return HeaderState::damaged;
  base::ByteReader reader(bytes.substr(sizeof kMagic));
  std::uint32_t page_bytes = 0;
  reader.fixed(version);
  reader.fixed(page_bytes);
  // The checksum's place belongs to the version: another version is told before it is looked at.
  if (version != kFormatVersion) return HeaderState::wrong_version;
  if (base::crc32c(bytes.data(), kCrcOffset) != base::load<std::uint32_t>(bytes.data() + kCrcOffset)) {
    return HeaderState::damaged;
  }
  if (page_bytes != kPageBytes) return HeaderState::wrong_version;
  std::uint32_t clean = 0;
  std::uint32_t zero = 0;
  reader.fixed(header.database_id);
  reader.fixed(header.number);
  reader.fixed(clean);
  reader.fixed(header.replay_from);
  reader.fixed(header.log_from);
  reader.fixed(header.next_transaction);
  reader.fixed(header.timestamp);
  reader.fixed(header.id_count);
  reader.fixed(header.slot_count);
  reader.fixed(header.map_levels);
  reader.fixed(header.map_root);
  reader.fixed(header.catalog_root);
  reader.fixed(header.next_table);
  reader.fixed(header.undo_first);
  reader.fixed(zero);
  reader.fixed(header.undo_bytes);
  header.clean = clean != 0;
  return HeaderState::good;
}

}  // namespace isolith::pages

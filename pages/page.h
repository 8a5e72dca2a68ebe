// The page: kPageBytes bytes, the same in memory and on disk, with a header that every kind of page begins
// with.
//
//   OFFSET  SIZE  DESCRIPTION
//        0     8  version: number of the checkpoint interval in which the page was last changed
//        8     4  the page's own logical id
//       12     1  kind of page
//       13     1  level: 0 for a leaf, its height above the leaves for an inner node, 0 for other kinds
//       14     2  zero
//
// The page's checksum is not in it: it stands in the page map, so that a page that was written elsewhere or
// not at all is found too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ids.h"

namespace isolith::pages {

inline constexpr std::size_t kPageBytes = 8192;
inline constexpr std::size_t kPageHeaderBytes = 16;

enum class PageKind : std::uint8_t {
  free = 0,
  leaf = 1,
  inner = 2,
  chain = 3,  // a piece of a large value, or of the undo that a checkpoint saves
  map = 4,
};

struct PageHeader {
  std::uint64_t version;
  PageId id;
  PageKind kind;
  std::uint8_t level;
  std::uint16_t zero;
};
static_assert(sizeof(PageHeader) == kPageHeaderBytes);

}  // namespace isolith::pages

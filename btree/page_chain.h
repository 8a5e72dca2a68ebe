// Page chains: byte strings that are too long for a leaf, in pages of their own, each naming the next.
//
//   OFFSET  SIZE  DESCRIPTION
//        0    16  page header, kind `chain`
//       16     8  stamp: the same on all pages of the chain, never used for another one while the database
//                 is open
//       24     4  next page; 0: the last
//       28     4  bytes of payload here
//       32     -  payload
//
// A reader of a value holds no lock on it: the chain may be freed while it is read (its row was replaced and
// collected). Each page is read under a shared latch and its stamp is compared, so that a page that belongs
// to something else by now shows: `Step::restart`, look at the row again.
//
// Changing members are called within the checkpoint gate, in pieces of at most kChainPieceBytes, so that a
// checkpoint need not wait for a long value.
//
// Threads: any; one writer a chain.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "pages/guards.h"

namespace isolith::btree {

inline constexpr std::size_t kChainHeaderBytes = 32;
inline constexpr std::size_t kChainPayloadBytes = pages::kPageBytes - kChainHeaderBytes;
inline constexpr std::size_t kChainPieceBytes = std::size_t{64} << 10;

// What stands in a leaf for a large value.
struct ChainReference {
  std::uint64_t size = 0;
  std::uint64_t stamp = 0;
  PageId first = kNoPage;
};
inline constexpr std::size_t kChainReferenceBytes = 20;

inline ChainReference load_reference(std::string_view bytes) noexcept {
  if (bytes.size() < kChainReferenceBytes) return {};
  return {base::load<std::uint64_t>(bytes.data()), base::load<std::uint64_t>(bytes.data() + 8),
          base::load<PageId>(bytes.data() + 16)};
}
inline void store_reference(char* to, const ChainReference& reference) noexcept {
  base::store(to, reference.size);
  base::store(to + 8, reference.stamp);
  base::store(to + 16, reference.first);
}

// A whole page of a chain that is written without the cache (stamp 0).
void format_chain_page(char* page, PageId id, std::uint64_t version, PageId following,
                       std::string_view payload) noexcept;

// A chain that is being written. An empty chain has no page.
class ChainWriter {
 public:
  ChainWriter(pages::PageCache& cache, std::uint64_t stamp) noexcept : cache_(&cache) {
    reference_.stamp = stamp;
  }
  // Goes on at the end of a chain; walks it to find that.
  static Status resume(pages::PageCache& cache, const ChainReference& reference, ChainWriter& writer);

  // On an error the chain holds a part of the piece; `reference().size` counts what is in.
  Status append(std::string_view piece);
  [[nodiscard]] const ChainReference& reference() const noexcept { return reference_; }

 private:
  pages::PageCache* cache_;
  ChainReference reference_;
  PageId last_ = kNoPage;
};

// Reads `size` bytes from `offset` on, which must lie within the value. `restart`: the chain is not that
// value any more.
pages::Step read_chain(pages::PageCache& cache, const ChainReference& reference, std::uint64_t offset,
                       char* to, std::size_t size, Status& failure);

// One page of a chain, as `verify` sees it.
struct ChainPage {
  std::uint32_t size = 0;
  PageId following = kNoPage;
};
pages::Step inspect_chain_page(pages::PageCache& cache, PageId id, std::uint64_t stamp, ChainPage& page,
                               Status& failure);

// Gives up to `pages_max` pages from the front back; `first` becomes the first one left, kNoPage at the end.
Status free_chain(pages::PageCache& cache, PageId& first, std::size_t pages_max);

}  // namespace isolith::btree

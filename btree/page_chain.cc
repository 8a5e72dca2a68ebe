#include "btree/page_chain.h"

#include <algorithm>
#include <cstring>

namespace isolith::btree {
namespace {

using pages::ExclusiveGuard;
using pages::SharedGuard;
using pages::Step;

struct ChainHeader {
  pages::PageHeader page;
  std::uint64_t stamp;
  PageId next;
  std::uint32_t size;
};
static_assert(sizeof(ChainHeader) == kChainHeaderBytes);

const ChainHeader& header_of(const char* page) noexcept {
  return *reinterpret_cast<const ChainHeader*>(page);
}
ChainHeader& header_of(char* page) noexcept { return *reinterpret_cast<ChainHeader*>(page); }

bool belongs(const ChainHeader& header, std::uint64_t stamp) noexcept {
  return header.page.kind == pages::PageKind::chain && header.stamp == stamp &&
         header.size <= kChainPayloadBytes;
}

Status broken(PageId id) {
  return {StatusCode::corruption,
          "page " + std::to_string(raw(id)) + " is not the piece of a large value it should be"};
}

// A page of a chain that belongs to the caller alone.
Status take(pages::PageCache& cache, PageId id, ExclusiveGuard& guard) {
  Status failure;
  const Step step = ExclusiveGuard::acquire(cache, id, guard, failure);
  if (step == Step::failed) return failure;
  return step == Step::ok && header_of(guard.bytes()).page.kind == pages::PageKind::chain ? Status()
                                                                                          : broken(id);
}

}  // namespace

void format_chain_page(char* page, PageId id, std::uint64_t version, PageId following,
                       std::string_view payload) noexcept {
  std::memset(page, 0, pages::kPageBytes);
  const ChainHeader header{{version, id, pages::PageKind::chain, 0, 0}, 0, following,
                           static_cast<std::uint32_t>(payload.size())};
  std::memcpy(page, &header, sizeof header);
  std::memcpy(page + kChainHeaderBytes, payload.data(), payload.size());
}

Status ChainWriter::resume(pages::PageCache& cache, const ChainReference& reference, ChainWriter& writer) {
  writer = ChainWriter(cache, reference.stamp);
  writer.reference_ = reference;
  PageId id = reference.first;
  while (id != kNoPage) {
    ExclusiveGuard guard;
    TRY(take(cache, id, guard));
    writer.last_ = id;
    id = header_of(guard.bytes()).next;
  }
  return {};
}

Status ChainWriter::append(std::string_view piece) {
  while (!piece.empty()) {
    ExclusiveGuard last;
    if (last_ != kNoPage) TRY(take(*cache_, last_, last));
    if (last_ == kNoPage || header_of(last.bytes()).size == kChainPayloadBytes) {
      ExclusiveGuard added;
      TRY(ExclusiveGuard::allocate(*cache_, pages::PageKind::chain, added));
      header_of(added.edit()).stamp = reference_.stamp;
      if (last_ == kNoPage) {
        reference_.first = added.id();
      } else {
        header_of(last.edit()).next = added.id();
      }
      last_ = added.id();
      last = std::move(added);
    }
    ChainHeader& header = header_of(last.edit());
    const std::size_t size = std::min(piece.size(), kChainPayloadBytes - header.size);
    std::memcpy(last.edit() + kChainHeaderBytes + header.size, piece.data(), size);
    header.size += static_cast<std::uint32_t>(size);
    reference_.size += size;
    piece.remove_prefix(size);
  }
  return {};
}

pages::Step read_chain(pages::PageCache& cache, const ChainReference& reference, std::uint64_t offset,
                       char* to, std::size_t size, Status& failure) {
  PageId id = reference.first;
  while (size > 0) {
    SharedGuard guard;
    if (const Step step = SharedGuard::acquire(cache, id, guard, failure); step != Step::ok) return step;
    const ChainHeader& header = header_of(guard.bytes());
    if (!belongs(header, reference.stamp)) return Step::restart;
    if (offset < header.size) {
      const std::size_t part = std::min<std::size_t>(size, header.size - offset);
      std::memcpy(to, guard.bytes() + kChainHeaderBytes + offset, part);
      to += part;
      size -= part;
      offset = 0;
    } else {
      offset -= header.size;
    }
    id = header.next;
  }
  return Step::ok;
}

pages::Step inspect_chain_page(pages::PageCache& cache, PageId id, std::uint64_t stamp, ChainPage& page,
                               Status& failure) {
  SharedGuard guard;
  if (const Step step = SharedGuard::acquire(cache, id, guard, failure); step != Step::ok) return step;
  const ChainHeader& header = header_of(guard.bytes());
  if (!belongs(header, stamp)) return Step::restart;
  page = {header.size, header.next};
  return Step::ok;
}

Status free_chain(pages::PageCache& cache, PageId& first, std::size_t pages_max) {
  for (std::size_t i = 0; i < pages_max && first != kNoPage; ++i) {
    ExclusiveGuard guard;
    TRY(take(cache, first, guard));
    first = header_of(guard.bytes()).next;
    guard.free_page();
  }
  return {};
}

}  // namespace isolith::btree

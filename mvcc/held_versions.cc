#include "mvcc/held_versions.h"

#include <algorithm>
#include <new>

namespace isolith::mvcc {

Version* make_held(const Version& version, bool with_value) {
  const std::size_t value_size = with_value ? version.value_size : 0;
  auto* held = new (::operator new(sizeof(Version) + version.key_size + value_size)) Version(version);
  held->value_size = static_cast<std::uint32_t>(value_size);
  held->next_in_bucket = nullptr;
  held->from_in_bucket = nullptr;
  held->older_in_log = nullptr;
  std::copy_n(version.bytes(), version.key_size + value_size, held->bytes());
  return held;
}

void free_held(Version* version) noexcept {
  version->~Version();
  ::operator delete(version);
}

std::uint64_t HeldList::push(Version* version) noexcept {
  version->older_in_log = first;
  first = version;
  ++count;
  const std::uint64_t size = sizeof(Version) + version->key_size + version->value_size;
  bytes += size;
  return size;
}

HeldVersions::~HeldVersions() {
  while (!by_snapshot_.empty()) {
    for (Version* version = take(by_snapshot_.begin()->first); version != nullptr;) {
      Version* const older = version->older_in_log;
      free_held(version);
      version = older;
    }
  }
}

Version* HeldVersions::take(Timestamp snapshot) noexcept {
  const auto at = by_snapshot_.find(snapshot);
  if (at == by_snapshot_.end()) return nullptr;
  Version* const first = at->second.first;
  bytes_ -= at->second.bytes;
  by_snapshot_.erase(at);
  return first;
}

Version* HeldVersions::take_ended(const LiveSnapshots& live) noexcept {
  Version* all = nullptr;
  for (auto at = by_snapshot_.begin(); at != by_snapshot_.end();) {
    if (live.contains(at->first)) {
      ++at;
      continue;
    }
    for (Version* version = at->second.first; version != nullptr;) {
      Version* const older = version->older_in_log;
      version->older_in_log = all;
      all = version;
      version = older;
    }
    bytes_ -= at->second.bytes;
    at = by_snapshot_.erase(at);
  }
  return all;
}

}  // namespace isolith::mvcc

#include "mvcc/held_versions.h"

#include <algorithm>
#include <new>
#include <utility>

#include "mvcc/spilled_versions.h"

namespace isolith::mvcc {

namespace {

std::uint64_t held_bytes(const Version& version) noexcept {
  return sizeof(Version) + version.key_size + version.value_size;
}

}  // namespace

Version* make_held(const Version& version, bool with_value) {
  const std::size_t value_size = with_value ? version.value_size : 0;
  auto* held = new (::operator new(sizeof(Version) + version.key_size + value_size)) Version;
  // Not the links: its neighbours in the store change them.
  held->superseder = version.superseder;
  held->writer = version.writer;
  held->table = version.table;
  held->root = version.root;
  held->hash = version.hash;
  held->value_size = static_cast<std::uint32_t>(value_size);
  held->key_size = version.key_size;
  held->kind = version.kind;
  held->flags = version.flags;
  held->erases = version.erases;
  held->shares_value = version.shares_value;
  std::copy_n(version.bytes(), version.key_size + value_size, held->bytes());
  return held;
}

void free_held(Version* version) noexcept {
  version->~Version();
  ::operator delete(version);
}

HeldVersions::~HeldVersions() {
  const LiveSnapshots none;
  while (Version* version = take_ended(none)) free_held(version);
}

void HeldVersions::hold(Timestamp snapshot, Version* version) {
  HeldList& list = by_snapshot_[snapshot];
  Version*& first =
      SpilledVersions::takes(*version) && version->is_in_store ? list.first : list.unspillable;
  version->older_in_log = first;
  first = version;
  ++list.count;
  list.bytes += held_bytes(*version);
  bytes_ += held_bytes(*version);
}

Version* HeldVersions::take(Lists::iterator at, Version*& from) noexcept {
  Version* const version = std::exchange(from, from->older_in_log);
  version->older_in_log = nullptr;
  --at->second.count;
  at->second.bytes -= held_bytes(*version);
  bytes_ -= held_bytes(*version);
  if (at->second.count == 0) by_snapshot_.erase(at);
  return version;
}

Version* HeldVersions::take_ended(const LiveSnapshots& live) noexcept {
  for (auto at = by_snapshot_.begin(); at != by_snapshot_.end(); ++at) {
    if (live.contains(at->first)) continue;
    return take(at, at->second.first != nullptr ? at->second.first : at->second.unspillable);
  }
  return nullptr;
}

Version* HeldVersions::take_spillable(Timestamp snapshot) noexcept {
  const auto at = by_snapshot_.find(snapshot);
  return at == by_snapshot_.end() || at->second.first == nullptr ? nullptr : take(at, at->second.first);
}

}  // namespace isolith::mvcc

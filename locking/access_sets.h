// AccessSets: what one transaction has read and written, for as long as somebody may ask who comes before
// whom.
//
// A key is known by 64 bits of its hash: two that share one would count as the same, which can fail a
// transaction without need and never misses a conflict. What was written is kept as keys too, to tell whether
// a range has it.
//
// `comes_before` needs no list of edges: from A to B leads a way of dependencies, each between those two or
// through other writers of the same key, exactly if
//   wr  A wrote a key that B read, and A had committed when B's snapshot was taken,
//   ww  both wrote a key, and A committed first,
//   rw  B wrote a key that A read, there or not, and A's snapshot is older than B's commit.
//
// Threads: its transaction's; from `finish` on it does not change until it is used again (recent_commits.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace isolith::locking {

class TrackedRanges;

enum class Dependency : std::uint8_t { wr, ww, rw };

// [lo, hi); an absent `hi` is the table's end.
struct ReadRange {
  TrackedRanges* table = nullptr;
  std::string lo;
  std::optional<std::string> hi;
  bool is_shared = false;  // another read of the same transaction was found to be in it: it keeps its ends

  [[nodiscard]] bool contains(std::string_view key) const noexcept { return key >= lo && (!hi || key < *hi); }
};

struct WrittenKey {
  std::uint64_t hash = 0;
  TrackedRanges* table = nullptr;
  TableId table_id{};
  std::uint32_t at = 0;  // of `AccessSets::key_bytes`
  std::uint32_t size = 0;
};

struct alignas(64) AccessSets {
  static constexpr std::string_view kTrackedLevel = "serializable_ssi";  // where nothing else is said

  // At a level that locks what it reads the snapshot is of the moment of its commit.
  std::uint64_t snapshot = 0;
  std::uint64_t commit_ts = 0;
  std::uint64_t number = 0;  // as reports name it; 0: it has none
  // Filters: a bit for each hash.
  std::uint64_t read_bits = 0;
  std::uint64_t write_bits = 0;
  std::atomic<bool> is_kept{false};  // committed, for others to look at (recent_commits.h)
  bool is_unmarked = false;  // it said that it only reads: nobody but the search knows what it has read
  bool reads_all = false;    // it may have read anything
  bool writes_all = false;   // it made or dropped a table

  std::vector<std::uint64_t> reads;  // hashes of keys; one may be there more than once
  std::vector<ReadRange> ranges;
  std::vector<WrittenKey> writes;
  std::string key_bytes;

  // For reports.
  std::string_view level = kTrackedLevel;  // of a built-in policy, or `own_level`
  std::string own_level;   // of a policy of the program's own, which may be gone by then
  std::string label;

  void clear() noexcept;
  void add_read(std::uint64_t hash) {
    if (reads.size() == reads.capacity()) [[unlikely]]
      make_room();
    reads.push_back(hash);
    read_bits |= bit_of(hash);
  }
  void add_write(std::uint64_t hash, TrackedRanges& table, TableId id, std::string_view key) {
    const auto at = static_cast<std::uint32_t>(key_bytes.size());
    key_bytes.append(key);
    writes.push_back({hash, &table, id, at, static_cast<std::uint32_t>(key.size())});
    write_bits |= bit_of(hash);
  }
  [[nodiscard]] std::string_view key_of(const WrittenKey& write) const noexcept {
    return {key_bytes.data() + write.at, write.size};
  }
  // All is in: sorts what was read.
  void finish() noexcept {
    if (reads.size() > 1) std::sort(reads.begin(), reads.end());
  }
  [[nodiscard]] static constexpr std::uint64_t bit_of(std::uint64_t hash) noexcept {
    return std::uint64_t{1} << (hash >> 58);
  }

 private:
  void make_room();
};

// Why A comes before B, and the key (of A's or B's writes); none: it does not, by itself.
struct WayBefore {
  Dependency kind = Dependency::rw;
  TableId table{};
  std::string_view key;
};
std::optional<WayBefore> comes_before(const AccessSets& a, const AccessSets& b);

}  // namespace isolith::locking

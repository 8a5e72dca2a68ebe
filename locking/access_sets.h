// AccessSets: what one transaction has read and written, for as long as somebody may ask who comes before
// whom.
//
// A key is known by 64 bits of its hash: two that share one count as the same. That can fail a transaction
// without need; and one that read the one and wrote the other, without reading it, leaves no mark of what it
// read. What was written is kept as keys too, to tell whether a range has it.
//
// `comes_before` needs no list of edges: from A to B leads a way of dependencies, each between those two or
// through other writers of the same key, exactly if
//   wr  A wrote a key that B read, and A had committed when B's snapshot was taken,
//   ww  both wrote a key, and A committed first,
//   rw  B wrote a key that A read, there or not, and A's snapshot is older than B's commit.
//
// A set that is used again has the room that it had, as long as that is little; more is claimed from
// `SharedRoom` once all is in, and goes where it is refused, or where the next one makes little use of it.
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

// A place in `AccessSets::key_bytes`.
struct StoredKey {
  std::size_t at = 0;
  std::size_t size = 0;
};

// From `lo` on up to before `hi`, or to the table's end.
struct ReadRange {
  TrackedRanges* table = nullptr;
  StoredKey lo;
  StoredKey hi;
  bool has_hi = false;
  bool is_shared = false;  // another read of the same transaction was found to be in it: it keeps its ends
};

struct WrittenKey {
  std::uint64_t hash = 0;
  TrackedRanges* table = nullptr;
  TableId table_id{};
  StoredKey key;
};

// Memory, in bytes, that all sets of a database may have together, beside the little that each has anyway.
// Threads: any.
class SharedRoom {
 public:
  explicit SharedRoom(std::uint64_t max) : max_(static_cast<std::int64_t>(max)) {}

  // Changes nothing where there is not so much left.
  bool try_claim(std::int64_t more) noexcept {
    std::int64_t bytes = bytes_.load(std::memory_order_relaxed);
    do {
      if (bytes + more > max_) return false;
    } while (!bytes_.compare_exchange_weak(bytes, bytes + more, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::int64_t bytes) noexcept { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t left() const noexcept { return max_ - bytes(); }

 private:
  const std::int64_t max_;
  std::atomic<std::int64_t> bytes_{0};
};

struct alignas(64) AccessSets {
  static constexpr std::string_view kTrackedLevel = "serializable_ssi";  // where nothing else is said
  static constexpr std::ptrdiff_t kOfEachMax = 4096;
  static constexpr std::size_t kBytesMax = std::size_t{1} << 20;
  static constexpr std::size_t kOwnRoom = 2048;  // bytes, of each of the four lists below: not shared

  explicit AccessSets(SharedRoom& room) : shared_room(room) {}

  // At a level that locks what it reads the snapshot is of the moment of its commit.
  std::uint64_t snapshot = 0;
  std::uint64_t commit_ts = 0;
  std::uint64_t number = 0;  // as reports name it; 0: it has none
  // Filters: a bit for each hash.
  std::uint64_t read_bits = 0;
  std::uint64_t write_bits = 0;
  std::atomic<bool> is_kept{false};  // committed, for others to look at (recent_commits.h)
  bool is_unmarked = false;       // it said that it only reads: nobody but the search knows what it has read
  bool reads_all = false;         // it may have read anything
  bool writes_all = false;        // it made or dropped a table
  bool is_refused = false;        // it has too much, in it or in room, to be kept for others to look at
  bool has_rest = false;          // there is more to clear than in most: names, or room for much
  std::int64_t shared_bytes = 0;  // that it has of `shared_room`
  SharedRoom& shared_room;

  std::vector<std::uint64_t> reads;  // hashes of keys; one may be there more than once
  std::vector<ReadRange> ranges;
  std::vector<WrittenKey> writes;
  std::string key_bytes;

  // For reports.
  std::string_view level = kTrackedLevel;  // of a built-in policy, or `own_level`
  std::string own_level;                   // of a policy of the program's own, which may be gone by then
  std::string label;

  // For the next one.
  void clear() noexcept {
    if (has_rest || shared_bytes != 0) [[unlikely]]
      clear_rest();
    snapshot = commit_ts = number = 0;
    read_bits = write_bits = 0;
    is_unmarked = reads_all = writes_all = is_refused = false;
    reads.clear();
    ranges.clear();
    writes.clear();
    key_bytes.clear();
  }
  void add_read(std::uint64_t hash) {
    if (reads.size() == reads.capacity()) [[unlikely]]
      make_room();
    reads.push_back(hash);
    read_bits |= bit_of(hash);
  }
  ReadRange& add_range(TrackedRanges& table, std::string_view lo, std::optional<std::string_view> hi) {
    ReadRange& range = ranges.emplace_back();
    range.table = &table;
    if (!lo.empty()) range.lo = store(lo);
    if (hi) set_hi(range, *hi);
    return range;
  }
  void set_hi(ReadRange& range, std::string_view hi) {
    range.hi = store(hi);
    range.has_hi = true;
  }
  void add_write(std::uint64_t hash, TrackedRanges& table, TableId id, std::string_view key) {
    writes.push_back({hash, &table, id, store(key)});
    write_bits |= bit_of(hash);
  }
  // Views of what is kept here, until more is added.
  [[nodiscard]] std::string_view key_of(const WrittenKey& write) const noexcept { return view(write.key); }
  [[nodiscard]] std::string_view lo_of(const ReadRange& range) const noexcept { return view(range.lo); }
  [[nodiscard]] std::optional<std::string_view> hi_of(const ReadRange& range) const noexcept {
    return range.has_hi ? std::optional(view(range.hi)) : std::nullopt;
  }
  [[nodiscard]] bool has_all_of(const TrackedRanges& table) const noexcept {
    return std::any_of(ranges.begin(), ranges.end(), [&](const ReadRange& range) {
      return range.table == &table && range.lo.size == 0 && !range.has_hi;
    });
  }
  [[nodiscard]] bool contains(const ReadRange& range, std::string_view key) const noexcept {
    return key >= lo_of(range) && (!range.has_hi || key < view(range.hi));
  }
  StoredKey store(std::string_view key) {
    const std::size_t at = key_bytes.size();
    key_bytes.append(key);
    return {at, key.size()};
  }
  // All is in: sorts what was read.
  void finish() noexcept {
    if (reads.end() - reads.begin() > 1) std::sort(reads.begin(), reads.end());
  }
  // Whether it has room that is shared, or has to be.
  [[nodiscard]] bool is_roomy() const noexcept { return shared_bytes != 0 || has_more_room_than_own(); }
  // All is in: claims what it has room for, or is refused.
  void claim_room() noexcept;
  // One that was refused may be kept once others have given back so much; not if it is large.
  [[nodiscard]] std::int64_t missing_room() const noexcept {
    return room_to_share() - shared_bytes - shared_room.left();
  }
  // It is empty, and has no room.
  void drop_room() noexcept;
  // More than is kept in any case.
  [[nodiscard]] bool is_large() const noexcept {
    return reads.end() - reads.begin() > kOfEachMax || ranges.end() - ranges.begin() > kOfEachMax ||
           writes.end() - writes.begin() > kOfEachMax || key_bytes.size() > kBytesMax;
  }
  [[nodiscard]] static constexpr std::uint64_t bit_of(std::uint64_t hash) noexcept {
    return std::uint64_t{1} << (hash >> 58);
  }

 private:
  [[nodiscard]] std::string_view view(const StoredKey& key) const noexcept {
    return {key_bytes.data() + key.at, key.size};
  }
  [[nodiscard]] bool has_more_room_than_own() const noexcept {
    return reads.capacity() > kOwnRoom / sizeof(reads[0]) ||
           ranges.capacity() > kOwnRoom / sizeof(ranges[0]) ||
           writes.capacity() > kOwnRoom / sizeof(writes[0]) || key_bytes.capacity() > kOwnRoom;
  }
  [[nodiscard]] std::int64_t bytes_in_use() const noexcept {
    return static_cast<std::int64_t>(reads.size() * sizeof(reads[0]) + ranges.size() * sizeof(ranges[0]) +
                                     writes.size() * sizeof(writes[0]) + key_bytes.size());
  }
  [[nodiscard]] std::int64_t room_to_share() const noexcept {
    if (!has_more_room_than_own()) return 0;
    return static_cast<std::int64_t>(reads.capacity() * sizeof(reads[0]) +
                                     ranges.capacity() * sizeof(ranges[0]) +
                                     writes.capacity() * sizeof(writes[0]) + key_bytes.capacity());
  }
  void make_room();
  void clear_rest() noexcept;
};

// Whether A has read all that B has, which has read no more than a few ranges.
bool has_read_all_of(const AccessSets& a, const AccessSets& b);

// Why A comes before B, and the key (of A's or B's writes); none: it does not, by itself.
struct WayBefore {
  Dependency kind = Dependency::rw;
  TableId table{};
  std::string_view key;
};
std::optional<WayBefore> comes_before(const AccessSets& a, const AccessSets& b);

}  // namespace isolith::locking

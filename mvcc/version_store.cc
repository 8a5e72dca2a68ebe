#include "mvcc/version_store.h"

#include <algorithm>
#include <thread>

#include "base/bytes.h"
#include "base/check.h"

namespace isolith::mvcc {
namespace {

__extension__ using Wide = unsigned __int128;

// Multiply and fold, as wyhash does (Wang Yi, public domain); 16 bytes a step.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t kSecret1 = 0xa0761d6478bd642fULL;
constexpr std::uint64_t kSecret2 = 0xe7037ed1a0b428dbULL;

}  // namespace

Version* UndoLog::make(std::string_view key, std::string_view value) {
  constexpr std::size_t kAlign = alignof(Version);
  const std::size_t size = (sizeof(Version) + key.size() + value.size() + kAlign - 1) / kAlign * kAlign;
  if (blocks_.empty() || used_ + size > blocks_.back().size) {
    const std::size_t last = blocks_.empty() ? kBlockBytesMin / 2 : blocks_.back().size;
    const std::size_t block = std::max(size, std::min(last * 2, kBlockBytesMax));
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(block), block});
    used_ = 0;
  }
  auto* version = new (blocks_.back().memory.get() + used_) Version;
  used_ += size;
  bytes_ += size;
  version->key_size = static_cast<std::uint16_t>(key.size());
  version->value_size = static_cast<std::uint32_t>(value.size());
  std::copy(key.begin(), key.end(), version->bytes());
  std::copy(value.begin(), value.end(), version->bytes() + key.size());
  return version;
}

void UndoLog::reset() noexcept {
  newest = nullptr;
  next_committed = nullptr;
  commit_ts = {};
  count = 0;
  bytes_ = 0;
  used_ = 0;
  if (blocks_.size() > 1) blocks_.resize(1);
  if (!blocks_.empty() && blocks_.front().size > kBlockBytesMin) blocks_.clear();
}

VersionStore::VersionStore() : shards_(new Shard[kShards]) {
  for (std::size_t i = 0; i < kShards; ++i) shards_[i].buckets.assign(kBucketsMin, nullptr);
}

VersionStore::~VersionStore() = default;

std::uint64_t VersionStore::hash_of(TableId table, std::string_view key) noexcept {
  std::uint64_t hash = mix(raw(table) ^ kSecret1, key.size() ^ kSecret2);
  const char* at = key.data();
  std::size_t left = key.size();
  for (; left >= 16; left -= 16, at += 16) {
    hash = mix(base::load<std::uint64_t>(at) ^ hash, base::load<std::uint64_t>(at + 8) ^ kSecret2);
  }
  // What is left in two words, which may have bytes in common: with the size they tell each byte.
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (left >= 8) {
    first = base::load<std::uint64_t>(at);
    last = base::load<std::uint64_t>(at + left - 8);
  } else if (left >= 4) {
    first = base::load<std::uint32_t>(at);
    last = base::load<std::uint32_t>(at + left - 4);
  } else if (left > 0) {
    first = static_cast<unsigned char>(at[0]);
    last = static_cast<std::uint64_t>(static_cast<unsigned char>(at[left / 2])) << 8 |
           static_cast<unsigned char>(at[left - 1]);
  }
  return mix(mix(first ^ hash, last ^ kSecret1), kSecret2);
}

void VersionStore::SpinLatch::lock() noexcept {
  for (unsigned round = 0; held_.exchange(true, std::memory_order_acquire); ++round) {
    while (held_.load(std::memory_order_relaxed)) {
      if (++round < 64) {
        __builtin_ia32_pause();
      } else {
        std::this_thread::yield();
      }
    }
  }
}

void VersionStore::insert(Version* version) {
  Shard& shard = shard_of(version->hash);
  const std::lock_guard lock(shard.latch);
  const std::uint64_t count = shard.count.load(std::memory_order_relaxed);
  if (count >= shard.buckets.size()) grow(shard);
  Version*& bucket = shard.buckets[bucket_of(version->hash, shard)];
  version->next_in_bucket = bucket;
  version->from_in_bucket = &bucket;
  version->is_in_store = true;
  if (bucket != nullptr) bucket->from_in_bucket = &version->next_in_bucket;
  bucket = version;
  shard.count.store(count + 1, std::memory_order_relaxed);
  shard.bytes.store(shard.bytes.load(std::memory_order_relaxed) + bytes_of(*version),
                    std::memory_order_relaxed);
}

void VersionStore::remove(Version* version) {
  Shard& shard = shard_of(version->hash);
  const std::lock_guard lock(shard.latch);
  CHECK(version->from_in_bucket != nullptr && *version->from_in_bucket == version,
        "a version is removed once");
  *version->from_in_bucket = version->next_in_bucket;
  if (version->next_in_bucket != nullptr) version->next_in_bucket->from_in_bucket = version->from_in_bucket;
  version->from_in_bucket = nullptr;
  version->is_in_store = false;
  shard.count.store(shard.count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  shard.bytes.store(shard.bytes.load(std::memory_order_relaxed) - bytes_of(*version),
                    std::memory_order_relaxed);
}

void VersionStore::replace(Version* version, Version* copy) {
  Shard& shard = shard_of(version->hash);
  const std::lock_guard lock(shard.latch);
  copy->next_in_bucket = version->next_in_bucket;
  copy->from_in_bucket = version->from_in_bucket;
  *copy->from_in_bucket = copy;
  if (copy->next_in_bucket != nullptr) copy->next_in_bucket->from_in_bucket = &copy->next_in_bucket;
  version->from_in_bucket = nullptr;
  version->is_in_store = false;
  copy->is_in_store = true;
}

// Twice as many buckets. Each old one falls apart into two, in order, so that newest stays first.
void VersionStore::grow(Shard& shard) {
  std::vector<Version*> buckets(shard.buckets.size() * 2, nullptr);
  const std::size_t mask = buckets.size() - 1;
  for (std::size_t i = 0; i < shard.buckets.size(); ++i) {
    Version** tails[2] = {&buckets[i], &buckets[i + shard.buckets.size()]};
    for (Version* v = shard.buckets[i]; v != nullptr; v = v->next_in_bucket) {
      Version**& tail = tails[(v->hash & mask) == i ? 0 : 1];
      *tail = v;
      v->from_in_bucket = tail;
      tail = &v->next_in_bucket;
    }
    *tails[0] = nullptr;
    *tails[1] = nullptr;
  }
  shard.buckets = std::move(buckets);
}

std::uint64_t VersionStore::count() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) sum += shards_[i].count.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t VersionStore::bytes() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) sum += shards_[i].bytes.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace isolith::mvcc

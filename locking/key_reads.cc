#include "locking/key_reads.h"

#include <algorithm>
#include <utility>

namespace isolith::locking {
namespace {

template <typename Marks>
void erase_at(Marks& marks, std::size_t at) {
  marks[at] = marks.back();
  marks.pop_back();
}

}  // namespace

KeyReads::KeyReads() : buckets_(std::make_unique<Bucket[]>(kBuckets)) {}

std::int64_t KeyReads::enter(Tracked& reader, std::uint64_t hash, std::uint64_t oldest, bool& is_new) {
  Bucket& bucket = bucket_of(hash);
  const std::lock_guard lock(bucket.mutex);
  std::int64_t more = 0;
  is_new = true;
  for (std::size_t i = 0; i < bucket.marks.size();) {
    const Mark& mark = bucket.marks[i];
    if (mark.reader == nullptr && mark.ts <= oldest) {
      erase_at(bucket.marks, i);
      --more;
      continue;
    }
    if (mark.reader == &reader && mark.hash == hash) is_new = false;
    ++i;
  }
  if (!is_new) return more;
  bucket.marks.push_back({hash, &reader, 0});
  return more + 1;
}

std::int64_t KeyReads::give_up(const Tracked& reader, std::uint64_t hash) {
  Bucket& bucket = bucket_of(hash);
  const std::lock_guard lock(bucket.mutex);
  for (std::size_t i = 0; i < bucket.marks.size(); ++i) {
    if (bucket.marks[i].reader != &reader || bucket.marks[i].hash != hash) continue;
    erase_at(bucket.marks, i);
    return -1;
  }
  return 0;
}

std::int64_t KeyReads::leave(const Tracked* reader, std::uint64_t hash, std::uint64_t ts,
                             std::uint64_t oldest) {
  Bucket& bucket = bucket_of(hash);
  const std::lock_guard lock(bucket.mutex);
  std::int64_t more = 0;
  Mark* committed = nullptr;
  Mark* own = nullptr;
  for (Mark& mark : bucket.marks) {
    if (mark.hash != hash) continue;
    if (mark.reader == nullptr) committed = &mark;
    if (mark.reader != nullptr && mark.reader == reader) own = &mark;
  }
  if (committed != nullptr) {
    committed->ts = std::max(committed->ts, ts);
    if (own == nullptr) return 0;
    erase_at(bucket.marks, static_cast<std::size_t>(own - bucket.marks.data()));
    return -1;
  }
  if (own != nullptr) {
    *own = {hash, nullptr, ts};
    return 0;
  }
  for (std::size_t i = 0; i < bucket.marks.size();) {
    if (bucket.marks[i].reader == nullptr && bucket.marks[i].ts <= oldest) {
      erase_at(bucket.marks, i);
      --more;
    } else {
      ++i;
    }
  }
  bucket.marks.push_back({hash, nullptr, ts});
  return more + 1;
}

std::int64_t KeyReads::drop(std::uint64_t oldest, std::uint64_t& newest) {
  std::int64_t more = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    Bucket& bucket = buckets_[i];
    const std::lock_guard lock(bucket.mutex);
    for (std::size_t at = 0; at < bucket.marks.size();) {
      const Mark& mark = bucket.marks[at];
      if (mark.reader == nullptr && mark.ts <= oldest) {
        newest = std::max(newest, mark.ts);
        erase_at(bucket.marks, at);
        --more;
      } else {
        ++at;
      }
    }
    bucket.marks.shrink_to_fit();
  }
  return more;
}

}  // namespace isolith::locking

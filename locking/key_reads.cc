#include "locking/key_reads.h"

#include "base/fence.h"

namespace isolith::locking {

KeyReads::KeyReads() : buckets_(std::make_unique<Bucket[]>(kBuckets)) {}

void KeyReads::Bucket::add_more(const Mark& mark) {
  if (more_ == nullptr) more_ = std::make_unique<std::vector<Mark>>();
  more_->push_back(mark);
  set_size(size() + 1);
}

void KeyReads::Bucket::erase_more() noexcept {
  if (size() >= kInline) more_->pop_back();
  if (size() <= kInline) more_.reset();
}

std::int64_t KeyReads::Bucket::drop(std::uint64_t oldest) noexcept {
  const std::size_t before = size();
  for (std::size_t i = 0; i < size();) {
    if (at(i).is_over(oldest)) {
      erase(i);
    } else {
      ++i;
    }
  }
  return static_cast<std::int64_t>(size()) - static_cast<std::int64_t>(before);
}

std::int64_t KeyReads::enter(Tracked& reader, std::uint64_t hash, std::uint64_t oldest, bool& is_new) {
  Bucket& bucket = bucket_of(hash);
  std::int64_t more = 0;
  {
    const std::lock_guard lock(bucket.latch);
    more = bucket.drop(oldest);
    is_new = true;
    for (std::size_t i = 0; i < bucket.size() && is_new; ++i) {
      Mark& mark = bucket.at(i);
      is_new = mark.hash != hash || mark.is_committed() || mark.reader() != &reader;
      if (!is_new) mark.set_repeated();
    }
    if (!is_new) return more;
    bucket.add(Mark(hash, reader));
  }
  base::full_fence();
  return more + 1;
}

std::int64_t KeyReads::give_up(const Tracked& reader, std::uint64_t hash) {
  Bucket& bucket = bucket_of(hash);
  const std::lock_guard lock(bucket.latch);
  for (std::size_t i = 0; i < bucket.size(); ++i) {
    const Mark& mark = bucket.at(i);
    if (mark.hash != hash || mark.is_committed() || mark.reader() != &reader) continue;
    bucket.erase(i);
    return -1;
  }
  return 0;
}

std::int64_t KeyReads::leave(const Tracked* reader, std::uint64_t hash, std::uint64_t ts,
                             std::uint64_t oldest) {
  Bucket& bucket = bucket_of(hash);
  const std::lock_guard lock(bucket.latch);
  const std::int64_t more = bucket.drop(oldest);
  std::size_t own = bucket.size();
  std::size_t committed = bucket.size();
  for (std::size_t i = 0; i < bucket.size(); ++i) {
    const Mark& mark = bucket.at(i);
    if (mark.hash != hash) continue;
    if (mark.is_committed()) {
      committed = i;
    } else if (mark.reader() == reader) {
      own = i;
    }
  }
  const bool has_own = own < bucket.size();
  if (committed < bucket.size()) {
    if (bucket.at(committed).ts() < ts) bucket.at(committed) = Mark(hash, ts);
    if (has_own) bucket.erase(own);
    return more - (has_own ? 1 : 0);
  }
  if (has_own) {
    bucket.at(own) = Mark(hash, ts);
    return more;
  }
  bucket.add(Mark(hash, ts));
  return more + 1;
}

std::int64_t KeyReads::drop(std::uint64_t oldest) {
  std::int64_t more = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::lock_guard lock(buckets_[i].latch);
    more += buckets_[i].drop(oldest);
  }
  return more;
}

}  // namespace isolith::locking

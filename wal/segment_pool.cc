#include "wal/segment_pool.h"

#include "base/check.h"

namespace isolith::wal {

SegmentPool::SegmentPool(base::FileSystem& file_system, std::string directory, std::uint64_t database_id,
                         std::uint64_t segment_bytes)
    : file_system_(&file_system),
      directory_(std::move(directory)),
      database_id_(database_id),
      segment_bytes_(segment_bytes) {
  spares_.reserve(kSpareSegmentsMax);
}

Status SegmentPool::load() {
  Result<std::vector<std::string>> names = file_system_->list(directory_);
  if (!names.ok()) return std::move(names).status();
  for (const std::string& name : *names) {  // sorted, and so are the LSNs in them
    if (const std::optional<Lsn> start = parse_segment_name(name)) {
      TRY(load_file(name, *start));
    } else if (name.ends_with(".log.tmp")) {
      TRY(file_system_->remove(directory_ + "/" + name));
    }
  }
  return Status();
}

Status SegmentPool::load_file(const std::string& name, Lsn start) {
  auto segment = std::make_unique<Segment>();
  segment->start = start;
  segment->path = directory_ + "/" + name;
  Result<std::unique_ptr<base::File>> file = file_system_->open(segment->path, base::OpenMode::read_write);
  if (!file.ok()) return std::move(file).status();
  segment->file = std::move(*file);

  SegmentHeader header;
  const Result<SegmentHeaderState> state = read_segment_header(*segment->file, start, database_id_, header);
  if (!state.ok()) return state.status();
  switch (*state) {
    case SegmentHeaderState::valid:
      break;
    case SegmentHeaderState::damaged:
    case SegmentHeaderState::other_start:
      segment->file.reset();
      return file_system_->remove(segment->path);
    case SegmentHeaderState::other_database:
    case SegmentHeaderState::other_version:
      return foreign_segment(segment->path, *state, header, database_id_);
  }
  segment->size_bytes = header.size_bytes;
  disk_bytes_.fetch_add(segment->size_bytes, std::memory_order_relaxed);
  in_use_.push_back(std::move(segment));
  return Status();
}

Status SegmentPool::drop_after(Lsn end, const std::function<Result<bool>(Segment&)>& may_keep) {
  while (!in_use_.empty() && in_use_.back()->start > end) {
    std::unique_ptr<Segment> segment = std::move(in_use_.back());
    in_use_.pop_back();
    const bool follows =
        !in_use_.empty() && in_use_.back()->holds(end) && in_use_.back()->end() == segment->start;
    if (follows && segment->size_bytes == segment_bytes_) {
      const Result<bool> keep = may_keep(*segment);
      if (!keep.ok()) return keep.status();
      if (*keep) {
        next_ = std::move(segment);
        continue;
      }
    }
    TRY(remove(std::move(segment)));
  }
  // Also for a name that is kept: the process which gave it may have ended before its own sync.
  return file_system_->sync_directory(directory_);
}

Status SegmentPool::begin_at(Lsn start) {
  Result<std::unique_ptr<Segment>> segment = make(start);
  if (!segment.ok()) return std::move(segment).status();
  CHECK(in_use_.empty() || in_use_.back()->end() <= start, "segments do not overlap");
  in_use_.push_back(std::move(*segment));
  return Status();
}

Segment* SegmentPool::holding(Lsn lsn) const {
  const std::lock_guard lock(list_mutex_);
  for (std::size_t i = in_use_.size(); i > 0; --i) {  // mostly the last
    if (in_use_[i - 1]->holds(lsn)) return in_use_[i - 1].get();
  }
  return nullptr;
}

Result<std::unique_ptr<Segment>> SegmentPool::make(Lsn start) {
  const SegmentHeader header{.start = start, .size_bytes = segment_bytes_, .database_id = database_id_};
  std::unique_ptr<Segment> spare;
  {
    const std::lock_guard lock(list_mutex_);
    if (!spares_.empty()) {
      spare = std::move(spares_.back());
      spares_.pop_back();
    }
  }
  if (spare != nullptr) {
    Result<std::unique_ptr<Segment>> recycled =
        recycle_segment(*file_system_, directory_, std::move(spare), header);
    if (!recycled.ok()) disk_bytes_.fetch_sub(segment_bytes_, std::memory_order_relaxed);
    return recycled;
  }
  Result<std::unique_ptr<Segment>> created = create_segment(*file_system_, directory_, header);
  if (created.ok()) disk_bytes_.fetch_add(segment_bytes_, std::memory_order_relaxed);
  return created;
}

Status SegmentPool::prepare_next() {
  const std::lock_guard lock(prepare_mutex_);
  return prepare_next_locked();
}

Status SegmentPool::prepare_next_locked() {
  Lsn start{};
  {
    const std::lock_guard lock(list_mutex_);
    if (next_ != nullptr) return Status();
    start = in_use_.back()->end();
  }
  Result<std::unique_ptr<Segment>> segment = make(start);
  if (!segment.ok()) return std::move(segment).status();
  const std::lock_guard lock(list_mutex_);
  next_ = std::move(*segment);
  return Status();
}

Result<Segment*> SegmentPool::take_next() {
  const std::lock_guard prepare_lock(prepare_mutex_);
  TRY(prepare_next_locked());
  const std::lock_guard lock(list_mutex_);
  CHECK(next_->start == in_use_.back()->end(), "the next segment follows on the last");
  in_use_.push_back(std::move(next_));
  return in_use_.back().get();
}

Status SegmentPool::release_before(Lsn lsn) {
  std::vector<std::unique_ptr<Segment>> unwanted;
  {
    const std::lock_guard lock(list_mutex_);
    auto keep = in_use_.begin();
    while (keep + 1 < in_use_.end() && (*keep)->end() <= lsn) {
      const bool recycle = spares_.size() < kSpareSegmentsMax && (*keep)->size_bytes == segment_bytes_;
      (recycle ? spares_ : unwanted).push_back(std::move(*keep));
      ++keep;
    }
    in_use_.erase(in_use_.begin(), keep);
  }
  Status first;
  for (std::unique_ptr<Segment>& segment : unwanted) {
    Status status = remove(std::move(segment));
    if (first.ok() && !status.ok()) first = std::move(status);
  }
  return first;
}

Status SegmentPool::remove(std::unique_ptr<Segment> segment) {
  segment->file.reset();
  disk_bytes_.fetch_sub(segment->size_bytes, std::memory_order_relaxed);
  return file_system_->remove(segment->path);
}

}  // namespace isolith::wal

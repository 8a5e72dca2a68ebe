// The writer: the appender's side (append), the group's side (make_durable, lead), and the background thread.
#include "wal/log_writer.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "wal/log_resume.h"
#include "wal/ring.h"
#include "wal/segment_pool.h"
#include "wal/unit_codec.h"

namespace isolith::wal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPageBytes = 4096;

// The largest unit that fits into a segment.
std::uint64_t unit_bytes_max(std::uint64_t segment_bytes) noexcept {
  return std::min<std::uint64_t>(kUnitBytesMax, segment_bytes - kSegmentHeaderBytes);
}

class Writer final : public LogWriter {
 public:
  explicit Writer(const LogWriterOptions& options)
      : options_(options),
        hook_(options.wait_hook != nullptr ? options.wait_hook : &default_wait_hook()),
        pool_(*options.file_system, options.directory, options.database_id, options.segment_bytes),
        ring_(options.ring_bytes) {}
  ~Writer() override;

  Status start(Lsn end, Timestamp last_timestamp);

  Result<Lsn> append(UnitKind kind, Timestamp timestamp, TransactionId transaction, std::string_view payload,
                     std::uint32_t payload_crc) override;
  Status make_durable(Lsn lsn, TransactionId waiter) override;
  void request_async() noexcept override;

  [[nodiscard]] Lsn appended_lsn() const noexcept override { return appended_.load().end; }
  [[nodiscard]] Lsn durable_lsn() const noexcept override {
    return durable_lsn_.load(std::memory_order_acquire);
  }
  [[nodiscard]] Timestamp durable_timestamp() const noexcept override {
    return durable_timestamp_.load(std::memory_order_acquire);
  }
  [[nodiscard]] Status health() const override {
    return failed_.load(std::memory_order_acquire) ? read_only() : Status();
  }
  Status release_before(Lsn lsn) override { return pool_.release_before(std::min(lsn, durable_lsn())); }
  [[nodiscard]] std::uint64_t disk_bytes() const noexcept override { return pool_.disk_bytes(); }
  [[nodiscard]] std::uint64_t sync_count() const noexcept override {
    return sync_count_.load(std::memory_order_relaxed);
  }

 private:
  // The appender's side: only in append().
  Status place(const UnitHeader& header, std::string_view payload, std::uint32_t payload_crc);
  Status cross_segment_end();
  Status reserve(std::uint64_t size_bytes);

  // Write mutex held.
  Status write_locked(Lsn to);
  Status write_piece_locked(Segment& segment, Lsn from, Lsn to);

  // Sync mutex held.
  Status lead_locked();
  Status publish(const AppendPoint::Value& point);

  Status lead_and_tell(std::unique_lock<std::mutex> sync_lock, Lsn wanted);
  Status fail(Status status);
  [[nodiscard]] Status read_only() const;
  void wake_group();

  void run_background();
  void ask_background(std::atomic<bool>& request);
  void sync_in_background();
  void write_in_background();

  const LogWriterOptions options_;
  WaitHook* const hook_;
  SegmentPool pool_;
  Ring ring_;

  // The appender's (caller's commit mutex).
  Lsn position_{};     // where the next unit goes; ahead of `appended_` while append() runs
  Lsn segment_end_{};  // of the segment that holds `position_`
  Lsn marked_{};       // what the newest mark tells
  Timestamp newest_{};

  AppendPoint appended_;

  std::mutex write_mutex_;
  std::atomic<Lsn> written_{};      // stored under the write mutex
  std::vector<Segment*> unsynced_;  // write mutex
  char page_[kPageBytes];           // write mutex: the last page of a write

  std::mutex sync_mutex_;                     // held by the leader of a group
  std::vector<Segment*> syncing_;             // sync mutex
  std::atomic<std::uint32_t> group_word_{0};  // changes when a group has ended and when the writer has failed
  std::atomic<Lsn> durable_lsn_{};            // stored under the failure mutex, before it the timestamp
  std::atomic<Timestamp> durable_timestamp_{};
  std::atomic<std::uint64_t> sync_count_{0};

  mutable std::mutex failure_mutex_;
  std::atomic<bool> failed_{false};
  std::string reason_;    // failure mutex
  int reason_errno_ = 0;  // failure mutex

  std::mutex background_mutex_;
  std::condition_variable background_wake_;
  std::atomic<bool> sync_wanted_{false};     // set under the background mutex
  std::atomic<bool> write_wanted_{false};    // likewise
  std::atomic<bool> prepare_wanted_{false};  // likewise
  bool stop_ = false;                        // background mutex
  std::thread background_;
};

Writer::~Writer() {
  if (!background_.joinable()) return;
  {
    const std::lock_guard lock(background_mutex_);
    stop_ = true;
  }
  background_wake_.notify_one();
  background_.join();
}

Status Writer::start(Lsn end, Timestamp last_timestamp) {
  const Result<Lsn> proven = resume_log(pool_, end);
  if (!proven.ok()) return proven.status();
  const Segment& segment = *pool_.in_use().back();
  position_ = std::max(end, advance(segment.start, kSegmentHeaderBytes));
  segment_end_ = segment.end();
  marked_ = *proven;
  newest_ = last_timestamp;
  appended_.store({end, last_timestamp});
  written_.store(end, std::memory_order_relaxed);
  durable_timestamp_.store(last_timestamp, std::memory_order_relaxed);
  durable_lsn_.store(end, std::memory_order_relaxed);
  unsynced_.reserve(8);
  syncing_.reserve(8);
  if (options_.background_thread) {
    prepare_wanted_.store(true, std::memory_order_relaxed);
    background_ = std::thread([this] { run_background(); });
  }
  return Status();
}

// ---- the appender ----

Result<Lsn> Writer::append(UnitKind kind, Timestamp timestamp, TransactionId transaction,
                           std::string_view payload, std::uint32_t payload_crc) {
  const bool commits = kind == UnitKind::commit || kind == UnitKind::part_commit;
  CHECK(commits || kind == UnitKind::part, "marks and pads are the writer's own");
  CHECK(commits ? timestamp > newest_ : raw(timestamp) == 0, "units stand in commit order");
  if (failed_.load(std::memory_order_acquire)) [[unlikely]]
    return read_only();
  const std::uint64_t size_bytes = kUnitHeaderBytes + payload.size();
  if (size_bytes > unit_bytes_max(options_.segment_bytes)) {
    return Status(StatusCode::too_large, "a log unit of " + std::to_string(payload.size()) + " bytes");
  }

  const Lsn durable = durable_lsn();
  if (durable > marked_) {
    TRY(place({UnitKind::mark, kUnitHeaderBytes, {}, raw(durable), kNoTransaction}, {}, 0));
    marked_ = durable;
  }
  TRY(place({kind, static_cast<std::uint32_t>(size_bytes), {}, raw(timestamp), transaction}, payload,
            payload_crc));
  if (commits) newest_ = timestamp;
  appended_.store({position_, newest_});

  const std::uint64_t unwritten = distance(written_.load(std::memory_order_relaxed), position_);
  if (unwritten > ring_.size_bytes() / 4) ask_background(write_wanted_);
  return position_;
}

Status Writer::place(const UnitHeader& header, std::string_view payload, std::uint32_t payload_crc) {
  if (distance(position_, segment_end_) < header.size_bytes) TRY(cross_segment_end());
  TRY(reserve(header.size_bytes));
  UnitHeader placed = header;
  placed.lsn = position_;
  char bytes[kUnitHeaderBytes];
  encode_unit_header(bytes, placed, payload_crc, options_.database_id);
  ring_.put(position_, {bytes, sizeof bytes});
  ring_.put(advance(position_, sizeof bytes), payload);
  position_ = advance(position_, header.size_bytes);
  return Status();
}

// Fills the segment up and goes on behind the header of the next one, which is ready then.
Status Writer::cross_segment_end() {
  const Result<Segment*> next = pool_.take_next();
  if (!next.ok()) return next.status();
  const std::uint64_t room = distance(position_, segment_end_);
  const std::string zeros(room < kUnitHeaderBytes ? room : room - kUnitHeaderBytes, '\0');
  if (room < kUnitHeaderBytes) {
    TRY(reserve(room));
    ring_.put(position_, zeros);
  } else {
    TRY(place({UnitKind::pad, static_cast<std::uint32_t>(room), {}, 0, kNoTransaction}, zeros,
              base::crc32c(zeros.data(), zeros.size())));
  }
  position_ = advance((*next)->start, kSegmentHeaderBytes);
  segment_end_ = (*next)->end();
  ask_background(prepare_wanted_);
  return Status();
}

// Makes sure that the ring has room for so many bytes at `position_`: all that was published may be written
// for it.
Status Writer::reserve(std::uint64_t size_bytes) {
  const auto fits = [&] {
    return distance(written_.load(std::memory_order_acquire), position_) + size_bytes <= ring_.size_bytes();
  };
  if (fits()) [[likely]]
    return Status();
  Status status;
  {
    const std::lock_guard lock(write_mutex_);
    status = write_locked(appended_.load().end);
  }
  if (!status.ok()) {
    wake_group();
    return status;
  }
  CHECK(fits(), "the ring holds what one append places");
  return Status();
}

// ---- writing ----

// Writes all units that end at or before `to`.
Status Writer::write_locked(Lsn to) {
  if (failed_.load(std::memory_order_acquire)) return read_only();
  Lsn from = written_.load(std::memory_order_relaxed);
  while (from < to) {
    Segment* const segment = pool_.holding(from);
    CHECK(segment != nullptr, "a segment is ready before a unit goes into it");
    if (distance(from, segment->end()) <
        kUnitHeaderBytes) {  // skipped; nothing there is worth a sync of its own
      from = segment->end();
      continue;
    }
    if (!segment->unsynced) {
      unsynced_.push_back(segment);
      segment->unsynced = true;
    }
    from = std::max(from, advance(segment->start, kSegmentHeaderBytes));
    const Lsn stop = std::min(to, segment->end());
    while (from < stop) {
      const Lsn piece_end =
          advance(from, std::min<std::uint64_t>(ring_.contiguous(from), distance(from, stop)));
      if (Status status = write_piece_locked(*segment, from, piece_end); !status.ok())
        return fail(std::move(status));
      from = piece_end;
    }
    written_.store(from, std::memory_order_release);
  }
  return Status();
}

// The last page is written to its end, with zeros: where a page of a recycled segment is not in the system's
// cache, a part of it could be written only after it has been read. The ring behind `to` belongs to the
// appender: hence a copy.
Status Writer::write_piece_locked(Segment& segment, Lsn from, Lsn to) {
  const std::uint64_t begin = distance(segment.start, from);
  const std::uint64_t end = distance(segment.start, to);
  const std::uint64_t last = std::max(begin, end / kPageBytes * kPageBytes);
  if (begin < last)
    TRY(segment.file->write_at(begin, ring_.data(from), static_cast<std::size_t>(last - begin)));
  if (last == end) return Status();
  const auto used = static_cast<std::size_t>(end - last);
  const std::uint64_t page_end =
      std::min<std::uint64_t>((end / kPageBytes + 1) * kPageBytes, segment.size_bytes);
  const auto whole = static_cast<std::size_t>(page_end - last);
  std::memcpy(page_, ring_.data(advance(from, last - begin)), used);
  std::memset(page_ + used, 0, whole - used);
  return segment.file->write_at(last, page_, whole);
}

// ---- groups ----

Status Writer::make_durable(Lsn lsn, TransactionId waiter) {
  if (durable_lsn() >= lsn) return Status();
  CHECK(lsn <= appended_lsn(), "only what was appended can become durable");
  const WaitInfo info{
      .kind = WaitKind::group_commit, .waiter = raw(waiter), .holder = 0, .table = {}, .key = {}};
  for (;;) {
    // The word first: whoever holds the sync mutex when try_lock fails changes the word after that, so the
    // wait below either sees the change or is woken by it.
    const std::uint32_t word = group_word_.load(std::memory_order_acquire);
    if (durable_lsn() >= lsn) return Status();
    if (failed_.load(std::memory_order_acquire)) return read_only();
    if (std::unique_lock sync_lock(sync_mutex_, std::try_to_lock); sync_lock.owns_lock()) {
      return lead_and_tell(std::move(sync_lock), lsn);
    }
    hook_->wait(group_word_, word, info, 0);
  }
}

// Leads a group unless one that has just ended covers `wanted`. What was appended before the call is part of
// the group, so the leader is done with one.
Status Writer::lead_and_tell(std::unique_lock<std::mutex> sync_lock, Lsn wanted) {
  Status status;
  bool grew = false;
  if (const Lsn before = durable_lsn(); before < wanted) {
    status = lead_locked();
    grew = durable_lsn() > before;
  }
  sync_lock.unlock();
  wake_group();  // also when nothing was done: a waiter may have met the mutex taken
  if (grew && options_.on_durable) options_.on_durable();
  return status;
}

Status Writer::lead_locked() {
  AppendPoint::Value point;
  {
    const std::lock_guard lock(write_mutex_);
    point = appended_.load();
    TRY(write_locked(point.end));
    syncing_.swap(unsynced_);
    for (Segment* segment : syncing_) segment->unsynced = false;
  }
  for (Segment* segment : syncing_) {
    sync_count_.fetch_add(1, std::memory_order_relaxed);
    if (Status status = segment->file->sync(); !status.ok()) return fail(std::move(status));
  }
  syncing_.clear();
  return publish(point);
}

// After a failure nothing becomes durable any more, even if a sync ended well at the same time.
Status Writer::publish(const AppendPoint::Value& point) {
  const std::lock_guard lock(failure_mutex_);
  if (!failed_.load(std::memory_order_relaxed)) {
    CHECK(point.end >= durable_lsn(), "durable_lsn only grows");
    durable_timestamp_.store(point.timestamp, std::memory_order_release);
    durable_lsn_.store(point.end, std::memory_order_release);
    return Status();
  }
  return Status(StatusCode::read_only, reason_, reason_errno_);
}

// Keeps the first reason. Who fails first gets the failure itself, everybody else `read_only`.
Status Writer::fail(Status status) {
  {
    const std::lock_guard lock(failure_mutex_);
    if (!failed_.load(std::memory_order_relaxed)) {
      reason_ = "the log can not be written any more: " + status.to_string();
      reason_errno_ = status.system_error();
      failed_.store(true, std::memory_order_release);
      return status;
    }
  }
  return read_only();
}

Status Writer::read_only() const {
  const std::lock_guard lock(failure_mutex_);
  return Status(StatusCode::read_only, reason_, reason_errno_);
}

void Writer::wake_group() {
  group_word_.fetch_add(1, std::memory_order_release);
  hook_->wake_all(group_word_);
}

// ---- the background thread ----

void Writer::request_async() noexcept {
  if (!sync_wanted_.load(std::memory_order_relaxed)) ask_background(sync_wanted_);
}

void Writer::ask_background(std::atomic<bool>& request) {
  if (request.load(std::memory_order_relaxed) || !options_.background_thread) return;
  {
    const std::lock_guard lock(background_mutex_);
    request.store(true, std::memory_order_relaxed);
  }
  background_wake_.notify_one();
}

// A request that comes while `sync_wanted_` is being taken back may see it still set and do nothing, though
// its unit is not in the sync that follows. Hence each sync is followed by a second look one interval later.
void Writer::run_background() {
  const auto interval = std::chrono::milliseconds(options_.async_interval_ms);
  int looks = 0;
  Clock::time_point due{};
  std::unique_lock lock(background_mutex_);
  const auto take = [](std::atomic<bool>& request) {
    return request.exchange(false, std::memory_order_relaxed);
  };
  while (!stop_) {
    if (looks == 0 && sync_wanted_.load(std::memory_order_relaxed)) {
      looks = 2;
      due = Clock::now() + interval;
    }
    if (looks > 0 && Clock::now() >= due) {
      looks = take(sync_wanted_) ? 1 : looks - 1;
      due = Clock::now() + interval;
      lock.unlock();
      sync_in_background();
      lock.lock();
    } else if (take(write_wanted_)) {
      lock.unlock();
      write_in_background();
      lock.lock();
    } else if (take(prepare_wanted_)) {
      lock.unlock();
      (void)pool_.prepare_next();  // append() tries again when it needs the segment, and tells
      lock.lock();
    } else if (looks > 0) {
      background_wake_.wait_until(lock, due);
    } else {
      background_wake_.wait(lock);
    }
  }
}

void Writer::sync_in_background() {
  const Lsn wanted = appended_lsn();
  if (durable_lsn() >= wanted || failed_.load(std::memory_order_acquire)) return;
  (void)lead_and_tell(std::unique_lock(sync_mutex_), wanted);  // a failure stays in health()
}

void Writer::write_in_background() {
  Status status;
  {
    const std::lock_guard lock(write_mutex_);
    status = write_locked(appended_lsn());
  }
  if (!status.ok()) wake_group();
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::open(const LogWriterOptions& options, Lsn end,
                                                   Timestamp last_timestamp) {
  CHECK(options.file_system != nullptr, "a writer has a file system");
  if (options.segment_bytes < 2 * (kSegmentHeaderBytes + kUnitHeaderBytes) ||
      options.segment_bytes > kSegmentBytesLimit) {
    return Status(StatusCode::invalid_argument,
                  "a log segment of " + std::to_string(options.segment_bytes) + " bytes");
  }
  if (!std::has_single_bit(options.ring_bytes) ||
      options.ring_bytes < 4 * (unit_bytes_max(options.segment_bytes) + kSegmentHeaderBytes)) {
    return Status(StatusCode::invalid_argument,
                  "a log ring of " + std::to_string(options.ring_bytes) + " bytes");
  }
  auto writer = std::make_unique<Writer>(options);
  TRY(writer->start(end, last_timestamp));
  return std::unique_ptr<LogWriter>(std::move(writer));
}

Status remove_log(base::FileSystem& file_system, const std::string& directory) {
  Result<std::vector<std::string>> names = file_system.list(directory);
  if (!names.ok()) return std::move(names).status();
  for (const std::string& name : *names) {
    if (!parse_segment_name(name) && !name.ends_with(".log.tmp")) continue;
    std::string path = directory;
    path.append("/").append(name);
    TRY(file_system.remove(path));
  }
  return file_system.sync_directory(directory);
}

}  // namespace isolith::wal

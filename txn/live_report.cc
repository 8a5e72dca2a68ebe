// The live report: what a database's figures are, in the file DIRECTORY/live, for `Database::observe` in any
// process.
//
//   process id, coarse clock in ms, figures of DatabaseStats, count of transactions, each one, count of
//   locks, each one
//
// Numbers are varints in the order below, strings have their length in front. The background thread writes it
// at most once a second, and only when a figure has changed: what does nothing writes nothing. The clock is
// that of the machine, so a reader in another process tells how old each thing is by now.
#include <unistd.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "txn/core.h"

namespace isolith::txn {
namespace {

constexpr std::size_t kTransactionsMax = 1000;
constexpr std::size_t kLocksMax = 1000;
constexpr std::uint64_t kStatusCodes = static_cast<std::uint64_t>(StatusCode::internal) + 1;

std::string live_path(const std::string& directory) { return directory + "/live"; }

// Writes what it is shown.
class Encoder {
 public:
  void operator()(std::uint64_t number) { base::append_varint(bytes_, number); }
  void operator()(bool answer) { bytes_.push_back(answer ? '\1' : '\0'); }
  void operator()(const std::string& text) {
    base::append_varint(bytes_, text.size());
    bytes_ += text;
  }
  void operator()(const Status& status) {
    base::append_varint(bytes_, static_cast<std::uint64_t>(status.code()));
    (*this)(std::string(status.message()));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Sets what it is shown; once something is not there in full, or not what it should be, `ok` is false.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) noexcept : reader_(bytes) {}

  void operator()(std::uint64_t& number) { ok_ = ok_ && reader_.varint(number); }
  void operator()(bool& answer) {
    std::uint64_t number = 0;
    (*this)(number);
    answer = number != 0;
  }
  void operator()(std::string& text) {
    std::uint64_t size = 0;
    std::string_view bytes;
    (*this)(size);
    ok_ = ok_ && reader_.bytes(size, bytes);
    text = bytes;
  }
  void operator()(Status& status) {
    std::uint64_t code = 0;
    std::string message;
    (*this)(code);
    (*this)(message);
    ok_ = ok_ && code < kStatusCodes;
    if (ok_ && code != 0) status = Status(static_cast<StatusCode>(code), message);
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool ends() const noexcept { return ok_ && reader_.empty(); }

 private:
  base::ByteReader reader_;
  bool ok_ = true;
};

// Shows each figure, in the order of the file.
template <typename Stats, typename Visitor>
void visit_stats(Stats& stats, Visitor& visit) {
  for (auto* figure : {&stats.data_file_bytes,
                       &stats.free_data_bytes,
                       &stats.log_bytes,
                       &stats.page_size_bytes,
                       &stats.pages,
                       &stats.cache_bytes,
                       &stats.cached_pages,
                       &stats.dirty_pages,
                       &stats.page_reads,
                       &stats.page_writes,
                       &stats.checkpoints,
                       &stats.log_syncs,
                       &stats.commits,
                       &stats.aborts,
                       &stats.lock_waits,
                       &stats.deadlocks,
                       &stats.lock_bytes,
                       &stats.lock_escalations,
                       &stats.tracked_transactions,
                       &stats.tracking_bytes,
                       &stats.tracking_folded,
                       &stats.tracking_widened,
                       &stats.active_transactions,
                       &stats.newest_commit,
                       &stats.oldest_snapshot,
                       &stats.snapshots,
                       &stats.versions,
                       &stats.version_bytes,
                       &stats.spilled_versions,
                       &stats.snapshots_failed}) {
    visit(*figure);
  }
  visit(stats.last_checkpoint);
}

template <typename Info, typename Visitor>
void visit_transaction(Info& info, Visitor& visit) {
  visit(info.level);
  visit(info.label);
  for (auto* figure : {&info.id, &info.age_ms, &info.snapshot, &info.snapshot_age_ms,
                       &info.snapshot_age_commits, &info.held_versions, &info.held_bytes}) {
    visit(*figure);
  }
  visit(info.too_old);
}

template <typename Info, typename Visitor>
void visit_lock(Info& info, Visitor& visit) {
  visit(info.transaction);
  for (auto* text : {&info.mode, &info.table, &info.key}) visit(*text);
  for (auto* answer : {&info.is_whole, &info.is_range, &info.is_waiting}) visit(*answer);
}

void encode_lock(LockInfo& info, Encoder& encoder) {
  visit_lock(info, encoder);
  encoder(info.hi.has_value());
  encoder(info.hi.value_or(std::string()));
  encoder(std::uint64_t{info.waits_for.size()});
  for (std::uint64_t other : info.waits_for) encoder(other);
}

void decode_lock(LockInfo& info, Decoder& decoder) {
  visit_lock(info, decoder);
  bool has_hi = false;
  std::string hi;
  std::uint64_t count = 0;
  decoder(has_hi);
  decoder(hi);
  if (has_hi) info.hi = std::move(hi);
  decoder(count);
  for (std::uint64_t i = 0; i < count && decoder.ok(); ++i) decoder(info.waits_for.emplace_back());
}

// Ages go in as the moments when they began, which stay the same.
std::string encode_figures(const DatabaseStats& stats, std::vector<TransactionInfo>& transactions,
                           std::vector<LockInfo>& locks) {
  const std::uint64_t now_ms = base::coarse_clock_ms();
  const std::size_t count = std::min(transactions.size(), kTransactionsMax);
  Encoder encoder;
  visit_stats(stats, encoder);
  encoder(std::uint64_t{count});
  for (std::size_t i = 0; i < count; ++i) {
    TransactionInfo& info = transactions[i];
    info.age_ms = now_ms - std::min(now_ms, info.age_ms);
    info.snapshot_age_ms = info.snapshot == 0 ? now_ms : now_ms - std::min(now_ms, info.snapshot_age_ms);
    visit_transaction(info, encoder);
  }
  const std::size_t lock_count = std::min(locks.size(), kLocksMax);
  encoder(std::uint64_t{lock_count});
  for (std::size_t i = 0; i < lock_count; ++i) encode_lock(locks[i], encoder);
  return encoder.take();
}

bool decode(std::string_view bytes, Observation& observation) {
  const std::uint64_t now_ms = base::coarse_clock_ms();
  const auto since = [&](std::uint64_t then_ms) { return now_ms - std::min(now_ms, then_ms); };
  Decoder decoder(bytes);
  std::uint64_t written_ms = 0;
  std::uint64_t count = 0;
  decoder(observation.process_id);
  decoder(written_ms);
  observation.age_ms = since(written_ms);
  visit_stats(observation.stats, decoder);
  decoder(count);
  for (std::uint64_t i = 0; i < count && decoder.ok(); ++i) {
    TransactionInfo& info = observation.transactions.emplace_back();
    visit_transaction(info, decoder);
    info.age_ms = since(info.age_ms);
    info.snapshot_age_ms = info.snapshot == 0 ? 0 : since(info.snapshot_age_ms);
  }
  decoder(count);
  for (std::uint64_t i = 0; i < count && decoder.ok(); ++i)
    decode_lock(observation.locks.emplace_back(), decoder);
  return decoder.ends();
}

}  // namespace

// Only where others can see it. That it cannot be written is no reason not to open.
void Core::begin_live_report() {
  if (log_ == nullptr || options_.file_system != nullptr) return;
  Result<std::unique_ptr<base::LiveFile>> file = base::LiveFile::create(live_path(path_));
  if (!file.ok()) return;
  live_file_ = *std::move(file);
  report_live();
}

void Core::report_live() {
  if (live_file_ == nullptr) return;
  const std::uint64_t now_ms = base::coarse_clock_ms();
  if (live_reported_ms_ != 0 &&
      now_ms < live_reported_ms_ + static_cast<std::uint64_t>(kLiveReportPeriod.count()))
    return;
  live_reported_ms_ = now_ms;
  std::vector<TransactionInfo> transactions = active_transactions();
  std::vector<LockInfo> locks = this->locks();
  std::string figures = encode_figures(stats(), transactions, locks);
  if (figures == live_reported_) return;
  std::string bytes;
  base::append_varint(bytes, static_cast<std::uint64_t>(::getpid()));
  base::append_varint(bytes, now_ms);
  // What could not be written, for a full disk perhaps, is written again when there is something new.
  (void)live_file_->write(bytes + figures).ok();
  live_reported_ = std::move(figures);
}

Result<Observation> Core::observe(const std::string& path) {
  const Result<std::string> bytes = base::read_live_file(live_path(path));
  if (!bytes.ok() && bytes.status().is(StatusCode::not_found))
    return Status(StatusCode::not_found, "no process that writes has an isolith database open in " + path);
  TRY(bytes);
  Observation observation;
  if (!decode(*bytes, observation))
    return Status(StatusCode::corruption, live_path(path) + ": not the figures of a database");
  return observation;
}

}  // namespace isolith::txn

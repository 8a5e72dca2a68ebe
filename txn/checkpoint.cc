// Checkpoints: the instant, the undo of what was in progress then, the pages, the header; and the background
// thread.
#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/check.h"
#include "txn/core.h"

namespace isolith::txn {
namespace {

// Images moved from the end of the file in one checkpoint, and when that is worth it.
constexpr std::size_t kMovesMax = 8192;
constexpr std::uint32_t kSlackSlots = 64;
constexpr std::uint64_t kSpaceSlotsMin = 2048;  // that a checkpoint for space alone is worth

bool has_slack(pages::PageMap& map) {
  return map.slot_end() > map.slots_used() + map.slots_used() / 8 + kSlackSlots;
}

}  // namespace

Status Core::checkpoint() {
  if (closed_.load(std::memory_order_acquire)) return {StatusCode::aborted, "the database is closed"};
  if (options_.read_only) return {StatusCode::read_only, "the database was opened read-only"};
  return run_checkpoint(false);
}

Status Core::run_checkpoint(bool clean) {
  if (memory_ != nullptr) return {};
  const std::lock_guard one_at_a_time(checkpoint_mutex_);
  Status status = make_checkpoint(clean);
  const std::lock_guard lock(health_mutex_);
  last_checkpoint_ = status;
  return status;
}

Status Core::make_checkpoint(bool clean) {
  TRY(writing_health());
  pages::CheckpointHeader header = file_->header();
  header.clean = clean;
  std::string saved;
  {
    // No collecting from the instant until its undo is saved: what it refers to stays as it is.
    const std::lock_guard turn(collect_mutex_);
    SavedUndoSource source;
    TRY(capture(header, source));
    saved = encode_saved_undo(source);
  }
  undo_pool_.end_hold();
  std::vector<PageId> undo_pages;
  const Status status = write_and_publish(header, saved, undo_pages);
  cache_->end_checkpoint();
  checkpoint_lsn_.store(raw(header.replay_from), std::memory_order_relaxed);
  if (status.ok()) saved_undo_pages_.swap(undo_pages);
  // After a failed sync nobody knows which header a crash would find: what either needs stays.
  if (!status.ok() && file_->health().ok()) file_->abandon_checkpoint();
  for (const PageId id : undo_pages) file_->map().free_id(id);
  if (!status.ok()) {
    // A full disk or a failed write may pass; a failed sync does not, and the file knows.
    if (const Status health = file_->health(); !health.ok()) fail_writing(health);
    return status;
  }
  checkpoints_.fetch_add(1, std::memory_order_relaxed);
  return log_->release_before(header.log_from);
}

// The instant. Everything of a header but where its pages are.
Status Core::capture(pages::CheckpointHeader& header, SavedUndoSource& source) {
  gate_.close();
  // Whoever left something half done has said so before it let go of the gate or the collector's mutex.
  if (Status status = writing_health(); !status.ok()) {
    gate_.open();
    return status;
  }
  undo_pool_.hold();
  // The last checkpoint keeps their images; this one does not contain them.
  for (const PageId id : saved_undo_pages_) file_->map().free_id(id);
  saved_undo_pages_.clear();
  header.number = cache_->begin_checkpoint();
  header.replay_from = log_->appended_lsn();
  header.log_from = header.replay_from;
  header.next_transaction = statuses_->next_id();
  header.timestamp = Timestamp{published_ts_.load(std::memory_order_relaxed)};
  header.catalog_root = catalog_root_;
  header.next_table = next_table_.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    const TransactionState& state = slots_.at(i);
    if (state.undo == nullptr) continue;
    source.in_progress.push_back({state.own_id(), state.undo->newest, state.pending_chain});
    if (state.spilled) header.log_from = std::min(header.log_from, state.first_part);
  }
  source.committed_first = committed_first_;
  source.committed_last = committed_last_;
  source.held = &held_;
  source.is_dropped = [this](TableId table) {
    return tables_.find(table)->dropped.load(std::memory_order_relaxed);
  };
  for (const PageId root : spilled_.roots()) source.dropped_trees.push_back(root);
  for (const DroppedTable& table : dropped_tables_) source.dropped_trees.push_back(table.root);
  gate_.open();
  return {};
}

Status Core::write_and_publish(pages::CheckpointHeader& header, std::string_view saved,
                               std::vector<PageId>& undo_pages) {
  TRY(write_saved_undo(saved, header, undo_pages));
  TRY(cache_->write_checkpoint_pages());
  if (has_slack(file_->map())) TRY(file_->move_tail(kMovesMax));
  std::uint32_t id_count = cache_->checkpoint_id_count();
  for (const PageId id : undo_pages) id_count = std::max(id_count, raw(id) + 1);
  TRY(file_->prepare_checkpoint(header, id_count));
  TRY(log_->make_durable(header.replay_from, kNoTransaction));
  TRY(file_->publish_checkpoint(header));
  // It counts, whether or not the file can be cut.
  if (has_slack(file_->map())) (void)file_->shrink().ok();
  return {};
}

// A page chain that never is in the cache; the checkpoint in progress contains it.
Status Core::write_saved_undo(std::string_view bytes, pages::CheckpointHeader& header,
                              std::vector<PageId>& ids) {
  header.undo_bytes = bytes.size();
  header.undo_first = kNoPage;
  const std::size_t count = (bytes.size() + btree::kChainPayloadBytes - 1) / btree::kChainPayloadBytes;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(file_->map().allocate_checkpoint_id());
  if (count > 0) header.undo_first = ids.front();
  std::array<char, pages::kPageBytes> page{};
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view part = bytes.substr(i * btree::kChainPayloadBytes, btree::kChainPayloadBytes);
    const PageId following = i + 1 < count ? ids[i + 1] : kNoPage;
    btree::format_chain_page(page.data(), ids[i], header.number - 1, following, part);
    TRY(file_->write(ids[i], page.data()));
  }
  return {};
}

Status Core::sync() {
  if (closed_.load(std::memory_order_acquire)) return {StatusCode::aborted, "the database is closed"};
  return log_ == nullptr ? Status() : log_->make_durable(log_->appended_lsn(), kNoTransaction);
}

void Core::wake_background() {
  {
    const std::lock_guard lock(background_mutex_);
    background_checkpoint_ = true;
  }
  background_wake_.notify_one();
}

// Whether a checkpoint gives far more space back than it writes: most of what the last one keeps is of pages
// that are gone since; or the file has so much room in front that its tail can go.
bool Core::is_space_due() const {
  pages::PageMap& map = file_->map();
  const std::uint64_t used = map.slots_used();
  const std::uint64_t gone = used - std::min<std::uint64_t>(used, map.pages_in_use());
  const std::uint64_t room = map.slot_end() > settled_slot_end_ ? map.slot_end() - used : 0;
  const std::uint64_t gain = std::max(gone, room);
  return gain > kSpaceSlotsMin && gain > used / 4 && cache_->dirty_pages() < gain / 10;
}

// A failure that stays is told by the next write; one that passes is tried again when the log has grown.
void Core::run_due_checkpoints(bool asked) {
  const std::uint64_t grown = raw(log_->appended_lsn()) - checkpoint_lsn_.load(std::memory_order_relaxed);
  if (asked && grown > options_.checkpoint_log_bytes && !run_checkpoint(false).ok()) return;
  while (is_space_due()) {
    pages::PageMap& map = file_->map();
    const std::uint32_t end = map.slot_end();
    const std::uint32_t used = map.slots_used();
    if (!run_checkpoint(false).ok()) return;
    settled_slot_end_ = map.slot_end() < end || map.slots_used() < used ? 0 : end;  // no use trying again
  }
}

// Checkpoints when the log has grown, collecting when something became durable, and the live report. Sleeps
// otherwise.
void Core::run_background() {
  TransactionState& self = *slots_.acquire();
  for (;;) {
    bool checkpoints = false;
    bool collects = true;
    {
      std::unique_lock lock(background_mutex_);
      const auto is_work = [this] {
        return background_stop_ || background_checkpoint_ || background_collect_;
      };
      if (live_file_ == nullptr) {
        background_wake_.wait(lock, is_work);
      } else {
        collects = background_wake_.wait_for(lock, kLiveReportPeriod, is_work);
      }
      if (background_stop_) break;
      checkpoints = background_checkpoint_;
      background_checkpoint_ = false;
      background_collect_ = false;
    }
    report_live();
    if (!collects) continue;
    collect(self, Effort::background);
    run_due_checkpoints(checkpoints);
  }
  Slots::release(self);
}

}  // namespace isolith::txn

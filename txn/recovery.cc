// Recovery: the checkpoint, its saved undo, then the log after it, by value and in commit order.
//
// Parts of a transaction are replayed where they stand if its commit follows: it held its write locks from
// its first write to its commit, so nothing between the part and the commit touches the same keys.
#include <algorithm>
#include <unordered_set>

#include "base/bytes.h"
#include "base/check.h"
#include "txn/core.h"
#include "txn/replayer.h"
#include "wal/log_reader.h"

namespace isolith::txn {

Status Core::recover() {
  const pages::CheckpointHeader& header = file_->header();
  PageId catalog_root = header.catalog_root;
  if (catalog_root == kNoPage) {
    if (options_.read_only) return {StatusCode::not_found, path_ + " was never finished being made"};
    TRY(btree::BTree::create(*cache_, catalog_root));
    recovery_.created = true;
    TRY(files_.create_directory(log_path()));
    TRY(wal::remove_log(files_, log_path()));
    if (const Status status = files_.sync_directory(path_); !status.ok()) {
      // A failed sync is not tried again: the next opening makes new names. Nothing is in these files yet.
      (void)files_.remove(log_path()).ok();
      (void)files_.remove(data_path()).ok();
      return status;
    }
  }
  tables_.add(kCatalogTable, catalog_root, "(catalog)");
  next_table_.store(std::max(header.next_table, std::uint32_t{1}), std::memory_order_relaxed);
  catalog_root_ = catalog_root;
  TRY(apply_saved_undo());
  TRY(load_catalog());
  Lsn end = header.replay_from;
  Timestamp newest = header.timestamp;
  std::uint64_t next_id = raw(header.next_transaction);
  // Nothing was promised before the first checkpoint: whatever the log holds is a making that was not
  // finished.
  if (memory_ == nullptr && !recovery_.created) TRY(replay(end, newest, next_id));
  statuses_ = std::make_unique<mvcc::StatusTable>(TransactionId{next_id});
  newest_ts_ = raw(newest);
  published_ts_.store(raw(newest), std::memory_order_relaxed);
  checkpoint_lsn_.store(raw(header.replay_from), std::memory_order_relaxed);
  recovery_.clean = header.clean && recovery_.replayed_transactions == 0 && !recovery_.created;
  if (memory_ != nullptr || options_.read_only) return {};
  wal::LogWriterOptions options;
  options.file_system = &files_;
  options.directory = log_path();
  options.database_id = header.database_id;
  options.segment_bytes = options_.log_segment_bytes;
  options.async_interval_ms = options_.async_interval_ms;
  options.wait_hook = &hook_;
  options.on_durable = [this] { note_durable(); };
  Result<std::unique_ptr<wal::LogWriter>> log = wal::LogWriter::open(options, end, newest);
  TRY(log);
  log_ = *std::move(log);
  return {};
}

Status Core::apply_saved_undo() {
  const pages::CheckpointHeader& header = file_->header();
  if (header.undo_first == kNoPage) return {};
  if (options_.read_only) {
    return {StatusCode::read_only, path_ + " was not closed cleanly: open it once for writing"};
  }
  std::string saved(header.undo_bytes, '\0');
  const btree::ChainReference chain{header.undo_bytes, 0, header.undo_first};
  Status failure;
  if (btree::read_chain(*cache_, chain, 0, saved.data(), saved.size(), failure) != pages::Step::ok) {
    return failure.ok()
               ? Status(StatusCode::corruption, data_path() + ": the saved undo is not where the header says")
               : failure;
  }
  TRY(free_chain_pages(header.undo_first));
  Replayer replayer(*this);
  SavedReader reader(saved);
  for (SavedItem item; reader.next(item); ++recovery_.undone_operations) TRY(replayer.apply(item));
  return reader.malformed() ? Status(StatusCode::corruption, data_path() + ": the saved undo is malformed")
                            : Status();
}

Status Core::replay(Lsn& end, Timestamp& newest, std::uint64_t& next_id) {
  const pages::CheckpointHeader& header = file_->header();
  const wal::LogReaderOptions options{&files_, log_path(), header.database_id, header.replay_from};
  // First who committed: parts stand before the word that they count.
  std::unordered_set<std::uint64_t> committed;
  bool finds_any = false;
  {
    Result<std::unique_ptr<wal::LogReader>> reader = wal::LogReader::open(options, header.log_from);
    TRY(reader);
    wal::Unit unit;
    Result<bool> more = false;
    while ((more = (*reader)->next(unit)).ok() && *more) {
      if (unit.lsn < header.replay_from) continue;
      finds_any = true;
      next_id = std::max(next_id, raw(unit.transaction) + 1);
      if (unit.kind != wal::UnitKind::part) newest = std::max(newest, unit.timestamp);
      if (unit.kind == wal::UnitKind::part_commit) committed.insert(raw(unit.transaction));
    }
    TRY(more);
    end = (*reader)->end();
    recovery_.torn_tail_bytes = (*reader)->torn_tail_bytes();
  }
  if (!finds_any) return {};
  if (options_.read_only) {
    return {StatusCode::read_only, path_ + " was not closed cleanly: open it once for writing"};
  }
  Result<std::unique_ptr<wal::LogReader>> reader = wal::LogReader::open(options, header.log_from);
  TRY(reader);
  Replayer replayer(*this);
  wal::Unit unit;
  Result<bool> more = false;
  while ((more = (*reader)->next(unit)).ok() && *more) {
    const bool counts = unit.kind == wal::UnitKind::part ? committed.contains(raw(unit.transaction))
                                                         : unit.lsn >= header.replay_from;
    if (!counts) continue;
    TRY(replayer.apply(unit));
    recovery_.replayed_log_bytes += raw(unit.end) - raw(unit.lsn);
    if (unit.kind != wal::UnitKind::part) ++recovery_.replayed_transactions;
  }
  TRY(more);
  recovery_.replayed_operations = replayer.operations();
  return {};
}

}  // namespace isolith::txn

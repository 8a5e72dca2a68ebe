// Checking everything, and the figures.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "txn/core.h"

namespace isolith::txn {

using btree::RowFlags;
using btree::RowView;

namespace {

// Who refers to each page: exactly one, or nobody may have it.
class Reachability {
 public:
  explicit Reachability(std::uint32_t id_count) : seen_(id_count) {}

  void see(PageId id, std::vector<std::string>& problems) {
    if (raw(id) >= seen_.size()) {
      problems.push_back("page " + std::to_string(raw(id)) + " is referred to and was never given out");
    } else if (seen_[raw(id)]) {
      problems.push_back("page " + std::to_string(raw(id)) + " is referred to twice");
    } else {
      seen_[raw(id)] = true;
      ++count_;
    }
  }
  [[nodiscard]] bool seen(std::uint32_t id) const { return seen_[id]; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::vector<bool> seen_;
  std::uint64_t count_ = 0;
};

}  // namespace

// Walks a chain: every page is there, and the sizes add up.
Status Core::verify_chain(const btree::ChainReference& chain, const std::function<void(PageId)>& on_page,
                          std::vector<std::string>& problems) {
  std::uint64_t size = 0;
  PageId id = chain.first;
  while (id != kNoPage && size <= chain.size) {
    btree::ChainPage page;
    Status failure;
    if (btree::inspect_chain_page(*cache_, id, chain.stamp, page, failure) != pages::Step::ok) {
      problems.push_back("large value, page " + std::to_string(raw(id)) + ": " +
                         (failure.ok() ? "not a piece of it" : failure.to_string()));
      return {};
    }
    on_page(id);
    size += page.size;
    id = page.following;
  }
  // A value that is being appended to may be ahead of its row.
  if (size < chain.size) {
    problems.push_back("large value, page " + std::to_string(raw(chain.first)) + ": " + std::to_string(size) +
                       " of " + std::to_string(chain.size) + " bytes");
  }
  return {};
}

Status Core::verify_table(const TableInfo& table, VerifyReport& report,
                          const std::function<void(PageId)>& on_page) {
  btree::TreeStats stats;
  std::vector<std::string> problems;
  std::vector<btree::ChainReference> chains;
  TRY(btree::BTree(*cache_, table.root)
          .walk(stats, problems, on_page, [&](std::string_view, const RowView& row) {
            if (has(row.flags, RowFlags::large)) chains.push_back(btree::load_reference(row.value));
          }));
  for (const btree::ChainReference& chain : chains) TRY(verify_chain(chain, on_page, problems));
  report.rows += stats.rows;
  for (const std::string& problem : problems)
    report.problems.push_back("table " + table.name + ": " + problem);
  return {};
}

Result<VerifyReport> Core::verify() {
  if (closed_.load(std::memory_order_acquire)) return Status(StatusCode::aborted, "the database is closed");
  // Nobody writes, collects or checkpoints meanwhile.
  const std::lock_guard no_checkpoint(checkpoint_mutex_);
  const std::lock_guard no_collecting(collect_mutex_);
  gate_.close();
  VerifyReport report;
  const Status status = verify_all(report);
  gate_.open();
  TRY(status);
  return report;
}

Status Core::verify_all(VerifyReport& report) {
  Reachability reached(file_->map().id_count());
  const auto on_page = [&](PageId id) { reached.see(id, report.problems); };
  TRY(verify_table(*tables_.find(kCatalogTable), report, on_page));
  report.rows = 0;  // of the tables, not of their list
  for (std::uint32_t id = 1; id < next_table_.load(std::memory_order_relaxed); ++id) {
    const TableInfo* table = tables_.find(TableId{id});
    if (table == nullptr || table->dropped.load(std::memory_order_relaxed)) continue;
    ++report.tables;
    TRY(verify_table(*table, report, on_page));
  }
  for (const PageId id : saved_undo_pages_) on_page(id);
  for (const PageId root : spilled_.roots()) {
    btree::TreeStats stats;
    TRY(btree::BTree(*cache_, root).walk(stats, report.problems, on_page, nullptr));
  }
  // Old versions and values that are being written refer to pages, too; only without them is every page
  // accounted for.
  bool quiet = versions_.count() == 0 && dropped_tables_.empty() && committed_first_ == nullptr;
  for (std::uint32_t i = 0; i < slots_.count(); ++i) quiet = quiet && slots_.at(i).pending_chain == kNoPage;
  for (std::uint32_t id = 1; quiet && id < file_->map().id_count(); ++id) {
    if (file_->map().is_allocated(PageId{id}) && !reached.seen(id)) {
      report.problems.push_back("page " + std::to_string(id) + " is in use and nothing refers to it");
    }
  }
  report.pages = reached.count();
  file_->verify_images(report.problems);
  return {};
}

Result<TableStats> Core::table_stats(const Table& handle) {
  Result<Transaction> transaction = begin(Isolation::read_committed);
  TRY(transaction);
  Status status;
  const TableInfo* table = find_table(*state_of(*transaction), handle, status);
  if (table == nullptr) return status;
  const std::lock_guard no_checkpoint(checkpoint_mutex_);
  const std::lock_guard no_collecting(collect_mutex_);
  gate_.close();
  TableStats stats;
  btree::TreeStats tree;
  std::vector<std::string> problems;
  status = btree::BTree(*cache_, table->root)
               .walk(tree, problems, nullptr, [&](std::string_view, const RowView& row) {
                 if (!has(row.flags, RowFlags::large)) return;
                 const std::uint64_t size = btree::load_reference(row.value).size;
                 stats.large_value_pages +=
                     (size + btree::kChainPayloadBytes - 1) / btree::kChainPayloadBytes;
               });
  gate_.open();
  TRY(status);
  if (!problems.empty())
    return Status(StatusCode::corruption, "table " + table->name + ": " + problems.front());
  stats.name = table->name;
  stats.rows = tree.rows;
  stats.leaf_pages = tree.leaf_pages;
  stats.inner_pages = tree.inner_pages;
  stats.height = tree.height;
  stats.leaf_fill =
      static_cast<double>(tree.leaf_used_bytes) / static_cast<double>(tree.leaf_pages * pages::kPageBytes);
  return stats;
}

DatabaseStats Core::stats() {
  DatabaseStats stats;
  if (closed_.load(std::memory_order_acquire)) return stats;
  const pages::CacheStats cache = cache_->stats();
  stats.data_file_bytes = file_->file_bytes();
  stats.page_size_bytes = pages::kPageBytes;
  const std::uint64_t used = std::uint64_t{file_->map().slots_used()} * pages::kPageBytes;
  stats.free_data_bytes = stats.data_file_bytes - std::min(stats.data_file_bytes, used);
  stats.log_bytes = log_ == nullptr ? 0 : log_->disk_bytes();
  stats.pages = file_->map().pages_in_use();
  stats.cache_bytes = cache.frames * pages::kPageBytes;
  stats.cached_pages = cache.cached_pages;
  stats.dirty_pages = cache.dirty_pages;
  stats.page_reads = file_->reads();
  stats.page_writes = file_->writes();
  stats.checkpoints = checkpoints_.load(std::memory_order_relaxed);
  {
    const std::lock_guard lock(health_mutex_);
    stats.last_checkpoint = last_checkpoint_;
  }
  stats.log_syncs = log_ == nullptr ? 0 : log_->sync_count();
  stats.commits = commits_.load(std::memory_order_relaxed);
  stats.aborts = aborts_.load(std::memory_order_relaxed);
  stats.lock_waits = locks_->graph().waits();
  stats.deadlocks = locks_->graph().deadlocks();
  stats.lock_bytes = locks_->bytes();
  stats.lock_escalations = locks_->escalations();
  stats.tracked_transactions = tracker_.tracked();
  stats.tracking_bytes = tracker_.bytes();
  stats.tracking_folded = tracker_.folded();
  stats.tracking_widened = tracker_.widened();
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    stats.active_transactions += is_active(slots_.at(i)) ? 1 : 0;
  }
  stats.newest_commit = published_ts_.load(std::memory_order_relaxed);
  {
    const std::lock_guard turn(collect_mutex_);
    look_at_snapshots();
    stats.oldest_snapshot = raw(live_.oldest());
    stats.snapshots = live_.times().size();
  }
  stats.snapshots_failed = snapshots_failed_.load(std::memory_order_relaxed);
  stats.spilled_versions = spilled_.count();
  stats.versions = versions_.count();
  stats.version_bytes = versions_.bytes();
  return stats;
}

}  // namespace isolith::txn

// The catalog: a table like any other (id 0) whose keys are table names and whose values are id u32, root
// page u32. Making and dropping tables are writes to it, with the same locks, versions and undo.
#include "base/bytes.h"
#include "base/check.h"
#include "txn/core.h"

namespace isolith::txn {
namespace {

constexpr std::size_t kEntryBytes = 8;

std::string encode_entry(TableId id, PageId root) {
  std::string entry;
  base::append_fixed(entry, id);
  base::append_fixed(entry, root);
  return entry;
}

Status check_name(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxTableNameBytes) return {};
  return {StatusCode::invalid_argument,
          "a table's name has 1 to 255 bytes, this one " + std::to_string(name.size())};
}

}  // namespace

TableInfo* Core::find_table(TransactionState& state, const Table& handle, Status& status) const {
  if (handle.database_ != instance_) [[unlikely]] {
    status = Status(StatusCode::invalid_argument, handle.database_ == 0
                                                      ? "the table handle names nothing"
                                                      : "the table handle is of another database");
    return nullptr;
  }
  TableInfo* info = tables_.find(TableId{handle.id_});
  const std::uint64_t creator = info == nullptr ? 0 : info->creator.load(std::memory_order_acquire);
  const bool usable = info != nullptr && (creator == 0 || creator == raw(state.own_id())) &&
                      is_there(state, *info) &&
                      (info->dropper.load(std::memory_order_relaxed) == 0 ||
                       info->dropper.load(std::memory_order_relaxed) != raw(state.own_id()));
  if (info != nullptr && state.is_tracking() && is_changed_since(state, *info)) [[unlikely]]
    note_table(state, *info);
  if (!usable) [[unlikely]] {
    note_absence(state);
    if (state.is_tracking()) state.tracked->sets->reads_all = true;  // it comes before who makes it
    status = Status(StatusCode::not_found,
                    creator == 0 ? "the table was dropped" : "the table is not committed yet");
    return nullptr;
  }
  return info;
}

// A table that was dropped since is there for older snapshots; one that was made since is not.
bool Core::is_there(const TransactionState& state, const TableInfo& table) noexcept {
  const bool dropped = table.dropped.load(std::memory_order_seq_cst);
  if (state.view != ReadView::snapshot) return !dropped;
  const bool is_own = table.creator.load(std::memory_order_relaxed) == raw(state.own_id()) &&
                      state.own_id() != kNoTransaction;
  if (!is_own && table.created_ts.load(std::memory_order_relaxed) > raw(state.as_of)) return false;
  return !dropped || table.dropped_ts.load(std::memory_order_relaxed) > raw(state.as_of);
}

Table Core::handle_of(const TableInfo& info) const noexcept {
  Table table;
  table.database_ = instance_;
  table.id_ = raw(info.id);
  table.root_ = raw(info.root);
  return table;
}

Result<Table> Core::open_table(TransactionState& state, std::string_view name) {
  TRY(check_active(state));
  TRY(check_name(name));
  std::string entry;
  TRY(get(state, handle_of(*tables_.find(kCatalogTable)), name, entry));
  if (entry.size() != kEntryBytes)
    return Status(StatusCode::corruption, "the catalog's entry of a table is damaged");
  const TableInfo* info = tables_.find(base::load<TableId>(entry.data()));
  if (info == nullptr) return Status(StatusCode::corruption, "the catalog names a table that is not known");
  // Read uncommitted sees the name; the table is its maker's alone.
  const std::uint64_t creator = info->creator.load(std::memory_order_acquire);
  if (creator != 0 && creator != raw(state.own_id())) return Status(StatusCode::not_found);
  return handle_of(*info);
}

Result<Table> Core::create_table(TransactionState& state, std::string_view name) {
  TRY(check_active(state));
  TRY(check_name(name));
  TRY(check_writable(state));
  TRY(begin_writing(state));
  const TableId id{next_table_.fetch_add(1, std::memory_order_relaxed)};
  PageId root = kNoPage;
  {
    // In one hold: a checkpoint sees the tree together with its undo.
    const GateHold inside(gate_, state);
    TRY(btree::BTree::create(*cache_, root));
    tables_.add(id, root, name).creator.store(raw(state.own_id()), std::memory_order_release);
    link_table_version(state, mvcc::VersionKind::create_table, id, root);
  }
  Status status = write_catalog(state, name, WriteKind::insert, encode_entry(id, root));
  if (status.is(StatusCode::already_exists) && state.read_locks != ReadLocks::none) {
    // As in `write`: that it is there was learned.
    status = lock_key(state, *tables_.find(kCatalogTable), name);
    if (status.ok()) status = write_catalog(state, name, WriteKind::insert, encode_entry(id, root));
  }
  if (status.ok()) status = log_operation(state, {wal::OperationKind::create_table, id, name, {}});
  if (!status.ok()) {
    if (state.phase == Phase::active) TRY(take_back_table(state, id, root));
    return status;
  }
  return handle_of(*tables_.find(id));
}

// The name was taken: the tree goes again. Its version is the newest of the transaction.
Status Core::take_back_table(TransactionState& state, TableId id, PageId root) {
  const std::lock_guard turn(collect_mutex_);
  const GateHold inside(gate_, state);
  state.undo->newest = state.undo->newest->older_in_log;
  tables_.find(id)->dropped.store(true, std::memory_order_seq_cst);
  Status status = free_tree(root);
  if (!status.ok()) fail_writing(status);  // within the gate: no checkpoint takes what is half done
  return status;
}

Status Core::drop_table(TransactionState& state, const Table& handle) {
  TRY(check_active(state));
  Status status;
  TableInfo* info = find_table(state, handle, status);
  if (info == nullptr) return status;
  if (info->id == kCatalogTable) return {StatusCode::invalid_argument, "the catalog is not dropped"};
  TRY(check_writable(state));
  TRY(begin_writing(state));
  // Not under whoever writes to it or has read it with locks.
  TRY(lock_table(state, handle, TableLock::exclusive, IfLocked::wait));
  // The lock first: while it was waited for, the table may have gone, and its name to another one.
  TRY(write_catalog(state, info->name, WriteKind::lock, {}));
  if (!is_there(state, *info)) return {StatusCode::not_found, "the table was dropped"};
  TRY(write_catalog(state, info->name, WriteKind::erase, {}));
  {
    const GateHold inside(gate_, state);
    link_table_version(state, mvcc::VersionKind::drop_table, info->id, info->root);
    info->dropper.store(raw(state.own_id()), std::memory_order_release);
  }
  return log_operation(state, {wal::OperationKind::drop_table, info->id, {}, {}});
}

void Core::link_table_version(TransactionState& state, mvcc::VersionKind kind, TableId id, PageId root) {
  mvcc::Version* version = state.undo->make({}, {});
  version->kind = kind;
  version->superseder = state.own_id();
  version->table = id;
  version->root = root;
  state.undo->link(version);
  state.changes_tables = true;
}

// A row of the catalog, without redo of its own: the log has the operation on the table.
Status Core::write_catalog(TransactionState& state, std::string_view name, WriteKind kind,
                           std::string_view entry) {
  return write_row(state, *tables_.find(kCatalogTable), name, kind, entry);
}

Result<std::vector<std::string>> Core::tables() {
  Result<Transaction> transaction = begin(Isolation::read_committed);
  TRY(transaction);
  TransactionState& state = *state_of(*transaction);
  Result<Cursor> rows = cursor(state, handle_of(*tables_.find(kCatalogTable)), KeyRange::all(), {});
  TRY(rows);
  std::vector<std::string> names;
  for (rows->seek_first(); rows->valid(); rows->next()) names.emplace_back(rows->key());
  TRY(rows->status());
  return names;
}

// What the catalog names, at opening.
Status Core::load_catalog() {
  const btree::BTree tree(*cache_, tables_.find(kCatalogTable)->root);
  btree::TreeStats stats;
  std::vector<std::string> problems;
  std::uint32_t next = next_table_.load(std::memory_order_relaxed);
  TRY(tree.walk(stats, problems, nullptr, [&](std::string_view name, const btree::RowView& row) {
    if (has(row.flags, btree::RowFlags::erased) || row.value.size() != kEntryBytes) return;
    const auto id = base::load<TableId>(row.value.data());
    tables_.add(id, base::load<PageId>(row.value.data() + 4), name);
    next = std::max(next, raw(id) + 1);
  }));
  next_table_.store(next, std::memory_order_relaxed);
  TRY(stats.unreadable);
  return problems.empty() ? Status() : Status(StatusCode::corruption, "the catalog: " + problems.front());
}

Status Core::free_tree(PageId root) {
  return btree::BTree(*cache_, root).free_all([this](const btree::RowView& row) {
    if (!has(row.flags, btree::RowFlags::large)) return Status();
    return free_chain_pages(btree::load_reference(row.value).first);
  });
}

}  // namespace isolith::txn

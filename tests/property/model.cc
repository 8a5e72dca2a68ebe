// The model's life: transactions begin and end, the database closes, crashes and opens.
#include "tests/property/model.h"

#include <algorithm>

namespace isolith::property {
namespace {

// The version that commit `as_of` left, or null.
const Version* version_at(const Cell& cell, std::uint64_t as_of) {
  for (auto version = cell.versions.rbegin(); version != cell.versions.rend(); ++version) {
    if (version->commit <= as_of) return &*version;
  }
  return nullptr;
}

}  // namespace

// ---- the database's life ----

void Model::open() {
  ++opening_;
  tables_.try_emplace(kCatalog);
}

void Model::close() {
  for (auto& [id, transaction] : transactions_) {
    if (transaction.active) (void)abort(id);
  }
  make_durable();
  crash(commits_);
}

void Model::crash(std::uint64_t commits) {
  const Contents left = contents(commits);
  for (auto& [id, transaction] : transactions_) finish(transaction);
  tables_.clear();
  ModelTable& catalog = tables_[kCatalog];
  for (const auto& [name, rows] : left) {
    ModelTable& table = tables_[next_table_];
    table.name = name;
    for (const auto& [key, value] : rows) table.cells[key].versions.push_back({0, value});
    catalog.cells[name].versions.push_back({0, std::to_string(next_table_++)});
  }
  commits_ = durable_ = aborts_ = waits_ = 0;
}

Contents Model::contents(std::uint64_t commits) const {
  Contents contents;
  for (const auto& [name, entry] : tables_.at(kCatalog).cells) {
    const Version* id = version_at(entry, commits);
    if (id == nullptr || !id->value) continue;
    auto& rows = contents[name];
    for (const auto& [key, cell] : tables_.at(std::stoull(*id->value)).cells) {
      const Version* version = version_at(cell, commits);
      if (version != nullptr && version->value) rows.emplace_hint(rows.end(), key, *version->value);
    }
  }
  return contents;
}

DatabaseStats Model::stats() const {
  DatabaseStats stats;
  stats.commits = commits_;
  stats.aborts = aborts_;
  stats.lock_waits = waits_;
  for (const auto& [id, transaction] : transactions_) stats.active_transactions += transaction.active ? 1 : 0;
  return stats;
}

// It counts what is in progress, too.
VerifyReport Model::verify() const {
  VerifyReport report;
  for (const auto& [id, table] : tables_) {
    if (id == kCatalog || table.dropped) continue;
    ++report.tables;
    for (const auto& [key, cell] : table.cells) {
      const bool there = cell.owner != 0 ? cell.current.has_value()
                                         : !cell.versions.empty() && cell.versions.back().value.has_value();
      report.rows += there ? 1 : 0;
    }
  }
  return report;
}

// ---- transactions ----

std::uint64_t Model::begin(const TransactionOptions& options) {
  ModelTransaction& transaction = transactions_[next_transaction_];
  transaction.newest = options.policy != nullptr ? options.policy->read_view() == ReadView::newest
                                                 : options.isolation.value_or(Isolation::read_committed) ==
                                                       Isolation::read_uncommitted;
  transaction.read_only = options.read_only;
  transaction.durability = options.durability.value_or(Durability::sync);
  return next_transaction_++;
}

void Model::finish(ModelTransaction& transaction) {
  transaction.active = false;
  transaction.undo.clear();
  transaction.savepoints.clear();
  transaction.locks.clear();
  transaction.uses.clear();
  for (auto& [number, table] : tables_) {
    if (table.holder != 0 && &transactions_.at(table.holder) == &transaction) table.holder = 0;
  }
}

Answer Model::commit(std::uint64_t id) {
  ModelTransaction& transaction = transactions_.at(id);
  if (!transaction.active) return {StatusCode::aborted, {}, 0};
  if (transaction.has_id) ++commits_;
  for (const auto& [table, key] : transaction.locks) {
    Cell& cell = tables_.at(table).cells.at(key);
    if (cell.written) cell.versions.push_back({commits_, std::move(cell.current)});
    cell.owner = 0;
    cell.written = false;
    forget_if_unused(table, key);
  }
  for (const Undo& undo : transaction.undo) {
    ModelTable& table = tables_.at(undo.table);
    if (undo.what == Undo::What::create) table.maker = 0;
    if (undo.what == Undo::What::drop && table.dropper == id) table.dropped = true;
  }
  // One that only read waits for what it has read.
  if (transaction.durability == Durability::sync)
    durable_ = std::max(durable_, transaction.has_id ? commits_ : transaction.seen);
  finish(transaction);
  return {};
}

Answer Model::abort(std::uint64_t id) {
  ModelTransaction& transaction = transactions_.at(id);
  if (!transaction.active) return {StatusCode::aborted, {}, 0};
  undo_to(id, 0);
  for (const auto& [table, key] : transaction.locks) {
    tables_.at(table).cells.at(key).owner = 0;
    changed(id, table);
    forget_if_unused(table, key);
  }
  if (transaction.has_id) ++aborts_;
  finish(transaction);
  return {};
}

void Model::forget_if_unused(std::uint64_t table, const std::string& key) {
  auto& cells = tables_.at(table).cells;
  const auto cell = cells.find(key);
  if (cell->second.versions.empty()) cells.erase(cell);
}

// Takes back what was done last, until `size` steps are left. Locks stay.
void Model::undo_to(std::uint64_t id, std::size_t size) {
  auto& undo = transactions_.at(id).undo;
  for (; undo.size() > size; undo.pop_back()) {
    Undo& last = undo.back();
    ModelTable& table = tables_.at(last.table);
    switch (last.what) {
      case Undo::What::row: {
        Cell& cell = table.cells.at(last.key);
        cell.written = last.written;
        cell.current = std::move(last.current);
        changed(id, last.table);
        break;
      }
      case Undo::What::create:
        table.dropped = true;
        break;
      case Undo::What::drop:
        table.dropper = 0;
        break;
    }
  }
}

Answer Model::savepoint(std::uint64_t id) {
  ModelTransaction& transaction = transactions_.at(id);
  if (const StatusCode code = refuse(id, nullptr, true, {}); code != StatusCode::ok) return {code, {}, 0};
  transaction.has_id = true;
  transaction.savepoints.emplace_back(next_savepoint_, transaction.undo.size());
  return {StatusCode::ok, {}, next_savepoint_++};
}

Answer Model::rollback_to(std::uint64_t id, std::uint64_t owner, std::uint64_t savepoint) {
  ModelTransaction& transaction = transactions_.at(id);
  if (!transaction.active) return {StatusCode::aborted, {}, 0};
  auto& points = transaction.savepoints;
  for (std::size_t i = 0; owner == id && i < points.size(); ++i) {
    if (points[i].first != savepoint) continue;
    undo_to(id, points[i].second);
    points.resize(i + 1);
    return {};
  }
  return {StatusCode::invalid_argument, {}, 0};
}

// ---- reading ----

const Value& Model::visible(std::uint64_t id, const Cell& cell, std::uint64_t as_of) const {
  static const Value kNone;
  const ModelTransaction& transaction = transactions_.at(id);
  if (cell.owner == id && cell.written) return cell.current;
  if (cell.owner != 0 && transaction.newest) return cell.current;
  const Version* version = version_at(cell, transaction.newest ? commits_ : as_of);
  return version == nullptr ? kNone : version->value;
}

void Model::look_at(std::uint64_t id, const Cell& cell, std::uint64_t as_of) {
  ModelTransaction& transaction = transactions_.at(id);
  if (cell.owner == id || (cell.owner != 0 && transaction.newest)) return;
  const Version* version = version_at(cell, transaction.newest ? commits_ : as_of);
  if (version != nullptr) transaction.seen = std::max(transaction.seen, version->commit);
}

Answer Model::get(std::uint64_t id, const Handle& handle, const std::string& key) {
  const StatusCode code = refuse(id, &handle, false, {key});
  if (code != StatusCode::ok) return {code, {}, 0};
  const auto& cells = tables_.at(handle.table).cells;
  const auto cell = cells.find(key);
  if (cell == cells.end()) return {StatusCode::not_found, {}, 0};
  look_at(id, cell->second, commits_);
  const Value& value = visible(id, cell->second, commits_);
  return {value ? StatusCode::ok : StatusCode::not_found, value, 0};
}

std::uint64_t Model::foreign_changes(std::uint64_t id, std::uint64_t table) const {
  const ModelTable& found = tables_.at(table);
  const auto own = found.changes_by.find(id);
  return found.changes - (own == found.changes_by.end() ? 0 : own->second);
}

bool Model::is_usable(std::uint64_t id, std::uint64_t table) const {
  const auto found = tables_.find(table);
  return found != tables_.end() && !found->second.dropped && found->second.dropper != id &&
         (found->second.maker == 0 || found->second.maker == id);
}

}  // namespace isolith::property

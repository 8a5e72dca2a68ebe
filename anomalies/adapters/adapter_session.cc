// Asking a store, waiting, asking again; and resetting its tables by what differs.
#include "anomalies/adapters/adapter_session.h"

#include <algorithm>

namespace isolith::anomalies {
namespace {

Status over() { return {StatusCode::aborted, "the transaction is over"}; }
Status is_read_only() { return {StatusCode::read_only, "the transaction is read only"}; }

// Both are by key.
void compare(const std::vector<Row>& now, const std::vector<Row>& wanted, RowChanges& changes) {
  changes.erase.clear();
  changes.put.clear();
  auto old = now.begin();
  for (const Row& row : wanted) {
    for (; old != now.end() && old->key < row.key; ++old) changes.erase.push_back(old->key);
    const bool there = old != now.end() && old->key == row.key;
    if (!there || old->value != row.value) changes.put.push_back(&row);
    if (there) ++old;
  }
  for (; old != now.end(); ++old) changes.erase.push_back(old->key);
}

}  // namespace

// ---- the life of a transaction ----

void AdapterSession::end() {
  const std::uint64_t id = id_;
  id_ = 0;
  savepoints_.clear();
  shared_.waits.ended(id);
}

void AdapterSession::give_up() {
  roll_back();
  end();
}

void AdapterSession::abort_if_in_progress() {
  if (id_ != 0) give_up();
}

template <typename Try>
Status AdapterSession::ask(std::string_view table, std::string_view key, const Try& try_once) {
  while (true) {
    Answer answer = try_once();
    if (!answer.in_the_way) {
      if (answer.status.is(StatusCode::conflict)) give_up();
      return std::move(answer.status);
    }
    switch (shared_.waits.wait(id_, std::move(answer.holders), table, key)) {
      case LockWaits::Outcome::again:
        continue;
      case LockWaits::Outcome::deadlock:
        give_up();
        return Status::conflict(ConflictReason::deadlock, "whoever is in the way waits for this transaction");
      case LockWaits::Outcome::timed_out:
        give_up();
        return Status::conflict(ConflictReason::lock_timeout, "waited too long for another transaction");
    }
  }
}

Status AdapterSession::begin(const BeginOptions& options) {
  if (id_ != 0) return {StatusCode::invalid_argument, "the session's transaction is in progress"};
  if (options.deferrable) {
    return {StatusCode::invalid_argument, "this engine has no deferrable transactions"};
  }
  const auto level = std::find_if(shared_.levels.begin(), shared_.levels.end(),
                                  [&](const EngineLevel& one) { return one.name == options.level; });
  if (level == shared_.levels.end()) {
    return {StatusCode::invalid_argument, "this engine has no level " + std::string(options.level)};
  }
  read_only_ = options.read_only;
  id_ = ++shared_.last_transaction;
  shared_.waits.begun(id_);
  const auto number = static_cast<std::size_t>(level - shared_.levels.begin());
  Status status = ask("", "", [&] { return try_begin(number, read_only_); });
  if (!status.ok() && id_ != 0) give_up();
  return status;
}

Status AdapterSession::commit() {
  if (id_ == 0) return over();
  Status status = ask("", "", [&] { return try_commit(); });
  if (id_ == 0) return status;
  if (!status.ok()) roll_back();
  end();
  return status;
}

Status AdapterSession::abort() {
  if (id_ == 0) return over();
  give_up();
  return {};
}

// ---- operations ----

Status AdapterSession::get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) {
  if (id_ == 0) return over();
  if (read_only_ && lock != ReadLock::none) return is_read_only();
  return ask(name_of(table), key, [&] { return try_get(table, key, lock, value); });
}

Status AdapterSession::put(std::uint32_t table, std::string_view key, std::string_view value) {
  if (id_ == 0) return over();
  if (read_only_) return is_read_only();
  return ask(name_of(table), key, [&] { return try_put(table, key, value); });
}

Status AdapterSession::insert(std::uint32_t table, std::string_view key, std::string_view value) {
  if (id_ == 0) return over();
  if (read_only_) return is_read_only();
  return ask(name_of(table), key, [&] { return try_insert(table, key, value); });
}

Status AdapterSession::erase(std::uint32_t table, std::string_view key) {
  if (id_ == 0) return over();
  if (read_only_) return is_read_only();
  return ask(name_of(table), key, [&] { return try_erase(table, key); });
}

Status AdapterSession::scan(const Target& target, std::vector<Row>& rows) {
  rows.clear();
  if (id_ == 0) return over();
  return ask(name_of(target.table), target.lo, [&] {
    rows.clear();
    return try_scan(target, rows);
  });
}

Status AdapterSession::savepoint(std::uint32_t savepoint) {
  if (id_ == 0) return over();
  if (Status status = set_savepoint(savepoints_.size()); !status.ok()) return status;
  savepoints_.push_back(savepoint);
  return {};
}

Status AdapterSession::rollback_to(std::uint32_t savepoint) {
  if (id_ == 0) return over();
  const auto last = std::find(savepoints_.rbegin(), savepoints_.rend(), savepoint);
  if (last == savepoints_.rend()) {
    return {StatusCode::invalid_argument, "the savepoint was not made in this transaction"};
  }
  const auto number = static_cast<std::size_t>(savepoints_.rend() - last) - 1;
  if (Status status = roll_back_to(number); !status.ok()) return status;
  savepoints_.resize(number + 1);
  shared_.waits.released(id_);
  return {};
}

// ---- tables ----

// Writes only what differs: most runs change a row or two.
Status AdapterEngine::reset(const std::vector<TableContents>& tables) {
  if (made_ < tables.size()) {
    if (Status status = make_tables(tables.size()); !status.ok()) return status;
    made_ = tables.size();
  }
  shared_.table_names.resize(tables.size());
  for (std::size_t i = 0; i < tables.size(); ++i) {
    shared_.table_names[i] = tables[i].name;
    const auto table = static_cast<std::uint32_t>(i);
    if (Status status = contents(table, rows_); !status.ok()) return status;
    compare(rows_, tables[i].rows, changes_);
    if (changes_.empty()) continue;
    if (Status status = change(table, changes_); !status.ok()) return status;
  }
  return {};
}

}  // namespace isolith::anomalies

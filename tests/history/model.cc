#include "tests/history/model.h"

namespace isolith::history {

// ---- transactions ----

std::uint64_t Model::begin(Level level) {
  const std::uint64_t id = transactions_.size() + 1;
  transactions_[id].level = level;
  transactions_[id].snapshot = commits_;
  return id;
}

// All that it wrote gets the next number at once.
Answer Model::commit(std::uint64_t id) {
  Transaction& transaction = transactions_.at(id);
  if (!transaction.active) return {StatusCode::aborted};
  if (!transaction.locks.empty()) ++commits_;
  for (const auto& [key, value] : transaction.work.writes) versions_[key].push_back({commits_, value});
  for (const Key& key : transaction.locks) {
    (transaction.work.touched.contains(key) ? changed_ : in_doubt_)[key] = commits_;
  }
  end(id);
  return {};
}

Answer Model::abort(std::uint64_t id) {
  Transaction& transaction = transactions_.at(id);
  if (!transaction.active) return {StatusCode::aborted};
  changed(id, transaction.work.writes);
  end(id);
  return {};
}

void Model::end(std::uint64_t id) {
  Transaction& transaction = transactions_.at(id);
  for (const Key& key : transaction.locks) owners_.erase(key);
  transaction.locks.clear();
  transaction.work = {};
  transaction.savepoints.clear();
  transaction.active = false;
}

void Model::close() {
  for (const auto& [id, transaction] : transactions_) (void)abort(id);
}

Answer Model::savepoint(std::uint64_t id) {
  Transaction& transaction = transactions_.at(id);
  if (!transaction.active) return {StatusCode::aborted};
  const std::uint64_t number = transaction.savepoints.empty() ? 1 : transaction.savepoints.back().first + 1;
  transaction.savepoints.emplace_back(number, transaction.work);
  return {StatusCode::ok, {}, {}, number, 0, {}};
}

// The locks that were taken since stay.
Answer Model::rollback_to(std::uint64_t id, std::uint64_t number) {
  Transaction& transaction = transactions_.at(id);
  if (!transaction.active) return {StatusCode::aborted};
  auto& savepoints = transaction.savepoints;
  for (std::size_t i = 0; i < savepoints.size(); ++i) {
    if (savepoints[i].first != number) continue;
    changed(id, transaction.work.writes);
    transaction.work = savepoints[i].second;
    savepoints.resize(i + 1);
    return {};
  }
  return {StatusCode::invalid_argument};
}

// ---- writes ----

Answer Model::fail(std::uint64_t id, ConflictReason reason) {
  (void)abort(id);
  return {StatusCode::conflict, reason};
}

std::optional<Answer> Model::lock(std::uint64_t id, const Key& key, Doubt doubt) {
  if (const std::uint64_t holder = owner(key); holder == id) {
    return std::nullopt;
  } else if (holder != 0) {
    // Who would close a circle of waits gives way.
    for (auto at = waits_.find(holder); at != waits_.end(); at = waits_.find(at->second)) {
      if (at->second == id) return fail(id, ConflictReason::deadlock);
    }
    return Answer{StatusCode::ok, {}, {}, 0, holder, key};
  }
  // First updater wins.
  const Transaction& transaction = transactions_.at(id);
  if (transaction.level != Level::snapshot) return std::nullopt;
  const auto is_since = [&](const std::map<Key, std::uint64_t>& commits) {
    const auto commit = commits.find(key);
    return commit != commits.end() && commit->second > transaction.snapshot;
  };
  if (is_since(changed_) || (doubt == Doubt::changed && is_since(in_doubt_)))
    return fail(id, ConflictReason::write_conflict);
  return std::nullopt;
}

void Model::own(std::uint64_t id, const Key& key) {
  Transaction& transaction = transactions_.at(id);
  owners_[key] = id;
  transaction.locks.insert(key);
  transaction.work.touched.insert(key);
}

Answer Model::write(std::uint64_t id, const Call& call, const Key& key, Doubt doubt) {
  if (const std::optional<Answer> refused = lock(id, key, doubt)) return *refused;
  Transaction& transaction = transactions_.at(id);
  const Value now = visible(id, key, commits_);
  if (call.kind == Kind::get_for_update) {
    own(id, key);
    return {now ? StatusCode::ok : StatusCode::not_found, {}, now};
  }
  const bool erases = call.kind == Kind::erase || call.kind == Kind::erase_range;
  if (call.kind == Kind::insert && now) return {StatusCode::already_exists};
  if (erases && !now) return {StatusCode::not_found};
  own(id, key);
  transaction.work.writes[key] = erases ? Value() : Value(call.value);
  if (!erases) ever_.emplace(key, call.value);
  changed(id, {{key, {}}});
  return {};
}

// The keys that it sees when it begins, one after another; those that are gone by then do not count.
Answer Model::erase_range(std::uint64_t id, Call& call, Doubt doubt) {
  if (!call.begun) {
    call.begun = true;
    for (const auto& [key, value] : rows(id, as_of(id), call.key, call.hi))
      call.left.emplace_back(call.key.first, key);
  }
  while (!call.left.empty()) {
    const Answer answer = write(id, call, call.left.front(), doubt);
    if (answer.waits_for != 0 || answer.code == StatusCode::conflict) return answer;
    if (answer.code == StatusCode::ok) ++call.erased;
    call.left.erase(call.left.begin());
  }
  return {StatusCode::ok, {}, {}, call.erased, 0, {}};
}

Answer Model::carry_out(std::uint64_t id, Call& call, Doubt doubt) {
  if (!is_active(id)) return {StatusCode::aborted};
  return call.kind == Kind::erase_range ? erase_range(id, call, doubt) : write(id, call, call.key, doubt);
}

// ---- reads ----

std::uint64_t Model::as_of(std::uint64_t id) const {
  const Transaction& transaction = transactions_.at(id);
  return transaction.level == Level::snapshot ? transaction.snapshot : commits_;
}

Value Model::newest_committed(const Key& key, std::uint64_t as_of) const {
  const auto versions = versions_.find(key);
  if (versions == versions_.end()) return {};
  Value newest;
  for (const Version& version : versions->second) {
    if (version.commit <= as_of) newest = version.value;
  }
  return newest;
}

Value Model::visible(std::uint64_t id, const Key& key, std::uint64_t as_of) const {
  const Transaction& transaction = transactions_.at(id);
  const auto own = transaction.work.writes.find(key);
  if (own != transaction.work.writes.end()) return own->second;
  if (transaction.level != Level::read_uncommitted) return newest_committed(key, as_of);
  // What somebody else is just writing.
  if (const std::uint64_t holder = owner(key); holder != 0) {
    const auto& writes = transactions_.at(holder).work.writes;
    if (const auto written = writes.find(key); written != writes.end()) return written->second;
  }
  return newest_committed(key, commits_);
}

Answer Model::get(std::uint64_t id, const Key& key) const {
  if (!is_active(id)) return {StatusCode::aborted};
  const Value value = visible(id, key, as_of(id));
  return {value ? StatusCode::ok : StatusCode::not_found, {}, value};
}

Rows Model::rows(std::uint64_t id, std::uint64_t as_of, const Key& lo,
                 const std::optional<std::string>& hi) const {
  std::set<std::string> keys;
  for (const auto& [key, versions] : versions_) {
    if (key.first == lo.first) keys.insert(key.second);
  }
  for (const auto& [key, holder] : owners_) {
    if (key.first == lo.first) keys.insert(key.second);
  }
  Rows rows;
  for (const std::string& key : keys) {
    if (key < lo.second || (hi && key >= *hi)) continue;
    if (const Value value = visible(id, {lo.first, key}, as_of)) rows.emplace_back(key, *value);
  }
  return rows;
}

void Model::changed(std::uint64_t id, const std::map<Key, Value>& writes) {
  for (const auto& [key, value] : writes) {
    ++changes_[{key.first, id}];
    ++changes_of_all_[key.first];
  }
}

std::uint64_t Model::foreign_changes(std::uint64_t id, unsigned table) const {
  const auto all = changes_of_all_.find(table);
  const auto own = changes_.find({table, id});
  return (all == changes_of_all_.end() ? 0 : all->second) - (own == changes_.end() ? 0 : own->second);
}

bool Model::was_ever(const Key& key, const std::string& value) const { return ever_.contains({key, value}); }

// ---- the whole ----

Rows Model::committed(unsigned table) const {
  Rows rows;
  for (const auto& [key, versions] : versions_) {
    if (key.first == table && versions.back().value) rows.emplace_back(key.second, *versions.back().value);
  }
  return rows;
}

std::uint64_t Model::owner(const Key& key) const {
  const auto found = owners_.find(key);
  return found == owners_.end() ? 0 : found->second;
}

bool Model::is_foreign(std::uint64_t id, const Key& lo, const std::optional<std::string>& hi) const {
  for (const auto& [key, holder] : owners_) {
    if (holder != id && key.first == lo.first && key.second >= lo.second && (!hi || key.second < *hi))
      return true;
  }
  return false;
}

}  // namespace isolith::history

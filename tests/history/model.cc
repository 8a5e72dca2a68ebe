#include "tests/history/model.h"

#include <algorithm>
#include <iterator>

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
  for (auto& [other, waiting] : waits_) {
    std::erase_if(waiting.edges, [id](const Edge& edge) { return edge.to == id; });
  }
  std::erase_if(circles_, [id](const std::set<std::uint64_t>& circle) { return circle.contains(id); });
  leave_line(id);
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

// First updater wins, also where somebody is about to change it once more. Who stood in line then does not
// know of it before he looks again, and may be a victim meanwhile.
std::optional<Answer> Model::meet(std::uint64_t id, const Key& key, Doubt doubt) {
  const std::uint64_t holder = owner(key);
  if (holder == id) return std::nullopt;
  const bool is_victim = holder != 0 && deadlocked_;
  if (!is_victim && can_only_fail(id, key, doubt)) return fail(id, ConflictReason::write_conflict);
  return holder != 0 ? stand_in_line(id, key, doubt) : std::nullopt;
}

bool Model::can_only_fail(std::uint64_t id, const Key& key, Doubt doubt) const {
  const Transaction& transaction = transactions_.at(id);
  if (transaction.level != Level::snapshot) return false;
  const auto is_since = [&](const std::map<Key, std::uint64_t>& commits) {
    const auto commit = commits.find(key);
    return commit != commits.end() && commit->second > transaction.snapshot;
  };
  return is_since(changed_) || (doubt == Doubt::changed && is_since(in_doubt_));
}

// Whom the transaction waits for at the key, if anybody: the owner, and whoever came before it. Where nobody
// owns it those that came only to fail do not count.
std::optional<Answer> Model::stand_in_line(std::uint64_t id, const Key& key, Doubt doubt) {
  const std::uint64_t holder = owner(key);
  if (holder == id) return std::nullopt;
  for (;;) {
    std::vector<std::uint64_t>& line = lines_[key];
    const auto own = std::find(line.begin(), line.end(), id);
    pending_ = {key, {}};
    if (holder != 0) pending_.edges.push_back({holder, false});
    const bool has_some_before = std::any_of(line.begin(), own, [&](std::uint64_t other) {
      return holder != 0 || !can_only_fail(other, key, doubt);
    });
    if (has_some_before && !passes_.contains(id)) pending_.edges.push_back({*std::prev(own), true});
    if (pending_.edges.empty()) return std::nullopt;
    if (own == line.end()) line.push_back(id);
    if (deadlocked_ && std::any_of(circles_.begin(), circles_.end(),
                                   [id](const auto& circle) { return circle.contains(id); })) {
      return fail(id, ConflictReason::deadlock);
    }
    std::vector<Step> circle;
    std::set<std::uint64_t> seen{id};
    if (find_circle(id, id, pending_.edges, seen, circle)) {
      if (opens_softly(id, circle)) continue;
      if (deadlocked_) return fail(id, ConflictReason::deadlock);
      std::set<std::uint64_t>& members = circles_.emplace_back();
      for (const Step& step : circle) members.insert(step.id);
      members.erase(id);
    }
    return Answer{StatusCode::ok, {}, {}, 0, pending_.edges.front().to, key};
  }
}

bool Model::find_circle(std::uint64_t from, std::uint64_t at, const std::vector<Edge>& edges,
                        std::set<std::uint64_t>& seen, std::vector<Step>& path) const {
  for (const Edge& edge : edges) {
    path.push_back({at, edge});
    if (edge.to == from) return true;
    const auto next = waits_.find(edge.to);
    if (next != waits_.end() && seen.insert(edge.to).second &&
        find_circle(from, edge.to, next->second.edges, seen, path)) {
      return true;
    }
    path.pop_back();
  }
  return false;
}

// A member that only stands behind another one passes it.
bool Model::opens_softly(std::uint64_t id, const std::vector<Step>& circle) {
  for (const Step& step : circle) {
    if (!step.edge.soft) continue;
    passes_.insert(step.id);
    if (step.id != id) waits_.erase(step.id);
    return true;
  }
  return false;
}

void Model::leave_line(std::uint64_t id) {
  for (auto& [key, line] : lines_) std::erase(line, id);
  passes_.erase(id);
}

void Model::own(std::uint64_t id, const Key& key) {
  Transaction& transaction = transactions_.at(id);
  owners_[key] = id;
  leave_line(id);
  for (auto& [other, waiting] : waits_) {
    if (waiting.key != key) continue;
    for (Edge& edge : waiting.edges) edge.soft = edge.soft && edge.to != id;
  }
  transaction.locks.insert(key);
  transaction.work.touched.insert(key);
}

Answer Model::write(std::uint64_t id, const Call& call, const Key& key, Doubt doubt) {
  if (const std::optional<Answer> refused = meet(id, key, doubt)) return *refused;
  Transaction& transaction = transactions_.at(id);
  const Value now = visible(id, key, commits_);
  const bool erases = call.kind == Kind::erase || call.kind == Kind::erase_range;
  if (call.kind == Kind::insert && now) return leave_line(id), Answer{StatusCode::already_exists};
  if (erases && !now) return leave_line(id), Answer{StatusCode::not_found};
  if (const std::optional<Answer> refused = stand_in_line(id, key, doubt)) return *refused;
  own(id, key);
  if (call.kind == Kind::get_for_update) return {now ? StatusCode::ok : StatusCode::not_found, {}, now};
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

Answer Model::carry_out(std::uint64_t id, Call& call, Doubt doubt, bool deadlocked) {
  deadlocked_ = deadlocked;
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

// The order of versions, from the writes and the ends of transactions.
#include "anomalies/version_order.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace isolith::anomalies {
namespace {

const std::optional<std::string> kAbsent;

}  // namespace

VersionOrder::VersionOrder(const Scenario& scenario, const Run& run)
    : scenario_(scenario), run_(run), positions_(run.writes.size()), undone_in_(run.writes.size(), kNever) {
  std::map<std::pair<std::uint32_t, std::string_view>, std::vector<std::uint32_t>> by_key;
  for (std::uint32_t i = 0; i < run.writes.size(); ++i) {
    const Write& write = run.writes[i];
    by_key[{write.table, write.key}].push_back(i);
    if (write.state == WriteState::undone) undone_in_[i] = undone_in_step(write);
  }
  keys_.reserve(by_key.size());
  for (auto& [name, writes] : by_key) {
    KeyVersions& key = keys_.emplace_back();
    key.table = name.first;
    key.key = name.second;
    key.others = std::move(writes);
    order(key);
    for (std::size_t i = 0; i < key.versions.size(); ++i) {
      if (key.versions[i].write != kNoWrite) positions_[key.versions[i].write] = i;
    }
  }
}

// From all writes of the key, in the order in which they began: its versions, and the others.
void VersionOrder::order(KeyVersions& key) const {
  const std::vector<std::uint32_t> writes = std::move(key.others);
  key.others.clear();
  key.versions.emplace_back();
  std::vector<std::uint32_t> stored;
  for (const std::uint32_t i : writes) {
    const Write& write = run_.writes[i];
    if (write.transaction == kNoTransaction) {
      key.versions.front().write = i;
    } else if (write.state == WriteState::stored && run_.committed(write.transaction)) {
      stored.push_back(i);
    } else {
      key.others.push_back(i);
    }
  }
  for (const std::uint32_t i : stored) {
    const std::uint32_t transaction = run_.writes[i].transaction;
    const bool is_last = std::none_of(stored.begin(), stored.end(), [&](std::uint32_t later) {
      return later > i && run_.writes[later].transaction == transaction;
    });
    if (is_last) {
      key.versions.push_back({i, transaction});
    } else {
      key.others.push_back(i);
    }
  }
  std::sort(key.versions.begin() + 1, key.versions.end(), [&](const Version& left, const Version& right) {
    return std::tuple(written_at(left), left.transaction) < std::tuple(written_at(right), right.transaction);
  });
  std::sort(key.others.begin(), key.others.end());
}

// The step of the first rollback to a savepoint that was made before the write.
std::uint32_t VersionOrder::undone_in_step(const Write& write) const {
  const std::vector<Step>& steps = scenario_.sessions[write.session].steps;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> made;  // savepoints and their steps
  for (const Operation& operation : run_.operations) {
    if (operation.transaction != write.transaction || operation.end != OperationEnd::done) continue;
    const Step& step = steps[operation.step - 1];
    if (step.kind == StepKind::savepoint && operation.step < write.step) {
      std::erase_if(made, [&](const auto& mark) { return mark.first == step.savepoint; });
      made.emplace_back(step.savepoint, operation.step);
    } else if (step.kind == StepKind::savepoint) {
      std::erase_if(made, [&](const auto& mark) { return mark.first == step.savepoint; });
    } else if (step.kind == StepKind::rollback_to && operation.step > write.step) {
      const bool undoes = std::any_of(made.begin(), made.end(),
                                      [&](const auto& mark) { return mark.first == step.savepoint; });
      if (undoes) return operation.step;
    }
  }
  return kNever;
}

const KeyVersions* VersionOrder::find(std::uint32_t table, std::string_view key) const {
  const auto at = std::lower_bound(
      keys_.begin(), keys_.end(), std::tuple(table, key),
      [](const KeyVersions& left, const auto& right) { return std::tuple(left.table, left.key) < right; });
  return at != keys_.end() && at->table == table && at->key == key ? &*at : nullptr;
}

std::size_t VersionOrder::position_below(const KeyVersions& key, std::uint32_t write) const {
  std::size_t below = 0;
  for (std::size_t i = 1; i < key.versions.size(); ++i) {
    if (installed_at(key.versions[i]) < run_.writes[write].at) below = i;
  }
  return below;
}

const std::optional<std::string>& VersionOrder::value(const Version& version) const {
  return version.write == kNoWrite ? kAbsent : run_.writes[version.write].value;
}

std::uint32_t VersionOrder::installed_at(const Version& version) const {
  return version.transaction == kNoTransaction ? 0 : run_.transactions[version.transaction].ended_at;
}

std::uint32_t VersionOrder::written_at(const Version& version) const {
  return version.transaction == kNoTransaction ? 0 : run_.writes[version.write].at;
}

bool VersionOrder::has_own(std::uint32_t transaction, const KeyVersions& key, std::uint32_t step) const {
  const auto is_own = [&](std::uint32_t i) {
    const Write& write = run_.writes[i];
    if (write.transaction != transaction || write.step >= step) return false;
    return write.state == WriteState::stored || (undone_in_[i] != kNever && step <= undone_in_[i]);
  };
  return std::any_of(key.others.begin(), key.others.end(), is_own) ||
         std::any_of(key.versions.begin() + 1, key.versions.end(),
                     [&](const Version& version) { return is_own(version.write); });
}

}  // namespace isolith::anomalies

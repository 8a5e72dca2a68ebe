#include "tools/version_history.h"

#include <algorithm>

#include "tools/escape.h"

namespace isolith::tools {

using anomalies::kNever;
using anomalies::kNoTransaction;
using anomalies::kNoWrite;
using anomalies::TransactionEnd;
using anomalies::TransactionRecord;
using anomalies::Value;
using anomalies::Write;
using anomalies::WriteState;

VersionState VersionHistory::state(std::uint32_t write, std::uint32_t moment) const {
  const Write& version = run_.writes[write];
  if (version.transaction == kNoTransaction) return VersionState::first_row;
  if (version.state == WriteState::failed) return VersionState::failed;
  const TransactionRecord& owner = run_.transactions[version.transaction];
  if (owner.ended_at == kNever || owner.ended_at >= moment) return VersionState::pending;
  if (version.state == WriteState::undone) return VersionState::aborted;
  return owner.end == TransactionEnd::committed ? VersionState::committed : VersionState::aborted;
}

std::uint32_t VersionHistory::committed_at(std::uint32_t write, std::uint32_t moment) const {
  switch (state(write, moment)) {
    case VersionState::first_row:
      return 0;
    case VersionState::committed:
      return run_.transactions[run_.writes[write].transaction].ended_at;
    default:
      return kNever;
  }
}

std::uint32_t VersionHistory::replaced_by(std::uint32_t write) const {
  const Write& own = run_.writes[write];
  std::uint32_t newest = kNoWrite;
  for (std::uint32_t i = 0; i < run_.writes.size(); ++i) {
    const Write& other = run_.writes[i];
    if (i == write || other.state != WriteState::stored) continue;
    if (other.table != own.table || other.key != own.key || other.at > own.at) continue;
    if (state(i, own.at) == VersionState::aborted) continue;
    if (newest == kNoWrite || other.at >= run_.writes[newest].at) newest = i;
  }
  return newest;
}

std::uint32_t VersionHistory::not_seen(std::uint32_t table, const std::string& key, std::uint32_t seen,
                                       std::uint32_t reader, std::uint32_t moment) const {
  if (seen != kNoWrite && run_.writes[seen].transaction == reader) return kNoWrite;
  if (seen != kNoWrite && state(seen, moment) == VersionState::pending) return kNoWrite;
  const std::uint32_t seen_at = seen == kNoWrite ? 0 : committed_at(seen, moment);
  std::uint32_t newest = kNoWrite;
  std::uint32_t newest_at = seen_at == kNever ? 0 : seen_at;
  std::uint32_t pending = kNoWrite;
  for (std::uint32_t i = 0; i < run_.writes.size(); ++i) {
    const Write& other = run_.writes[i];
    if (i == seen || other.table != table || other.key != key) continue;
    if (other.transaction == kNoTransaction || other.transaction == reader || other.at > moment) continue;
    if (other.state == WriteState::undone) continue;
    if (seen == kNoWrite && !other.value) continue;  // no row, and no row was seen
    const VersionState standing = state(i, moment);
    if (standing == VersionState::pending) pending = i;
    if (standing != VersionState::committed) continue;
    const std::uint32_t at = committed_at(i, moment);
    const bool is_later = seen != kNoWrite && at == seen_at ? i > seen : at >= newest_at;
    if (!is_later) continue;
    newest = i;
    newest_at = at;
  }
  return newest == kNoWrite ? pending : newest;
}

std::vector<std::string> VersionHistory::keys_written(const anomalies::Target& target, std::uint32_t reader,
                                                      std::uint32_t moment) const {
  std::vector<std::string> keys;
  for (const Write& write : run_.writes) {
    const bool concerns = write.table == target.table && target.contains(write.key) && write.at <= moment &&
                          write.transaction != kNoTransaction && write.transaction != reader;
    if (concerns && write.state == WriteState::stored) keys.push_back(write.key);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

std::string VersionHistory::value_text(const std::string& stored) {
  return value_text(anomalies::from_text(stored));
}

std::string VersionHistory::value_text(const Value& value) {
  const std::string text = printable(anomalies::to_text(value));
  return std::holds_alternative<std::string>(value) ? '"' + text + '"' : text;
}

std::string VersionHistory::version_text(std::uint32_t write) const {
  const std::optional<std::string>& value = run_.writes[write].value;
  return value ? value_text(*value) : "erased";
}

std::string VersionHistory::key_text(std::uint32_t table, const std::string& key) const {
  const std::string shown = key.empty() ? "\"\"" : printable(key);
  return scenario_.tables.size() == 1 ? shown : scenario_.tables[table].name + "/" + shown;
}

std::string VersionHistory::owner(std::uint32_t transaction) const {
  return anomalies::transaction_name(scenario_, run_, transaction);
}

}  // namespace isolith::tools

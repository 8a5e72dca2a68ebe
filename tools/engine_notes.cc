#include "tools/engine_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "anomalies/judgement.h"
#include "anomalies/schedule.h"
#include "isolith/isolation.h"
#include "tools/escape.h"

namespace isolith::tools {

using anomalies::Event;
using anomalies::EventKind;
using anomalies::kNoSession;
using anomalies::kNoTransaction;
using anomalies::kNoWrite;
using anomalies::Operation;
using anomalies::OperationEnd;
using anomalies::Read;
using anomalies::Step;
using anomalies::StepKind;
using anomalies::TransactionEnd;
using anomalies::TransactionRecord;
using anomalies::Write;
using anomalies::WriteState;

namespace {

// More rows than this of one operation are counted, not named.
constexpr std::size_t kRowsShown = 8;

void append(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

// The last read of each key, by key: `update` reads a row twice.
std::vector<const Read*> last_reads(const Operation& operation) {
  std::vector<const Read*> reads;
  for (const Read& read : operation.reads) {
    const auto same = std::find_if(reads.begin(), reads.end(), [&read](const Read* other) {
      return other->table == read.table && other->key == read.key;
    });
    if (same == reads.end()) {
      reads.push_back(&read);
    } else {
      *same = &read;
    }
  }
  return reads;
}

using Waits = std::vector<const Event*>;  // by session: what it waits for now, or null

void extend_way(const Waits& waits, std::size_t to, std::vector<std::size_t>& way,
                std::vector<std::size_t>& longest) {
  for (const std::size_t holder : waits[way.back()]->holder_sessions) {
    if (holder == to && way.size() > longest.size()) longest = way;
    if (waits[holder] == nullptr || std::find(way.begin(), way.end(), holder) != way.end()) continue;
    way.push_back(holder);
    extend_way(waits, to, way, longest);
    way.pop_back();
  }
}

// Along the waits to session `to`, from whoever is farthest from it: a cycle but for its end.
std::vector<std::size_t> longest_way(const Waits& waits, std::size_t to) {
  std::vector<std::size_t> longest;
  for (std::size_t first = 0; first < waits.size(); ++first) {
    if (waits[first] == nullptr) continue;
    std::vector<std::size_t> way{first};
    extend_way(waits, to, way, longest);
  }
  return longest;
}

}  // namespace

bool EngineNotes::takes_snapshot(std::uint32_t transaction) const {
  const std::optional<Isolation> level = parse_isolation(run_.transactions[transaction].level);
  return is_isolith_ && level && policy_of(*level).read_view() == ReadView::snapshot;
}

std::string EngineNotes::step_name(std::uint32_t session, std::uint32_t step) const {
  anomalies::Session named;
  named.name = scenario_.sessions[session].name;
  std::string text;
  anomalies::append_step(text, named, step);
  return text;
}

std::string EngineNotes::source_text(std::uint32_t write, std::uint32_t reader, std::uint32_t moment) const {
  const Write& version = run_.writes[write];
  if (version.transaction == reader) return "its own";
  switch (history_.state(write, moment)) {
    case VersionState::first_row:
      return "first row";
    case VersionState::pending:
      return fmt::format("by {} (not committed!)", history_.owner(version.transaction));
    case VersionState::aborted:
      return fmt::format("by {} (undone!)", history_.owner(version.transaction));
    default:
      return fmt::format("by {}", history_.owner(version.transaction));
  }
}

std::vector<std::uint32_t> EngineNotes::last_writes(std::uint32_t transaction) const {
  std::vector<std::uint32_t> last;
  for (std::uint32_t i = 0; i < run_.writes.size(); ++i) {
    const Write& write = run_.writes[i];
    if (write.transaction != transaction || write.state != WriteState::stored) continue;
    const auto same = std::find_if(last.begin(), last.end(), [&](std::uint32_t other) {
      return run_.writes[other].table == write.table && run_.writes[other].key == write.key;
    });
    if (same == last.end()) {
      last.push_back(i);
    } else {
      *same = i;
    }
  }
  return last;
}

std::string EngineNotes::written_text(const std::vector<std::uint32_t>& writes) const {
  std::string text;
  for (std::size_t i = 0; i < writes.size() && i < kRowsShown; ++i) {
    const Write& write = run_.writes[writes[i]];
    append(text, history_.key_text(write.table, write.key));
    text += write.value ? " = " + history_.version_text(writes[i]) : " erased";
  }
  if (writes.size() > kRowsShown) text += fmt::format(" and {} more", writes.size() - kRowsShown);
  return text;
}

Notes EngineNotes::of_operation(const Operation& operation) const {
  Notes notes;
  if (operation.end == OperationEnd::passed_over) {
    notes.push_back({Tone::faint, "its transaction is over"});
    return notes;
  }
  const TransactionRecord& record = run_.transactions[operation.transaction];
  if (operation.step == record.first_step) tell_begin(operation, notes);
  if (operation.end == OperationEnd::skipped) return notes;
  tell_reads(operation, notes);
  tell_writes(operation, notes);
  if (operation.end == OperationEnd::failed) {
    tell_failure(operation, notes);
    return notes;
  }
  const Step& step = step_of(operation);
  if (step.kind == StepKind::commit) tell_commit(operation, notes);
  if (step.kind == StepKind::abort || operation.end == OperationEnd::refused) tell_undone(operation, notes);
  if (step.kind == StepKind::rollback_to) tell_rollback(operation, notes);
  if (step.kind == StepKind::get_for_update && is_isolith_) {
    notes.push_back({Tone::plain, "locks " + history_.key_text(step.target.table, step.target.lo)});
  }
  return notes;
}

void EngineNotes::tell_begin(const Operation& operation, Notes& notes) const {
  if (!takes_snapshot(operation.transaction)) return;
  std::string committed;
  const TransactionRecord& own = run_.transactions[operation.transaction];
  for (std::uint32_t i = 0; i < run_.transactions.size(); ++i) {
    const TransactionRecord& other = run_.transactions[i];
    if (other.end != TransactionEnd::committed || other.ended_at >= own.began_at) continue;
    if (!last_writes(i).empty()) append(committed, history_.owner(i));
  }
  const std::string seen =
      committed.empty() ? "the first rows" : "the first rows and what " + committed + " wrote";
  notes.push_back({Tone::plain, fmt::format("takes its snapshot: {}", seen)});
}

void EngineNotes::tell_reads(const Operation& operation, Notes& notes) const {
  const Step& step = step_of(operation);
  const std::vector<const Read*> reads = last_reads(operation);
  const std::uint32_t own = operation.transaction;
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < reads.size();) {
    const Read& first = *reads[i];
    const std::string source =
        first.write == kNoWrite ? std::string() : source_text(first.write, own, first.at);
    std::string rows;
    std::size_t count = 0;
    for (; i < reads.size(); ++i, ++count) {  // those of one source together
      const Read& read = *reads[i];
      if ((read.write == kNoWrite) != source.empty()) break;
      if (read.write != kNoWrite && source_text(read.write, own, read.at) != source) break;
      if (count >= kRowsShown) {
        ++left_out;
        continue;
      }
      const std::string key = history_.key_text(read.table, read.key);
      append(rows, source.empty() ? "no row " + key : key + " = " + history_.version_text(read.write));
    }
    const bool is_plural = count > 1 && source == "first row";
    const bool is_dirty = source.ends_with("!)");
    std::string text = "reads " + rows;
    if (!source.empty()) text += ", " + source + (is_plural ? "s" : "");
    notes.push_back({is_dirty ? Tone::bad : Tone::plain, std::move(text)});
  }
  if (left_out > 0) notes.push_back({Tone::faint, fmt::format("and {} rows more", left_out)});
  if (step.target.is_range && reads.empty() && operation.end == OperationEnd::done) {
    notes.push_back({Tone::plain, "no rows there"});
  }
  for (const Read* read : reads) tell_not_seen(operation, *read, notes);
  if (!step.target.is_range) return;
  for (const std::string& key : history_.keys_written(step.target, own, operation.ended_at)) {
    const bool was_read =
        std::any_of(reads.begin(), reads.end(), [&key](const Read* read) { return read->key == key; });
    Read missing;
    missing.table = step.target.table;
    missing.key = key;
    missing.at = reads.empty() ? operation.ended_at : reads.front()->at;
    if (!was_read && operation.end == OperationEnd::done) tell_not_seen(operation, missing, notes);
  }
}

void EngineNotes::tell_not_seen(const Operation& operation, const Read& read, Notes& notes) const {
  const std::uint32_t newer =
      history_.not_seen(read.table, read.key, read.write, operation.transaction, read.at);
  if (newer == kNoWrite) return;
  const Write& write = run_.writes[newer];
  const bool is_pending = history_.state(newer, read.at) == VersionState::pending;
  const std::string why = is_pending ? "it is not committed" : "it was committed later";
  const std::string key = history_.key_text(write.table, write.key);
  const std::string what =
      write.value ? fmt::format("{} = {}", key, history_.version_text(newer)) : key + " erased";
  notes.push_back(
      {Tone::faint, fmt::format("does not see {} by {}: {}", what, history_.owner(write.transaction), why)});
}

void EngineNotes::tell_writes(const Operation& operation, Notes& notes) const {
  std::string rows;
  std::size_t count = 0;
  for (const std::uint32_t place : operation.writes) {
    const Write& write = run_.writes[place];
    if (write.state == WriteState::failed) continue;
    const std::uint32_t over = history_.replaced_by(place);
    const bool is_new = over == kNoWrite || !run_.writes[over].value;
    std::string change =
        is_new ? "new, " : history_.version_text(over) + (write.value ? " becomes " : " is ");
    change += history_.version_text(place);
    if (++count > kRowsShown) continue;
    append(rows, fmt::format("{}: {}", history_.key_text(write.table, write.key), change));
  }
  if (count == 0) return;
  if (count > kRowsShown) rows += fmt::format(" and {} more", count - kRowsShown);
  notes.push_back({Tone::plain, (is_isolith_ ? "locks " : "") + rows});
  for (const std::uint32_t place : operation.writes) {
    const std::uint32_t over = history_.replaced_by(place);
    if (run_.writes[place].state != WriteState::failed && over != kNoWrite) {
      tell_replaced(operation, place, over, notes);
    }
  }
}

// What a write went over that its transaction should have known of.
void EngineNotes::tell_replaced(const Operation& operation, std::uint32_t write, std::uint32_t over,
                                Notes& notes) const {
  const Write& own = run_.writes[write];
  const Write& other = run_.writes[over];
  if (other.transaction == kNoTransaction || other.transaction == own.transaction) return;
  const std::string key = history_.key_text(own.table, own.key);
  const std::string owner = history_.owner(other.transaction);
  if (history_.state(over, own.at) == VersionState::pending) {
    notes.push_back({Tone::bad, fmt::format("writes over {} by {}, which is not committed!", key, owner)});
    return;
  }
  const Read* last = nullptr;
  for (const Operation& earlier : run_.operations) {
    if (earlier.transaction != operation.transaction || earlier.step > operation.step) continue;
    for (const Read& read : earlier.reads) {
      if (read.table == own.table && read.key == own.key) last = &read;
    }
  }
  if (last == nullptr || last->write == over) return;
  const std::string had = last->write == kNoWrite ? "no row" : history_.version_text(last->write);
  notes.push_back({Tone::bad, fmt::format("writes over {}'s {}, having read {}", owner,
                                          history_.version_text(over), had)});
}

void EngineNotes::tell_commit(const Operation& operation, Notes& notes) const {
  const std::vector<std::uint32_t> writes = last_writes(operation.transaction);
  if (writes.empty()) {
    notes.push_back({Tone::good, "commits; it wrote nothing"});
    return;
  }
  notes.push_back({Tone::good, "commits: " + written_text(writes)});
}

void EngineNotes::tell_undone(const Operation& operation, Notes& notes) const {
  const std::vector<std::uint32_t> writes = last_writes(operation.transaction);
  notes.push_back(
      {Tone::bad, writes.empty() ? "aborts; it wrote nothing" : "undoes " + written_text(writes)});
  for (const Operation& other : run_.operations) {
    if (other.transaction == operation.transaction || other.ended_at >= operation.ended_at) continue;
    for (const Read* read : last_reads(other)) {
      if (read->write == kNoWrite || run_.writes[read->write].transaction != operation.transaction) continue;
      notes.push_back(
          {Tone::bad,
           fmt::format("{} has read {} = {}, which never was", history_.owner(other.transaction),
                       history_.key_text(read->table, read->key), history_.version_text(read->write))});
    }
  }
}

void EngineNotes::tell_rollback(const Operation& operation, Notes& notes) const {
  const Step& step = step_of(operation);
  std::uint32_t since = 0;  // the step that made the savepoint
  for (const Operation& other : run_.operations) {
    if (other.transaction != operation.transaction || other.step >= operation.step) continue;
    const Step& made = step_of(other);
    if (made.kind == StepKind::savepoint && made.savepoint == step.savepoint)
      since = std::max(since, other.step);
  }
  std::vector<std::uint32_t> undone;
  for (std::uint32_t i = 0; i < run_.writes.size(); ++i) {
    const Write& write = run_.writes[i];
    if (write.transaction != operation.transaction || write.state != WriteState::undone) continue;
    if (write.step > since && write.step < operation.step) undone.push_back(i);
  }
  notes.push_back({Tone::bad, undone.empty() ? "nothing to undo" : "undoes " + written_text(undone)});
}

void EngineNotes::tell_failure(const Operation& operation, Notes& notes) const {
  const Status& status = operation.status;
  const Step& step = step_of(operation);
  const std::string key = history_.key_text(step.target.table, step.target.lo);
  switch (status.code()) {
    case StatusCode::already_exists:
      notes.push_back({Tone::bad, fmt::format("{} is there already; the transaction goes on", key)});
      return;
    case StatusCode::not_found:
      notes.push_back({Tone::bad, fmt::format("there is no {}; the transaction goes on", key)});
      return;
    case StatusCode::conflict:
      break;
    default:
      notes.push_back({Tone::bad, printable(status.to_string())});
      return;
  }
  if (status.reason() == ConflictReason::write_conflict && is_isolith_) {
    tell_write_conflict(operation, notes);
  } else if (status.reason() == ConflictReason::deadlock) {
    notes.push_back({Tone::bad, deadlock_text(operation)});
  } else if (status.reason() == ConflictReason::lock_timeout) {
    notes.push_back({Tone::bad, "waited for too long"});
  } else if (!status.message().empty()) {
    notes.push_back({Tone::bad, printable(status.message())});
  }
  const std::vector<std::uint32_t> writes = last_writes(operation.transaction);
  notes.push_back({Tone::bad, fmt::format("its transaction is over{}",
                                          writes.empty() ? "" : ": undoes " + written_text(writes))});
}

void EngineNotes::tell_write_conflict(const Operation& operation, Notes& notes) const {
  const ConflictReport* report = operation.status.conflict_report();
  const Step& step = step_of(operation);
  const std::string key = report == nullptr ? step.target.lo : report->edges.front().key;
  const TransactionRecord& own = run_.transactions[operation.transaction];
  std::string who = "another transaction";
  for (const Write& write : run_.writes) {
    if (write.table != step.target.table || write.key != key || write.transaction == kNoTransaction) continue;
    const TransactionRecord& other = run_.transactions[write.transaction];
    const bool is_since = other.end == TransactionEnd::committed && other.ended_at >= own.began_at &&
                          other.ended_at < operation.ended_at;
    if (is_since) who = history_.owner(write.transaction);
  }
  notes.push_back(
      {Tone::bad, fmt::format("first updater wins: {} changed {} and committed after the snapshot", who,
                              history_.key_text(step.target.table, key))});
}

std::string EngineNotes::deadlock_text(const Operation& operation) const {
  Waits waits(scenario_.sessions.size(), nullptr);
  for (std::size_t i = 0; i < operation.ended_at && i < run_.trace.events.size(); ++i) {
    const Event& event = run_.trace.events[i];
    if (event.session == operation.session) continue;
    waits[event.session] = event.kind == EventKind::blocked ? &event : nullptr;
  }
  const std::string& name = scenario_.sessions[operation.session].name;
  const std::vector<std::size_t> way = longest_way(waits, operation.session);
  if (way.empty()) return fmt::format("deadlock: {} gives way", name);
  std::string text;
  for (std::size_t i = 0; i < way.size(); ++i) {
    const std::size_t holder = i + 1 < way.size() ? way[i + 1] : operation.session;
    append(text,
           fmt::format("{} waits for {}", scenario_.sessions[way[i]].name, scenario_.sessions[holder].name));
  }
  return fmt::format("deadlock: {}, and {} would have to wait for {}; {} gives way", text, name,
                     scenario_.sessions[way.front()].name, name);
}

Notes EngineNotes::of_event(std::size_t moment) const {
  const Event& event = run_.trace.events[moment];
  const std::string& name = scenario_.sessions[event.session].name;
  switch (event.kind) {
    case EventKind::blocked:
      return {of_wait(moment)};
    case EventKind::resumed:
      return {of_wake(moment)};
    case EventKind::timed_out:
      return {{Tone::bad, fmt::format("the time of {} is up", name)}};
    case EventKind::deferred:
      return {{Tone::faint, fmt::format("comes when {} goes on", name)}};
    case EventKind::not_blocked:
      return {{Tone::faint, fmt::format("{} does not wait: nothing is ended", name)}};
    case EventKind::stuck:
      return {{Tone::bad, fmt::format("nobody can go on any more: the wait of {} is ended", name)}};
    case EventKind::done:
      break;
  }
  return {};
}

// Whether all that the session waits for is a safe snapshot.
bool EngineNotes::is_deferred(std::uint32_t session) const {
  if (!is_isolith_ || !scenario_.sessions[session].deferrable) return false;
  return std::any_of(run_.transactions.begin(), run_.transactions.end(), [session](const auto& record) {
    return record.session == session && record.level == "serializable_ssi";
  });
}

Note EngineNotes::of_wait(std::size_t moment) const {
  const Event& event = run_.trace.events[moment];
  std::string holder = holder_names(event, scenario_.sessions);
  if (holder.empty()) holder = "another transaction";
  std::string key;
  std::string since;
  for (std::uint32_t i = 0; i < scenario_.tables.size(); ++i) {
    if (scenario_.tables[i].name == event.table) key = history_.key_text(i, event.key);
    for (std::uint32_t w = 0; w < run_.writes.size(); ++w) {
      const Write& write = run_.writes[w];
      const bool is_it = scenario_.tables[i].name == event.table && write.table == i &&
                         write.key == event.key && write.transaction != kNoTransaction &&
                         waits_for(event, write.session) && write.at <= moment &&
                         write.state != WriteState::failed;
      if (is_it) since = fmt::format(" in {}", step_name(write.session, write.step));
    }
  }
  if (key.empty() && is_deferred(event.session)) {
    return {Tone::waits, fmt::format("waits for a safe snapshot: {} may still write", holder)};
  }
  if (key.empty()) return {Tone::waits, fmt::format("waits for {}", holder)};
  if (since.empty() && !is_isolith_) {  // others lock more than a key
    return {Tone::waits, fmt::format("waits for {}, to get at {}", holder, key)};
  }
  const std::string_view have = event.holder_sessions.size() > 1 ? "have" : "has";
  return {Tone::waits, fmt::format("waits: {} {} locked {}{}", holder, have, key, since)};
}

// By what the wait was ended: the newest step of another session.
Note EngineNotes::of_wake(std::size_t moment) const {
  const Event& event = run_.trace.events[moment];
  for (auto operation = run_.operations.rbegin(); operation != run_.operations.rend(); ++operation) {
    if (operation->ended_at >= moment || operation->session == event.session) continue;
    const TransactionRecord& record = run_.transactions[operation->transaction];
    const std::string name = history_.owner(operation->transaction);
    if (record.ended_at != operation->ended_at)
      return {Tone::good, fmt::format("{} has let the lock go", name)};
    const bool commits = record.end == TransactionEnd::committed;
    return {Tone::good,
            fmt::format("{} {}: {}", name, commits ? "has committed" : "is undone",
                        is_deferred(event.session) ? "a snapshot is safe now" : "its locks are free")};
  }
  return {Tone::good, "goes on"};
}

}  // namespace isolith::tools

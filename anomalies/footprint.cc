#include "anomalies/footprint.h"

#include <algorithm>
#include <string_view>

namespace isolith::anomalies {
namespace {

bool has_target(StepKind kind) {
  switch (kind) {
    case StepKind::begin:
    case StepKind::require:
    case StepKind::savepoint:
    case StepKind::rollback_to:
    case StepKind::commit:
    case StepKind::abort:
      return false;
    default:
      return true;
  }
}

bool is_plain_read(StepKind kind) {
  return kind == StepKind::get || kind == StepKind::scan || kind == StepKind::count ||
         kind == StepKind::sum || kind == StepKind::exists;
}

bool overlap(const Target& left, const Target& right) {
  if (left.table != right.table) return false;
  if (!left.is_range) return right.contains(left.lo);
  if (!right.is_range) return left.contains(right.lo);
  return (!left.hi || right.lo < *left.hi) && (!right.hi || left.lo < *right.hi);
}

const EngineLevel& level_of(const Execution& execution, const SessionScript& session) {
  if (!session.level) return execution.level();
  const std::vector<EngineLevel>& levels = execution.engine().levels();
  const auto found = std::find_if(levels.begin(), levels.end(), [&session](const EngineLevel& level) {
    return level.name == *session.level;
  });
  return found == levels.end() ? execution.level() : *found;
}

}  // namespace

bool commute(const Footprint& left, const Footprint& right) {
  if (left.is_nothing || right.is_nothing) return true;
  if (left.is_anything || right.is_anything || (left.waits && right.waits)) return false;
  if ((left.meets & right.steps).any()) return false;
  return (left.ends_meet & (right.steps | right.ended | right.begun)).none() &&
         (right.ends_meet & (left.steps | left.begun)).none();
}

// ---- before any run ----

StepTable::StepTable(const Execution& execution) {
  const Scenario& scenario = execution.scenario();
  std::vector<Reach> reaches;
  for (std::uint32_t i = 0; i < scenario.sessions.size(); ++i) {
    const EngineLevel& level = level_of(execution, scenario.sessions[i]);
    is_anything_.push_back(!level.reach.is_rows || level.watches_conflicts);
    reaches.push_back(level.reach);
    add_steps(scenario, i, level.reach);
  }
  // Steps that meet a third session's beyond rows meet each other there.
  const bool is_rows = std::ranges::all_of(reaches, &Reach::is_rows);
  if (!is_rows) is_anything_.assign(is_anything_.size(), true);
  relate(scenario, reaches);
  add_up(reaches);
}

const Step& StepTable::step_of(const Scenario& scenario, std::size_t number) const {
  const std::uint32_t session = entries_[number].session;
  return scenario.sessions[session].steps[number - first_[session]];
}

void StepTable::add_steps(const Scenario& scenario, std::uint32_t session, const Reach& reach) {
  first_.push_back(entries_.size());
  for (const Step& step : scenario.sessions[session].steps) {
    Entry& entry = entries_.emplace_back();
    entry.session = session;
    entry.kind = step.kind;
    entry.has_target = has_target(step.kind);
    entry.writes = entry.has_target && !is_plain_read(step.kind);
    entry.is_seen = entry.writes || (entry.has_target && reach.view != View::snapshot);
    entry.leaves = entry.writes || (entry.has_target && !reach.reads_leave_nothing);
    entry.locks_read = entry.leaves && !entry.writes && reach.view == View::locked;
    entry.begins = entries_.size() == first_.back() + 1 || step.kind == StepKind::begin;
  }
}

// Who meets whom: two steps of different sessions on one row, one of which writes it. The end of one that
// locked what it read meets another such read where a third session may have to wait for both: the last to
// end wakes it.
void StepTable::relate(const Scenario& scenario, const std::vector<Reach>& reaches) {
  const auto overlapping = [&](std::size_t i, std::size_t j) {
    const Entry& left = entries_[i];
    const Entry& right = entries_[j];
    return left.session != right.session && left.has_target && right.has_target &&
           overlap(step_of(scenario, i).target, step_of(scenario, j).target);
  };
  std::vector<StepSet> writers(entries_.size());  // by step: those of other sessions, on a row of it
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    for (std::size_t j = 0; j < entries_.size(); ++j) {
      if (entries_[j].writes && overlapping(i, j)) writers[i].set(j);
    }
  }
  // Whether what is in progress makes a difference to the step.
  const auto sees = [&](const Entry& entry) {
    return entry.writes || (entry.is_seen && reaches[entry.session].view != View::committed);
  };
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!overlapping(i, j)) continue;
      Entry& left = entries_[i];
      Entry& right = entries_[j];
      const bool both_lock = left.locks_read && right.locks_read;
      const bool is_apart = both_lock && (writers[i] & writers[j]).none();
      if ((left.writes && sees(right)) || (right.writes && sees(left))) {
        left.meets.set(j);
        right.meets.set(i);
      }
      // A lock on what was read keeps nobody from reading without one.
      const auto end_meets = [&](const Entry& ended, const Entry& other) {
        return ended.leaves && !is_apart && (!ended.locks_read || other.writes || other.leaves);
      };
      if (end_meets(left, right)) left.ends_meet.set(j);
      if (end_meets(right, left)) right.ends_meet.set(i);
    }
  }
}

// What the tables of single steps come to for transactions and for what is left of a session.
void StepTable::add_up(const std::vector<Reach>& reaches) {
  StepSet transaction;
  for (std::size_t i = entries_.size(); i-- > 0;) {
    Entry& entry = entries_[i];
    const bool is_last = i + 1 == entries_.size() || entries_[i + 1].session != entry.session;
    if (!is_last) {
      entry.rest = entries_[i + 1].rest;
      entry.rest_ends_meet = entries_[i + 1].rest_ends_meet;
    }
    if (entry.is_seen) entry.rest.set(i);
    if (entry.leaves) entry.rest_ends_meet |= entry.ends_meet;
    if (entry.has_target) transaction.set(i);
    if (!entry.begins) continue;
    const View view = reaches[entry.session].view;
    if (view == View::snapshot || view == View::unknown) entry.begun = transaction;
    entry.rest |= entry.begun;
    transaction.reset();
  }
}

// ---- while it runs ----

void FootprintReader::begin_run() {
  for (StepSet& steps : open_) steps.reset();
  events_ = 0;
  operations_ = 0;
}

void FootprintReader::read(const Run& run, Footprint& footprint) {
  footprint.clear();
  for (; events_ < run.trace.events.size(); ++events_) take(run.trace.events[events_], run, footprint);
}

void FootprintReader::take(const Event& event, const Run& run, Footprint& footprint) {
  const std::size_t number = table_.number(event.session, event.step);
  const StepTable::Entry& entry = table_[number];
  if (event.kind != EventKind::done) {
    footprint.waits = true;
    // What such a step waits for is in no row.
    if (!entry.has_target || event.kind == EventKind::stuck) footprint.is_anything = true;
    touch(number, footprint);
    return;
  }
  const Operation& operation = run.operations[operations_++];
  if (operation.end == OperationEnd::passed_over) return;
  if (operation.end == OperationEnd::skipped && !entry.begins) return;
  if (operation.status.reason() == ConflictReason::deadlock ||
      operation.status.reason() == ConflictReason::lock_timeout) {
    footprint.waits = true;
  }
  touch(number, footprint);
  if (run.transactions[operation.transaction].ended_at != kNever) end(number, footprint);
}

void FootprintReader::touch(std::size_t number, Footprint& footprint) {
  const StepTable::Entry& entry = table_[number];
  footprint.is_nothing = false;
  if (table_.is_anything(entry.session)) footprint.is_anything = true;
  if (entry.begins) footprint.begun |= entry.begun;
  StepSet& open = open_[entry.session];
  if (entry.has_target) open.set(number);
  if (entry.is_seen) {
    footprint.steps.set(number);
    footprint.meets |= entry.meets;
  }
  if (entry.kind != StepKind::rollback_to) return;
  // What is undone is written once more.
  for (std::size_t i = number; i-- > 0 && table_[i].session == entry.session;) {
    if (!open.test(i) || !table_[i].writes) continue;
    footprint.steps.set(i);
    footprint.meets |= table_[i].meets;
  }
}

// `last`: the step with which the transaction ended.
void FootprintReader::end(std::size_t last, Footprint& footprint) {
  const std::uint32_t session = table_[last].session;
  StepSet& open = open_[session];
  for (std::size_t i = last + 1; i-- > 0 && table_[i].session == session;) {
    if (!open.test(i) || !table_[i].leaves) continue;
    footprint.ended.set(i);
    footprint.ends_meet |= table_[i].ends_meet;
  }
  open.reset();
}

}  // namespace isolith::anomalies

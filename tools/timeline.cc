#include "tools/timeline.h"

#include <fmt/format.h>

#include <utility>

#include "anomalies/schedule.h"
#include "tools/escape.h"

namespace isolith::tools {

using anomalies::Event;
using anomalies::EventKind;
using anomalies::kNoSession;
using anomalies::kNoWrite;
using anomalies::Operation;
using anomalies::OperationEnd;
using anomalies::Operator;
using anomalies::Scenario;
using anomalies::SessionScript;
using anomalies::Step;
using anomalies::StepKind;
using anomalies::Write;

namespace {

bool reads_range(StepKind kind) {
  return kind == StepKind::scan || kind == StepKind::count || kind == StepKind::sum ||
         kind == StepKind::exists;
}

bool reads_key(StepKind kind) {
  return kind == StepKind::get || kind == StepKind::get_for_update || kind == StepKind::get_for_share;
}

// "deadlock", "already_exists".
std::string failure_name(const Status& status) {
  const bool has_reason = status.reason() != ConflictReason::none;
  return std::string(has_reason ? isolith::to_string(status.reason()) : isolith::to_string(status.code()));
}

std::string head_of(const SessionScript& session) {
  std::string kind;
  if (session.level) kind = "at " + *session.level;
  if (session.read_only) kind += kind.empty() ? "read only" : ", read only";
  if (session.deferrable) kind += kind.empty() ? "deferrable" : ", deferrable";
  return kind.empty() ? session.name : session.name + " (" + kind + ")";
}

class Builder {
 public:
  Builder(const Scenario& scenario, const anomalies::Run& run, Timeline& timeline)
      : scenario_(scenario),
        run_(run),
        notes_(scenario, run, timeline.engine == "isolith"),
        timeline_(timeline),
        waiting_(scenario.sessions.size(), false),
        shown_(scenario.sessions.size(), 0) {}

  void build() {
    for (std::size_t moment = 0; moment < run_.trace.events.size(); ++moment) {
      const Event& event = run_.trace.events[moment];
      TimelineRow row = begin_row(event);
      add_event(row, moment);
      const bool ends_wait = event.kind == EventKind::resumed || event.kind == EventKind::timed_out;
      if (ends_wait && moment + 1 < run_.trace.events.size()) {
        const Event& next = run_.trace.events[moment + 1];
        if (next.kind == EventKind::done && next.session == event.session) add_event(row, ++moment);
      }
      row.waiting = waiting_;
      timeline_.rows.push_back(std::move(row));
    }
  }

 private:
  TimelineRow begin_row(const Event& event) {
    TimelineRow row;
    row.session = event.session;
    const SessionScript& session = scenario_.sessions[event.session];
    if (event.step == 0) {
      row.label = session.name + "!";
      return row;
    }
    anomalies::Session named;
    named.name = session.name;
    anomalies::append_step(row.label, named, event.step);
    row.step = printable(session.steps[event.step - 1].text);
    const bool is_new = shown_[event.session] < event.step && event.kind != EventKind::deferred;
    if (!is_new) return row;
    shown_[event.session] = event.step;
    row.lane.push_back({Mark::step, row.step});
    return row;
  }

  void add_event(TimelineRow& row, std::size_t moment) {
    const Event& event = run_.trace.events[moment];
    if (event.kind == EventKind::done) {
      add_operation(row);
      return;
    }
    for (Note& note : notes_.of_event(moment)) row.engine.push_back(std::move(note));
    switch (event.kind) {
      case EventKind::blocked: {
        waiting_[event.session] = true;
        row.outcome.kind = Outcome::Kind::waits;
        const std::string holders = holder_names(event, scenario_.sessions);
        row.lane.push_back({Mark::waits, holders.empty() ? "waits" : "waits for " + holders});
        break;
      }
      case EventKind::resumed:
        waiting_[event.session] = false;
        row.resumes = true;
        row.lane.push_back({Mark::goes_on, "goes on"});
        break;
      case EventKind::timed_out:
        waiting_[event.session] = false;
        row.resumes = true;
        row.lane.push_back({Mark::fails, "its time is up"});
        break;
      case EventKind::deferred:
        row.lane.push_back({Mark::aside, row.label + " comes later"});
        break;
      case EventKind::not_blocked:
        row.lane.push_back({Mark::aside, "does not wait"});
        break;
      case EventKind::stuck:
        row.lane.push_back({Mark::fails, "stuck"});
        break;
      case EventKind::done:
        break;
    }
  }

  // The next operation: there is one for each `done`.
  void add_operation(TimelineRow& row) {
    const Operation& operation = run_.operations[next_operation_++];
    const Step& step = scenario_.sessions[operation.session].steps[operation.step - 1];
    for (Note& note : notes_.of_operation(operation)) row.engine.push_back(std::move(note));
    row.outcome.kind = Outcome::Kind::goes_on;
    switch (operation.end) {
      case OperationEnd::skipped:
        row.lane.push_back({Mark::aside, "not done: the condition is false"});
        return;
      case OperationEnd::passed_over:
        row.outcome.kind = Outcome::Kind::none;
        row.lane.push_back({Mark::aside, "passed over"});
        return;
      case OperationEnd::refused:
        row.outcome.kind = Outcome::Kind::fails;
        row.lane.push_back({Mark::fails, "not true: aborts"});
        return;
      case OperationEnd::failed:
        row.outcome.kind = Outcome::Kind::fails;
        row.lane.push_back({Mark::fails, "fails: " + failure_name(operation.status)});
        return;
      case OperationEnd::done:
        break;
    }
    add_result(row, operation, step);
  }

  void add_result(TimelineRow& row, const Operation& operation, const Step& step) {
    if (step.kind == StepKind::require) row.lane.push_back({Mark::result, "true"});
    if (step.kind == StepKind::commit) row.lane.push_back({Mark::ends, "committed"});
    if (step.kind == StepKind::abort) row.lane.push_back({Mark::ends, "aborted"});
    if (reads_key(step.kind) || reads_range(step.kind)) {
      row.outcome.kind = Outcome::Kind::reads;
      row.outcome.value = anomalies::to_text(operation.result);
      const bool is_list = step.kind == StepKind::scan;
      std::string shown =
          is_list ? printable(row.outcome.value) : VersionHistory::value_text(operation.result);
      if (shown.empty()) shown = "no rows";
      row.lane.push_back({Mark::result, std::move(shown)});
      return;
    }
    const bool is_single = step.kind == StepKind::put || step.kind == StepKind::insert;
    if (is_single && step.value && step.value->op == Operator::literal) return;
    if (!is_single && step.kind != StepKind::update && step.kind != StepKind::erase_range) return;
    if (step.variable != anomalies::kNoVariable) {  // the engine's column tells of the rows
      row.lane.push_back({Mark::result, VersionHistory::value_text(operation.result)});
      return;
    }
    std::string written;
    for (const std::uint32_t place : operation.writes) {
      const Write& write = run_.writes[place];
      if (write.state == anomalies::WriteState::failed) continue;
      if (!written.empty()) written += ", ";
      const std::string value = notes_.history().version_text(place);
      if (is_single) written += value;
      if (!is_single)
        written += notes_.history().key_text(write.table, write.key) + (write.value ? " = " : " ") + value;
    }
    row.lane.push_back({Mark::result, written.empty() ? "no rows" : std::move(written)});
  }

  const Scenario& scenario_;
  const anomalies::Run& run_;
  EngineNotes notes_;
  Timeline& timeline_;
  std::vector<bool> waiting_;
  std::vector<std::uint32_t> shown_;  // of each session, the last step whose text was shown
  std::size_t next_operation_ = 0;
};

}  // namespace

Timeline make_timeline(const Scenario& scenario, const anomalies::Run& run, const std::string& engine_name) {
  Timeline timeline;
  timeline.engine = engine_name;
  for (const SessionScript& session : scenario.sessions) timeline.sessions.push_back(head_of(session));
  Builder(scenario, run, timeline).build();
  return timeline;
}

}  // namespace isolith::tools

#include "tools/run_text.h"

#include <fmt/format.h>

#include <vector>

#include "anomalies/condition_text.h"
#include "tools/escape.h"
#include "tools/text_layout.h"
#include "tools/version_history.h"

namespace isolith::tools {

using anomalies::Event;
using anomalies::EventKind;
using anomalies::kNoSession;
using anomalies::Operation;
using anomalies::OperationEnd;
using anomalies::Phenomenon;
using anomalies::Row;
using anomalies::Scenario;
using anomalies::Verdict;

namespace {

// A label, and wrapped text beside it.
std::string beside(const Look& look, std::string_view label, std::string_view text, Tone tone = Tone::plain) {
  constexpr std::size_t kLabel = 12;
  const std::size_t width = look.width > kLabel + 22 ? look.width - kLabel - 2 : 20;
  std::string lines;
  bool is_first = true;
  for (const std::string& line : wrap(text, width)) {
    lines += "  " + look.palette.faint(pad(is_first ? label : "", kLabel)) + dress(look.palette, tone, line) +
             "\n";
    is_first = false;
  }
  return lines;
}

std::string rows_text(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) {
    if (!text.empty()) text += ", ";
    text += printable(row.key) + " = " + VersionHistory::value_text(row.value);
  }
  return text.empty() ? "empty" : text;
}

// A line for each table; `rows_of` gives its rows.
template <typename RowsOf>
std::string state_text(const Look& look, const Scenario& scenario, std::string_view label, RowsOf rows_of) {
  std::string text;
  for (std::size_t i = 0; i < scenario.tables.size(); ++i) {
    const std::string line = scenario.tables[i].name + ": " + rows_text(rows_of(i));
    text += beside(look, i == 0 ? label : "", line);
  }
  return text;
}

// Who waited for whom and who failed with a conflict, each once.
std::string events_text(const Scenario& scenario, const LevelReport& report, Verdict verdict) {
  std::vector<std::string> found;
  const auto add = [&found](std::string text) {
    for (const std::string& other : found) {
      if (other == text) return;
    }
    found.push_back(std::move(text));
  };
  if (verdict == Verdict::waiting) {
    for (const Event& event : report.run.trace.events) {
      if (event.kind != EventKind::blocked) continue;
      const std::string holders = holder_names(event, scenario.sessions);
      add(fmt::format("{} waited for {}", scenario.sessions[event.session].name,
                      holders.empty() ? "another transaction" : holders));
    }
  } else {
    for (const Operation& operation : report.run.operations) {
      if (operation.end != OperationEnd::failed || !operation.status.is(StatusCode::conflict)) continue;
      add(fmt::format("{} failed with {}", scenario.sessions[operation.session].name,
                      anomalies::status_name(operation.status)));
    }
  }
  std::string text;
  for (const std::string& one : found) text += (text.empty() ? "" : "; ") + one;
  return text;
}

std::string prevention_text(const Scenario& scenario, const LevelReport& report) {
  if (report.run_verdict == Verdict::snapshot) {
    const std::string_view how =
        report.is_one_order ? "does not happen in this order" : "is prevented by what was read";
    return fmt::format("It {}: nobody waited, and nobody failed.", how);
  }
  std::string_view how = report.run_verdict == Verdict::waiting ? "waiting" : "aborting";
  const std::string events = events_text(scenario, report, report.run_verdict);
  if (report.is_one_order) return fmt::format("It does not happen in this order: {}.", events);
  return fmt::format("It is prevented by {}: {}.", how, events);
}

// Why the run shows the anomaly: by a condition of the file, or since no serial order is behind it.
std::string reasons_text(const Look& look, const LevelReport& report) {
  std::string text;
  for (const ConditionSeen& seen : report.conditions) {
    const bool is_wrong = seen.is_invariant != seen.holds;
    const std::string values = seen.values.empty() ? "" : fmt::format(": {}", printable(seen.values));
    const std::string_view what = seen.is_invariant ? "the invariant " : "";
    const std::string_view how = seen.is_invariant ? (seen.holds ? "holds" : "does not hold")
                                                   : (seen.holds ? "is true" : "is not true");
    const std::string line = fmt::format("{}`{}` {}{}", what, printable(seen.text), how, values);
    text += beside(look, "", line, is_wrong ? Tone::bad : Tone::plain);
  }
  if (report.conditions.empty() && report.run_verdict == Verdict::happens) {
    text += beside(look, "", "no serial order of the transactions gives what they read and what is stored",
                   Tone::bad);
  }
  return text;
}

// A cycle of several kinds has a name of its own, which the explanation ends with.
std::string heading_text(Phenomenon phenomenon) {
  if (phenomenon >= Phenomenon::g_single) return std::string(to_string(phenomenon));
  return fmt::format("{}, {}", to_string(phenomenon), common_name(phenomenon));
}

std::string dependencies_text(const Look& look, const Scenario& scenario, const LevelReport& report) {
  const Phenomenon phenomenon = report.finding.phenomenon;
  if (phenomenon == Phenomenon::none) {
    return beside(look, "why",
                  report.is_serial
                      ? "what committed is as if one came after the other: some serial order gives it"
                      : "the dependencies of what committed have no cycle");
  }
  std::string text = beside(look, "why", heading_text(phenomenon), Tone::strong);
  text += beside(look, "", printable(report.explanation));
  if (report.run_verdict != Verdict::happens) {
    text += beside(look, "",
                   scenario.anomalies.empty()
                       ? "(no serial order gives this; but the invariants of the scenario hold)"
                       : "(the scenario's own anomaly is another one, which does not happen here)",
                   Tone::faint);
  }
  return text;
}

std::string orders_text(const Look& look, const LevelReport& report) {
  if (report.runs <= 1 && report.orders <= 1) return "";
  std::string text =
      with_separators(report.runs) + (report.runs == 1 ? " order was run" : " orders were run");
  if (report.orders > report.runs && report.complete) {
    text += fmt::format(", and the other {} differ from them only in steps that commute",
                        with_separators(report.orders - report.runs));
  } else if (!report.complete) {
    text += fmt::format(", of very many: 'isolith explore' runs more");
  }
  text += fmt::format(". {} show{} the anomaly; somebody waits in {}, somebody fails with a conflict in {}.",
                      with_separators(report.showing), report.showing == 1 ? "s" : "",
                      with_separators(report.waiting), with_separators(report.aborting));
  return beside(look, "orders", text) + beside(look, "",
                                               (report.complete ? "At this level: " : "In these orders: ") +
                                                   verdict_words(report.verdict) + ".",
                                               report.verdict == Verdict::happens ? Tone::bad : Tone::good);
}

// Which of several orders is shown.
std::string choice_text(const LevelReport& report) {
  const std::string first = fmt::format("the first of {}", with_separators(report.runs));
  switch (report.run_verdict) {
    case Verdict::happens:
      return first + " that shows the anomaly";
    case Verdict::aborting:
      return first + " in which somebody fails; none shows the anomaly";
    case Verdict::waiting:
      return first + " in which somebody waits; none shows the anomaly";
    case Verdict::snapshot:
      break;
  }
  return first + "; none shows the anomaly";
}

std::string expectations_text(const RunSubject& subject, const LevelReport& report) {
  const Look& look = subject.look;
  if (subject.engine != "isolith") {
    return beside(look, "expected", "what the file expects is said of isolith's levels; it is not compared",
                  Tone::faint);
  }
  if (!report.expects_anything) {
    return beside(look, "expected", "the file expects nothing at " + report.level, Tone::faint);
  }
  if (report.unmet.empty()) {
    return beside(look, "expected", "all that the file expects at " + report.level + " was seen", Tone::good);
  }
  std::string text = beside(look, "expected",
                            report.are_own_orders ? "this is not what the file expects:"
                                                  : "the expectations were written for the file's own "
                                                    "orders; in these:",
                            Tone::bad);
  for (const anomalies::Unmet& unmet : report.unmet) {
    text += beside(look, "",
                   fmt::format("{}:{}:{}: {}", subject.loaded.name, unmet.place.line, unmet.place.column,
                               printable(unmet.text)),
                   Tone::bad);
  }
  return text;
}

}  // namespace

std::string verdict_words(Verdict verdict) {
  switch (verdict) {
    case Verdict::happens:
      return "the anomaly happens";
    case Verdict::waiting:
      return "prevented by waiting";
    case Verdict::aborting:
      return "prevented by aborting";
    case Verdict::snapshot:
      return "prevented by reading a snapshot";
  }
  return "";
}

std::string rule_text(const Look& look) {
  std::string line;
  for (std::size_t i = 0; i < look.width; ++i) line += look.unicode ? "═" : "=";
  return look.palette.faint(line) + "\n";
}

std::string intro_text(const RunSubject& subject, bool with_story) {
  const Scenario& scenario = subject.loaded.scenario;
  const Look& look = subject.look;
  std::string text = look.palette.bold(printable(scenario.title));
  if (!scenario.shows.empty()) text += ": " + printable(scenario.shows);
  text += "\n\n";
  constexpr std::size_t kReadable = 100;
  if (!with_story || scenario.story.empty()) return text;
  return text + wrap_paragraphs(scenario.story, std::min(look.width, kReadable), 2) + "\n";
}

std::string start_text(const RunSubject& subject, const LevelReport& report) {
  const Look& look = subject.look;
  std::string text =
      beside(look, "engine",
             fmt::format("{} {} at {}: {}", subject.engine, subject.version, report.level, report.claim));
  std::string order = report.order;
  if (report.runs > 1) order += "   (" + choice_text(report) + ")";
  text += beside(look, "order", order);
  return text + state_text(look, subject.loaded.scenario, "at first",
                           [&subject](std::size_t i) { return subject.loaded.scenario.tables[i].rows; });
}

std::string end_text(const RunSubject& subject, const LevelReport& report) {
  const Look& look = subject.look;
  const Scenario& scenario = subject.loaded.scenario;
  const bool happens = report.run_verdict == Verdict::happens;
  std::string text =
      state_text(look, scenario, "at the end", [&report](std::size_t i) { return report.run.tables[i]; });
  text += '\n';
  const std::string verdict = happens ? "The anomaly happens." : prevention_text(scenario, report);
  text += beside(look, "verdict", verdict, happens ? Tone::bad : Tone::good);
  text += reasons_text(look, report);
  if (!report.serial_fault.empty()) text += beside(look, "", printable(report.serial_fault), Tone::bad);
  text += dependencies_text(look, scenario, report);
  text += orders_text(look, report);
  return text + expectations_text(subject, report);
}

}  // namespace isolith::tools

#include "tools/run_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "anomalies/trace.h"
#include "tools/escape.h"
#include "tools/timeline.h"

namespace isolith::tools {

using anomalies::Run;
using anomalies::Scenario;
using anomalies::TransactionEnd;
using nlohmann::ordered_json;

namespace {

std::string_view name_of(TransactionEnd end) {
  switch (end) {
    case TransactionEnd::not_begun:
      return "not_begun";
    case TransactionEnd::committed:
      return "committed";
    case TransactionEnd::aborted:
      return "aborted";
    case TransactionEnd::failed:
      return "failed";
  }
  return "";
}

ordered_json timeline_json(const Scenario& scenario, const Run& run, const std::string& engine) {
  ordered_json rows = ordered_json::array();
  for (const TimelineRow& row : make_timeline(scenario, run, engine).rows) {
    ordered_json json;
    json["session"] = scenario.sessions[row.session].name;
    json["step"] = row.label;
    json["text"] = row.step;
    json["lane"] = ordered_json::array();
    for (const LaneLine& line : row.lane) {
      if (line.mark != Mark::step) json["lane"].push_back(line.text);
    }
    json["engine"] = ordered_json::array();
    for (const Note& note : row.engine) json["engine"].push_back(note.text);
    rows.push_back(std::move(json));
  }
  return rows;
}

ordered_json transactions_json(const Scenario& scenario, const Run& run) {
  ordered_json transactions = ordered_json::array();
  for (std::uint32_t i = 0; i < run.transactions.size(); ++i) {
    const anomalies::TransactionRecord& record = run.transactions[i];
    ordered_json json = {
        {"name", transaction_name(scenario, run, i)}, {"level", record.level}, {"end", name_of(record.end)}};
    if (record.end == TransactionEnd::failed) {
      json["status"] = anomalies::status_name(record.status);
      json["message"] = printable(record.status.message());
    }
    transactions.push_back(std::move(json));
  }
  return transactions;
}

ordered_json tables_json(const Scenario& scenario, const Run& run) {
  ordered_json tables = ordered_json::object();
  for (std::size_t i = 0; i < scenario.tables.size(); ++i) {
    ordered_json rows = ordered_json::object();
    for (const anomalies::Row& row : run.tables[i]) rows[printable(row.key)] = printable(row.value);
    tables[scenario.tables[i].name] = std::move(rows);
  }
  return tables;
}

ordered_json level_json(const RunSubject& subject, const LevelReport& report) {
  const Scenario& scenario = subject.loaded.scenario;
  ordered_json json;
  json["level"] = report.level;
  json["claim"] = report.claim;
  json["orders"] = report.orders;
  json["runs"] = report.runs;
  json["complete"] = report.complete;
  json["showing"] = report.showing;
  json["waiting"] = report.waiting;
  json["aborting"] = report.aborting;
  json["verdict"] = to_string(report.verdict);
  json["serial_fault"] =
      report.serial_fault.empty() ? ordered_json(nullptr) : ordered_json(printable(report.serial_fault));
  json["expects_anything"] = report.expects_anything;
  json["unmet"] = ordered_json::array();
  for (const anomalies::Unmet& unmet : report.unmet) {
    json["unmet"].push_back(
        {{"line", unmet.place.line}, {"column", unmet.place.column}, {"text", printable(unmet.text)}});
  }
  ordered_json shown;
  shown["order"] = report.order;
  shown["verdict"] = to_string(report.run_verdict);
  shown["phenomenon"] = to_string(report.finding.phenomenon);
  shown["explanation"] = printable(report.explanation);
  shown["timeline"] = timeline_json(scenario, report.run, subject.engine);
  shown["transactions"] = transactions_json(scenario, report.run);
  shown["final"] = tables_json(scenario, report.run);
  json["run"] = std::move(shown);
  return json;
}

}  // namespace

ordered_json run_json(const RunSubject& subject, const std::vector<LevelReport>& reports) {
  ordered_json json;
  json["scenario"] = {{"name", printable(subject.loaded.name)},
                      {"title", printable(subject.loaded.scenario.title)},
                      {"shows", printable(subject.loaded.scenario.shows)}};
  json["engine"] = subject.engine;
  json["version"] = subject.version;
  json["as_expected"] =
      std::all_of(reports.begin(), reports.end(), [](const LevelReport& one) { return one.unmet.empty(); });
  json["levels"] = ordered_json::array();
  for (const LevelReport& report : reports) json["levels"].push_back(level_json(subject, report));
  return json;
}

}  // namespace isolith::tools

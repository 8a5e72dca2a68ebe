#include "anomalies/condition_text.h"

namespace isolith::anomalies {
namespace {

std::string describe(const Target& target, const Scenario& scenario) {
  std::string text = scenario.tables[target.table].name;
  if (target.is_range && target.lo.empty() && !target.hi) return text;
  text.append("/").append(target.lo);
  if (target.is_range) text.append("..").append(target.hi.value_or(""));
  return text;
}

void add_values(const Expression& condition, const Scenario& scenario, const Run& run, std::string& text) {
  std::string what;
  if (condition.op == Operator::variable) {
    const SessionScript& session = scenario.sessions[condition.session];
    what.append(session.name).append(".").append(session.variables[condition.variable]);
  } else if (reads_state(condition.op)) {
    what.append(symbol_of(condition.op)).append(" ").append(describe(condition.target, scenario));
    if (!condition.operands.empty()) what += " where ...";
  } else {
    for (const Expression& operand : condition.operands) add_values(operand, scenario, run, text);
    return;
  }
  const Result<Value> value = evaluate(condition, RunScope(run));
  if (!value.ok()) return;
  what.append(" is ").append(to_text(*value));
  if (text.find(what) != std::string::npos) return;
  text.append(text.empty() ? "" : ", ").append(what);
}

}  // namespace

std::string describe_values(const Expression& condition, const Scenario& scenario, const Run& run) {
  std::string text;
  add_values(condition, scenario, run, text);
  return text;
}

}  // namespace isolith::anomalies

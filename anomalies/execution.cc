// From a scenario to a runner's program, and what a run needs around it. What a step does: session_run.cc.
#include "anomalies/execution.h"

#include <algorithm>
#include <utility>

#include "anomalies/session_run.h"

namespace isolith::anomalies {
namespace {

const EngineLevel* find_level(const Engine& engine, std::string_view name) {
  for (const EngineLevel& level : engine.levels()) {
    if (level.name == name) return &level;
  }
  return nullptr;
}

// "a", "a and b", "a, b and c".
std::string level_names(const Engine& engine) {
  std::string text;
  const std::vector<EngineLevel>& levels = engine.levels();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (i > 0) text += i + 1 == levels.size() ? " and " : ", ";
    text += levels[i].name;
  }
  return text;
}

Status no_level(const Engine& engine, std::string_view level, Place place) {
  std::string text = place.line == 0 ? std::string() : to_text(place) + ": ";
  text.append(engine.name()).append(" has no level '").append(level);
  text.append("'; it has ").append(level_names(engine));
  return {StatusCode::invalid_argument, std::move(text)};
}

Status check_session_levels(const Scenario& scenario, const Engine& engine) {
  for (const SessionScript& session : scenario.sessions) {
    if (session.level && find_level(engine, *session.level) == nullptr) {
      return no_level(engine, *session.level, session.place);
    }
  }
  return {};
}

// The transactions of all sessions, none begun, in their order.
std::vector<TransactionRecord> plan(const Scenario& scenario) {
  std::vector<TransactionRecord> transactions;
  for (std::uint32_t i = 0; i < scenario.sessions.size(); ++i) {
    const std::vector<Step>& steps = scenario.sessions[i].steps;
    for (std::uint32_t j = 0; j < steps.size(); ++j) {
      if (j == 0 || steps[j].kind == StepKind::begin) {
        TransactionRecord& record = transactions.emplace_back();
        record.session = i;
        record.first_step = j + 1;
      }
      transactions.back().last_step = j + 1;
    }
  }
  return transactions;
}

std::vector<TableContents> first_contents(const Scenario& scenario, std::vector<Write>& writes) {
  std::vector<TableContents> contents;
  for (std::uint32_t i = 0; i < scenario.tables.size(); ++i) {
    TableContents& table = contents.emplace_back();
    table.name = scenario.tables[i].name;
    for (const Row& row : scenario.tables[i].rows) {
      table.rows.push_back({row.key, mark_value(row.value, static_cast<std::uint32_t>(writes.size()))});
      Write& write = writes.emplace_back();
      write.table = i;
      write.key = row.key;
      write.value = row.value;
    }
  }
  return contents;
}

}  // namespace

struct Execution::State {
  Runner& runner;
  EngineLevel level;
  bool prepared = false;
  std::vector<TransactionRecord> transactions;  // as at the start of a run
  std::vector<Write> first_writes;
  std::vector<TableContents> first_contents;
  RunState run;
  std::vector<SessionRun> sessions;
  Program program;
  std::vector<Row> rows;  // scratch

  explicit State(Runner& the_runner) : runner(the_runner) {}
};

Execution::Execution(const Scenario& scenario, Engine& engine, Runner& runner)
    : scenario_(scenario), engine_(engine), state_(std::make_unique<State>(runner)) {
  State& state = *state_;
  state.transactions = plan(scenario);
  state.first_contents = first_contents(scenario, state.first_writes);
  state.run.scenario = &scenario;
  state.program = outline(scenario);
}

Execution::~Execution() = default;

Status Execution::prepare(std::string_view level) {
  State& state = *state_;
  const EngineLevel* found = find_level(engine_, level);
  if (found == nullptr) return no_level(engine_, level, {});
  if (Status status = check_session_levels(scenario_, engine_); !status.ok()) return status;
  state.level = *found;
  for (TransactionRecord& record : state.transactions) {
    record.level = scenario_.sessions[record.session].level.value_or(state.level.name);
  }
  state.sessions.clear();
  state.sessions.reserve(scenario_.sessions.size());
  for (std::uint32_t i = 0; i < scenario_.sessions.size(); ++i) {
    Result<std::unique_ptr<EngineSession>> opened = engine_.open_session();
    if (!opened.ok()) return opened.status();
    SessionRun& session = state.sessions.emplace_back(state.run, i, *std::move(opened));
    for (std::uint32_t j = 0; j < scenario_.sessions[i].steps.size(); ++j) {
      state.program.sessions[i].steps[j] = [&session, j] { session.take(j); };
    }
  }
  state.program.transaction_of = [&state](std::size_t i) { return state.sessions[i].transaction_id(); };
  state.prepared = true;
  return {};
}

Status Execution::run(const Schedule& schedule, Run& run) {
  state_->run.is_excluded.clear();
  return run_program(&schedule, nullptr, run);
}

Status Execution::run(const Runner::Chooser& chooser, Run& run) {
  state_->run.is_excluded.clear();
  return run_program(nullptr, &chooser, run);
}

Status Execution::run_serially(std::span<const std::uint32_t> transactions, Run& run) {
  State& state = *state_;
  std::vector<bool>& is_excluded = state.run.is_excluded;
  is_excluded.assign(state.transactions.size(), true);
  Schedule schedule;
  std::vector<std::uint32_t> taken(scenario_.sessions.size(), 0);
  for (const std::uint32_t transaction : transactions) {
    const TransactionRecord& record = state.transactions[transaction];
    is_excluded[transaction] = false;
    // Also what the session's earlier transactions would have done, which are passed over.
    for (; taken[record.session] < record.last_step; ++taken[record.session]) {
      schedule.entries.push_back({record.session, false});
    }
  }
  for (std::uint32_t i = 0; i < taken.size(); ++i) {
    for (; taken[i] < scenario_.sessions[i].steps.size(); ++taken[i]) schedule.entries.push_back({i, false});
  }
  return run_program(&schedule, nullptr, run);
}

const Program& Execution::program() const noexcept { return state_->program; }

const EngineLevel& Execution::level() const noexcept { return state_->level; }

Status Execution::run_program(const Schedule* schedule, const Runner::Chooser* chooser, Run& run) {
  State& state = *state_;
  if (!state.prepared) return {StatusCode::invalid_argument, "the execution is not prepared"};
  if (Status status = engine_.reset(state.first_contents); !status.ok()) return status;
  state.run.begin(run, state.transactions, state.first_writes);
  for (SessionRun& session : state.sessions) session.begin_run();
  Status status = schedule != nullptr ? state.runner.run(state.program, *schedule, run.trace)
                                      : state.runner.run(state.program, *chooser, run.trace);
  for (SessionRun& session : state.sessions) session.end_run();
  if (!status.ok()) return status;
  if (!state.run.error.ok()) return state.run.error;
  state.run.note_waits();
  for (std::uint32_t i = 0; i < scenario_.tables.size(); ++i) {
    if (status = engine_.contents(i, state.rows); !status.ok()) return status;
    if (status = state.run.take_final_rows(state.rows); !status.ok()) return status;
  }
  return {};
}

Status check_levels(const Scenario& scenario, const Engine& engine) {
  if (Status status = check_session_levels(scenario, engine); !status.ok()) return status;
  for (const Expectation& expectation : scenario.expectations) {
    for (const std::string& level : expectation.levels) {
      if (find_level(engine, level) == nullptr) return no_level(engine, level, expectation.place);
    }
  }
  return {};
}

}  // namespace isolith::anomalies

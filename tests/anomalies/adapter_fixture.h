// A store behind the Engine interface, sessions that run on it in a written order, and what came of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/adapters/adapters.h"
#include "anomalies/runner.h"
#include "tests/support/temporary_directory.h"

namespace isolith::anomalies {

using Act = std::function<Status(EngineSession&)>;

inline bool is_built(std::string_view name) {
  const std::vector<Adapter> adapters = built_adapters();
  return std::any_of(adapters.begin(), adapters.end(),
                     [name](const Adapter& one) { return one.name == name; });
}

// Its tests begin with `open`, which skips those of a store that is not in this build.
class AdapterFixture : public ::testing::Test {
 protected:
  void open(std::string_view name) {
    if (!is_built(name)) GTEST_SKIP() << "the adapter " << name << " is not in this build";
    Result<std::unique_ptr<Engine>> opened = open_adapter(name, directory_.path(), runner_);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    engine_ = *std::move(opened);
  }

  void reset(const std::vector<Row>& rows) {
    const Status status = engine_->reset({{"rows", rows}});
    ASSERT_TRUE(status.ok()) << status.to_string();
  }

  std::vector<Row> contents(std::uint32_t table = 0) {
    std::vector<Row> rows;
    const Status status = engine_->contents(table, rows);
    EXPECT_TRUE(status.ok()) << status.to_string();
    return rows;
  }

  std::string text_of_contents() { return to_text(contents()); }

  std::unique_ptr<EngineSession> session() {
    Result<std::unique_ptr<EngineSession>> opened = engine_->open_session();
    EXPECT_TRUE(opened.ok()) << opened.status().to_string();
    return *std::move(opened);
  }

  // Runs sessions A, B, ... and keeps what each act returned in `results_`.
  void run(const std::vector<std::vector<Act>>& scripts, const std::string& order) {
    Program program;
    std::vector<std::unique_ptr<EngineSession>> sessions;
    results_.assign(scripts.size(), {});
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      sessions.push_back(session());
      program.sessions.push_back({std::string(1, static_cast<char>('A' + i)), {}});
      for (const Act& act : scripts[i]) {
        program.sessions[i].steps.push_back([&, i] { results_[i].push_back(act(*sessions[i])); });
      }
    }
    program.transaction_of = [&](std::size_t i) { return sessions[i]->transaction_id(); };
    const Result<Schedule> schedule = parse_schedule(order, program);
    ASSERT_TRUE(schedule.ok()) << schedule.status().to_string();
    const Status status = runner_.run(program, *schedule, trace_);
    ASSERT_TRUE(status.ok()) << status.to_string();
    text_ = to_string(trace_, program);
    EXPECT_FALSE(trace_.stuck) << text_;
    for (const auto& one : sessions) EXPECT_EQ(one->transaction_id(), 0U) << text_;
  }

  // Each status is ok, a conflict, or that of an act after one.
  void expect_only_conflicts() {
    for (const std::vector<Status>& results : results_) {
      bool is_over = false;
      for (const Status& status : results) {
        const StatusCode wanted = is_over ? StatusCode::aborted : StatusCode::conflict;
        EXPECT_TRUE((status.ok() && !is_over) || status.is(wanted)) << status.to_string() << '\n' << text_;
        is_over = is_over || status.is(StatusCode::conflict);
      }
    }
  }

  [[nodiscard]] bool committed(std::size_t session) const { return results_[session].back().ok(); }

  [[nodiscard]] std::vector<std::string> levels() const {
    std::vector<std::string> names;
    for (const EngineLevel& level : engine_->levels()) names.push_back(level.name);
    return names;
  }

  testing::TemporaryDirectory directory_;
  Runner runner_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::vector<Status>> results_;
  Trace trace_;
  std::string text_;  // of the trace
};

// Of those in this process; what is not in the build is skipped.
inline constexpr const char* kEmbedded[] = {"sqlite",     "lmdb",      "rocksdb", "rocksdb_optimistic",
                                            "wiredtiger", "berkeleydb"};

class EmbeddedTest : public AdapterFixture, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { open(GetParam()); }
};

}  // namespace isolith::anomalies

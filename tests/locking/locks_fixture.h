// LocksFixture: sessions that lock and wait, in the order of a schedule, on a database in memory.
//
//   const auto a = session(Isolation::serializable_2pl);
//   put(a, "k"); commit(a); ...
//   run("A1 B1 A2");
//   EXPECT_TRUE(waited(b, 1)); EXPECT_EQ(answer(b, 1), "v");
//
// A session's transaction begins with its first step. Answers are what was read, "" for a write, or the
// beginning of the status.
//
// Threads: from one thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anomalies/runner.h"
#include "isolith/isolith.h"

namespace isolith::testing {

inline constexpr Isolation kTwoPhase = Isolation::serializable_2pl;

class LocksFixture : public ::testing::Test {
 protected:
  using Call = std::function<Status(Transaction&, std::string& read)>;

  LocksFixture() { open({}); }
  void TearDown() override { sessions_.clear(); }

  void open(Options options, const std::vector<std::string>& keys = {"a", "c", "e"}) {
    sessions_.clear();
    database_.reset();
    options.cache_bytes = std::size_t{8} << 20;
    options.wait_hook = &runner_;
    database_.emplace(*Database::open_in_memory(options));
    table_ = *database_->ensure_table("t");
    Transaction transaction = *database_->begin();
    for (const std::string& key : keys) EXPECT_TRUE(transaction.put(table_, key, key + "0").ok());
    EXPECT_TRUE(transaction.commit().ok());
    program_ = {};
    program_.transaction_of = [this](std::size_t i) {
      return sessions_[i]->transaction ? sessions_[i]->transaction->id() : 0;
    };
  }

  std::size_t session(const TransactionOptions& options = kTwoPhase, const std::string& label = {}) {
    sessions_.push_back(std::make_unique<Played>());
    sessions_.back()->options = options;
    sessions_.back()->label = label;
    const std::size_t at = sessions_.size() - 1;
    program_.sessions.push_back({name_of(at), {}});
    return at;
  }
  static std::string name_of(std::size_t at) { return std::string(1, static_cast<char>('A' + at)); }

  void add(std::size_t at, Call call) {
    program_.sessions[at].steps.emplace_back([this, at, call = std::move(call)] {
      Played& played = *sessions_[at];
      Status status;
      std::string read;
      if (!played.transaction) {
        played.options.label = played.label;
        Result<Transaction> begun = database_->begin(played.options);
        status = begun.status();
        if (begun.ok()) played.transaction.emplace(*std::move(begun));
      }
      if (status.ok()) status = call(*played.transaction, read);
      played.statuses.push_back(status);
      const std::string text = status.to_string();
      played.answers.push_back(status.ok() ? read : text.substr(0, text.find(':')));
    });
  }
  void get(std::size_t at, const std::string& key) {
    add(at, [this, key](Transaction& t, std::string& read) { return t.get(table_, key, read); });
  }
  void get_for_update(std::size_t at, const std::string& key, IfLocked if_locked = IfLocked::wait) {
    add(at, [=, this](Transaction& t, std::string& read) {
      return t.get_for_update(table_, key, read, if_locked);
    });
  }
  void get_for_share(std::size_t at, const std::string& key, IfLocked if_locked = IfLocked::wait) {
    add(at, [=, this](Transaction& t, std::string& read) {
      return t.get_for_share(table_, key, read, if_locked);
    });
  }
  void put(std::size_t at, const std::string& key, const std::string& value = "v") {
    add(at, [=, this](Transaction& t, std::string&) { return t.put(table_, key, value); });
  }
  void insert(std::size_t at, const std::string& key) {
    add(at, [=, this](Transaction& t, std::string&) { return t.insert(table_, key, "v"); });
  }
  void erase(std::size_t at, const std::string& key) {
    add(at, [=, this](Transaction& t, std::string&) { return t.erase(table_, key); });
  }
  void commit(std::size_t at) {
    add(at, [](Transaction& t, std::string&) { return t.commit(); });
  }
  void abort(std::size_t at) {
    add(at, [](Transaction& t, std::string&) { return t.abort(); });
  }
  void lock_table(std::size_t at, TableLock lock, IfLocked if_locked = IfLocked::wait) {
    add(at, [=, this](Transaction& t, std::string&) { return t.lock_table(table_, lock, if_locked); });
  }

  struct Scan {
    std::string lo;
    std::optional<std::string> hi;
    bool forward = true;
    std::size_t rows_max = SIZE_MAX;
    CursorOptions options = {};
  };
  // Answers the keys, in the order they came.
  void scan(std::size_t at, const Scan& scan) {
    add(at, [this, scan](Transaction& t, std::string& read) {
      KeyRange range{scan.lo, {}};
      if (scan.hi) range.hi = *scan.hi;
      Result<Cursor> rows = t.cursor(table_, range, scan.options);
      if (!rows.ok()) return rows.status();
      std::size_t count = 0;
      for (scan.forward ? rows->seek_first() : rows->seek_last(); rows->valid();
           scan.forward ? rows->next() : rows->prev()) {
        read += rows->key();
        if (++count == scan.rows_max) return Status();
      }
      return rows->status();
    });
  }

  void run(const std::string& schedule) {
    const Result<anomalies::Schedule> parsed = anomalies::parse_schedule(schedule, program_);
    ASSERT_TRUE(parsed.ok()) << parsed.status().to_string();
    trace_ = {};
    const Status status = runner_.run(program_, *parsed, trace_);
    ASSERT_TRUE(status.ok()) << status.to_string();
    EXPECT_FALSE(trace_.stuck) << text();
  }

  [[nodiscard]] std::string text() const { return to_string(trace_, program_); }
  // Steps count from 1.
  [[nodiscard]] std::string answer(std::size_t at, std::size_t step) const {
    return step <= sessions_[at]->answers.size() ? sessions_[at]->answers[step - 1] : "(not run)";
  }
  [[nodiscard]] const Status& status(std::size_t at, std::size_t step) const {
    return sessions_[at]->statuses.at(step - 1);
  }
  [[nodiscard]] std::size_t waits(std::size_t at, std::size_t step) const {
    return static_cast<std::size_t>(
        std::count_if(trace_.events.begin(), trace_.events.end(), [&](const anomalies::Event& event) {
          return event.kind == anomalies::EventKind::blocked && event.session == at && event.step == step;
        }));
  }
  [[nodiscard]] bool waited(std::size_t at, std::size_t step) const { return waits(at, step) > 0; }
  // Sessions in the order in which their step `step` was done: "BC".
  [[nodiscard]] std::string done_order(std::size_t step, const std::string& of) const {
    std::string order;
    for (const anomalies::Event& event : trace_.events) {
      const std::string name = name_of(event.session);
      if (event.kind == anomalies::EventKind::done && event.step == step &&
          of.find(name) != std::string::npos)
        order += name;
    }
    return order;
  }
  [[nodiscard]] std::optional<Transaction>& transaction(std::size_t at) { return sessions_[at]->transaction; }

  struct Played {
    TransactionOptions options;
    std::string label;
    std::optional<Transaction> transaction;
    std::vector<Status> statuses;
    std::vector<std::string> answers;
  };

  anomalies::Runner runner_;
  std::optional<Database> database_;
  Table table_;
  anomalies::Program program_;
  anomalies::Trace trace_;
  std::vector<std::unique_ptr<Played>> sessions_;
};

}  // namespace isolith::testing

// World: a database on a simulated disk, the model beside it, and the runner that takes the steps of a
// history. Every answer, every wait and every row is compared; the first difference ends the test.
//
// A step asks the engine first and the model after it: nobody else runs in between. Where the engine's call
// waits, the model is asked at that moment, too: it must wait for the same transaction at the same key.
//
// Threads: steps run in the runner's threads, one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/runner.h"
#include "base/simulated_disk.h"
#include "isolith/isolith.h"
#include "tests/history/history.h"
#include "tests/history/model.h"

namespace isolith::history {

// How often things happened that a run must show.
struct Counts {
  std::uint64_t steps = 0;
  std::uint64_t rows = 0;  // compared
  std::uint64_t waits = 0;
  std::uint64_t deadlocks = 0;
  std::uint64_t write_conflicts = 0;
  std::uint64_t crashes = 0;
  std::uint64_t reopenings = 0;
};

class World {
 public:
  explicit World(const History& history);

  // What differs from the model, with the trace, or nothing.
  std::string run();
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  struct CursorSlot {
    std::optional<Cursor> cursor;
    unsigned table = 0;
    std::string lo;
    std::optional<std::string> hi;
    std::uint64_t as_of = 0;
    std::uint64_t foreign_changes = 0;  // when its place was last sought
    bool valid = false;                 // and then:
    std::string key;
  };
  struct SessionSlot {
    std::optional<Transaction> transaction;
    std::uint64_t id = 0;  // the model's
    CursorSlot cursor;
    std::vector<std::pair<Savepoint, std::uint64_t>> savepoints;
    Call call;  // that is carried out now
  };

  // world.cc
  void add_step(std::size_t session, std::string text, std::function<void()> step);
  void add_plan(std::size_t session, const Plan& plan);
  void open(const Options& options, base::SimulatedDisk& disk, std::optional<Database>& database);
  void fill(std::uint32_t first_rows);
  void see(const anomalies::Event& event);
  void expect(bool good, std::string_view text);
  void same(const Status& got, const Answer& wanted);
  void same_rows(const Rows& got, const Rows& wanted);
  void compare(Database& database);
  void finish();
  void do_event(const Operation& operation);
  void crash(unsigned seed);
  void reopen();
  void churn(const Operation& operation);

  // world_calls.cc
  void begin(std::size_t session, Level level);
  void end(std::size_t session, bool commits);
  void call(std::size_t session, const Operation& operation);
  void get(SessionSlot& slot, const Operation& operation);
  void write(SessionSlot& slot, const Operation& operation);
  void settle(SessionSlot& slot, const Status& got, const std::string& value, std::uint64_t number);
  void scan(SessionSlot& slot, const Operation& operation);
  void take_savepoint(SessionSlot& slot);
  void roll_back(SessionSlot& slot, const Operation& operation);
  void open_cursor(SessionSlot& slot, const Operation& operation);
  void seek(SessionSlot& slot, const Operation& operation);
  void move(SessionSlot& slot, const Operation& operation);
  void step(SessionSlot& slot, bool forward);
  bool is_over(SessionSlot& slot);
  void find(SessionSlot& slot, const std::string* from, bool inclusive, bool forward);
  void adopt(SessionSlot& slot, bool forward);
  void stands_where_it_should(SessionSlot& slot);
  std::string next_value(unsigned number);

  const History& history_;
  base::SimulatedDisk disk_;
  anomalies::Runner runner_;
  Options options_;
  std::optional<Database> database_;
  Table tables_[kTables];
  Model model_;
  anomalies::Program program_;
  anomalies::Trace trace_;
  std::vector<SessionSlot> slots_;
  Counts counts_;
  std::uint64_t values_ = 0;  // made
  std::string where_;         // the step that runs
  std::string problem_;
};

}  // namespace isolith::history

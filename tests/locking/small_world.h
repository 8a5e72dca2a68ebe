// SmallWorld: generated transactions over three keys and ranges of them, run in every interleaving on a real
// database, those that fail with a conflict once more until they commit; and whether some serial order gives
// the same, or, where not all were promised that, which versions each read and wrote
// (tests/txn/version_graph.h).
//
// The reference is a std::map: each order of the transactions, one after the other, with all that they read.
//
// Which version of a key was not there, when a read found none, is not in what it read. It is known all the
// same: one step is taken at a time, so it is the last one committed when the snapshot was taken, or, at
// levels without one, when the step ended.
//
// Threads: from one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anomalies/runner.h"
#include "base/random.h"
#include "isolith/isolith.h"
#include "tests/txn/version_graph.h"

namespace isolith::testing {

struct WorldStep {
  enum class Kind : std::uint8_t {
    get,
    put,
    insert,
    erase,
    scan,
    scan_back,
    get_for_update,
    get_for_share
  } kind = Kind::get;
  std::string key;                // or where the range begins
  std::optional<std::string> hi;  // of a range
  std::size_t rows_max = 9;       // a cursor stops after so many
};

struct WorldTransaction {
  Isolation level = Isolation::serializable_2pl;
  bool read_only = false;  // it says so
  std::vector<WorldStep> steps;
};

using World = std::vector<WorldTransaction>;

std::string to_string(const World& world);

struct WorldRules {
  std::size_t transactions = 2;
  std::size_t steps_min = 1;
  std::size_t steps_max = 3;  // and a commit
  std::vector<Isolation> levels{Isolation::serializable_2pl};
  bool ranges = true;  // some steps are cursors
};

World draw_world(base::Random& random, const WorldRules& rules);

// What the transactions read, in their last attempt, and what is stored at the end.
struct WorldOutcome {
  std::vector<std::vector<std::string>> reads;
  std::map<std::string, std::string> rows;
  History history;  // of what was run
  friend bool operator==(const WorldOutcome& left, const WorldOutcome& right) {
    return left.reads == right.reads && left.rows == right.rows;
  }
};

inline constexpr std::uint32_t kWorldKeys = 3;

class WorldRunner {
 public:
  // `options`: its wait hook is the runner's.
  explicit WorldRunner(Options options = {});
  ~WorldRunner();

  // Calls `visit(outcome, order)` for each interleaving of the steps that differs in what was chosen.
  // Returns how many there were. A failure that is no conflict, and a run that does not end, is a problem.
  std::uint64_t run_all(const World& world,
                        const std::function<void(const WorldOutcome&, const std::string& order)>& visit,
                        std::string& problem);

  [[nodiscard]] std::uint64_t victims() const noexcept { return victims_; }
  [[nodiscard]] DatabaseStats stats() const { return database_->stats(); }

 private:
  class Player;
  struct Committed {
    std::uint64_t version;
    std::uint64_t commit;  // by the order of commits
    bool erases;
  };
  void reset();
  WorldOutcome run_once(const World& world, const anomalies::Runner::Chooser& chooser, std::string& order,
                        std::string& problem);

  anomalies::Runner runner_;
  std::unique_ptr<Database> database_;
  Table table_;
  std::uint64_t victims_ = 0;

  // Of one run.
  std::uint64_t commits_ = 0;
  std::uint64_t places_ = 0;  // of writes, in the order in which they were made
  std::array<std::vector<Committed>, kWorldKeys> committed_;
};

// Every serial order's outcome.
std::vector<WorldOutcome> serial_outcomes(const World& world);

}  // namespace isolith::testing

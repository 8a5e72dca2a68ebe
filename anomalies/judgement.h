// Judgement: whether runs of a scenario show its anomaly, how a level kept it away, and whether what was seen
// is what the file expects.
//
// Example:
//   SerialOutcomes serial(execution);
//   Judgement judgement(scenario, "snapshot", serial);
//   for (const Schedule& order : scenario.orders) {
//     ... execution.run(order, run) ...
//     if (Status status = judgement.add(run); !status.ok()) return status;
//   }
//   std::vector<Unmet> unmet = judgement.unmet();     // empty: all that the file expects was seen
//
// Threads: from one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/execution.h"
#include "anomalies/run.h"
#include "anomalies/scenario.h"
#include "isolith/status.h"

namespace isolith::anomalies {

// What the serial orders of a scenario's transactions give, each run once and kept.
class SerialOutcomes {
 public:
  // More transactions than this are not tried in every order: 7! = 5,040 runs.
  static constexpr std::size_t kMaxTransactions = 7;

  explicit SerialOutcomes(Execution& execution) : execution_(execution) {}

  // Whether some serial order of the transactions that committed in `run` gives what they read and what is
  // stored at the end. With more than kMaxTransactions of them: whether the dependencies have no cycle.
  // Serial orders in which a step of the scenario cannot be computed do not count.
  Result<bool> has(const Run& run);

 private:
  Status run_all(const Run& run, std::vector<Run>& outcomes);

  Execution& execution_;
  std::map<std::vector<std::uint32_t>, std::vector<Run>> outcomes_;  // by the transactions that committed
  std::vector<std::uint32_t> committed_;                             // scratch
};

// Whether the run shows the anomaly: an invariant does not hold or an `anomaly` does; in a scenario with
// neither, no serial order has its outcome.
Result<bool> shows_anomaly(const Scenario& scenario, const Run& run, SerialOutcomes& serial);

// Whether a condition of the scenario goes wrong with nothing to isolate, too: "the invariant `...` fails
// even one after the other (A, B): ..."; empty if not, as far as 1,000 serial orders tell. Where a step or a
// condition cannot be computed in one, that one does not count.
Result<std::string> find_serial_fault(Execution& execution);

// Something that the file expects and that was not seen.
struct Unmet {
  Place place;
  std::string text;  // "expected B waits for A at snapshot; in A1 B1 A2 B2 B waited for nobody"
};

class Judgement {
 public:
  Judgement(const Scenario& scenario, std::string_view level, SerialOutcomes& serial);

  // `invalid_argument`, with its place: a condition that cannot be evaluated.
  Status add(const Run& run);

  // Of all runs so far.
  [[nodiscard]] Verdict verdict() const noexcept;
  [[nodiscard]] bool expects_anything() const noexcept;  // at this level
  [[nodiscard]] std::vector<Unmet> unmet() const;

  [[nodiscard]] std::uint64_t runs() const noexcept { return runs_; }
  [[nodiscard]] std::uint64_t showing() const noexcept { return showing_; }
  [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_; }  // somebody waited
  // Somebody failed with a conflict.
  [[nodiscard]] std::uint64_t aborting() const noexcept { return aborting_; }
  [[nodiscard]] bool last_shows() const noexcept { return last_shows_; }  // the run that was added last

  // The order of the first run that shows it, as it was taken.
  [[nodiscard]] const std::optional<Schedule>& first_showing() const noexcept { return first_showing_; }

 private:
  // What was seen in an order, in words.
  struct Sighting {
    Schedule order;
    std::string what;
  };
  struct Item {
    const Expected* expected;
    bool seen = false;  // of what must be in one run
    // Of that: what the first run had. Of what must be in each: the first where it is not.
    std::optional<Sighting> instead;
  };

  Status look(Item& item, const Run& run);
  [[nodiscard]] std::string contradiction(const Item& item) const;  // empty: the item is met
  [[nodiscard]] std::string say_verdict() const;
  [[nodiscard]] std::string say(const Sighting& sighting) const;

  const Scenario& scenario_;
  SerialOutcomes& serial_;
  std::string level_;
  Program program_;  // for the texts of orders
  std::vector<Item> items_;
  std::uint64_t runs_ = 0;
  std::uint64_t showing_ = 0;
  std::uint64_t waiting_ = 0;
  std::uint64_t aborting_ = 0;
  bool last_shows_ = false;
  std::optional<Schedule> first_showing_;
  std::string first_anomaly_;  // what went wrong in that order
  std::optional<Sighting> first_waiting_;
  std::optional<Sighting> first_aborting_;
};

// "happens", "waiting", "aborting", "snapshot".
std::string_view to_string(Verdict verdict) noexcept;

// "conflict/deadlock", "not_found": as `fails with` names it.
std::string status_name(const Status& status);

}  // namespace isolith::anomalies

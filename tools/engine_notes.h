// EngineNotes: what the engine did at each moment of a run, in words: which version was read and who wrote
// it, which lock was waited for and who held it, what a snapshot sees, by which rule somebody failed.
//
// Everything is told from the Run. What only isolith's own levels promise (locks, snapshots) is said of
// isolith alone.
//
// Threads: values; scenario and run outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "anomalies/run.h"
#include "anomalies/scenario.h"
#include "tools/version_history.h"

namespace isolith::tools {

// How a line is meant, which colour says on a terminal.
enum class Tone : std::uint8_t {
  plain,
  faint,
  good,  // goes on, commits
  bad,   // fails; or what should not be
  waits,
  strong,
};

struct Note {
  Tone tone = Tone::plain;
  std::string text;  // printable
};
using Notes = std::vector<Note>;

class EngineNotes {
 public:
  // `is_isolith`: the run is one of isolith's own levels.
  EngineNotes(const anomalies::Scenario& scenario, const anomalies::Run& run, bool is_isolith)
      : scenario_(scenario), run_(run), history_(scenario, run), is_isolith_(is_isolith) {}

  // Of an operation that has ended: also what its transaction's beginning, end or failure meant.
  [[nodiscard]] Notes of_operation(const anomalies::Operation& operation) const;

  // Of the event `moment` of the trace, which is no `done`.
  [[nodiscard]] Notes of_event(std::size_t moment) const;

  [[nodiscard]] const VersionHistory& history() const noexcept { return history_; }

 private:
  [[nodiscard]] const anomalies::Step& step_of(const anomalies::Operation& operation) const {
    return scenario_.sessions[operation.session].steps[operation.step - 1];
  }
  [[nodiscard]] bool takes_snapshot(std::uint32_t transaction) const;
  [[nodiscard]] std::string step_name(std::uint32_t session, std::uint32_t step) const;
  // "70, by A (not committed!)"
  [[nodiscard]] std::string source_text(std::uint32_t write, std::uint32_t reader,
                                        std::uint32_t moment) const;
  // "alice = 70", one for each key that the transaction left changed.
  [[nodiscard]] std::vector<std::uint32_t> last_writes(std::uint32_t transaction) const;
  [[nodiscard]] std::string written_text(const std::vector<std::uint32_t>& writes) const;

  void tell_begin(const anomalies::Operation& operation, Notes& notes) const;
  void tell_reads(const anomalies::Operation& operation, Notes& notes) const;
  void tell_not_seen(const anomalies::Operation& operation, const anomalies::Read& read, Notes& notes) const;
  void tell_writes(const anomalies::Operation& operation, Notes& notes) const;
  void tell_replaced(const anomalies::Operation& operation, std::uint32_t write, std::uint32_t over,
                     Notes& notes) const;
  void tell_commit(const anomalies::Operation& operation, Notes& notes) const;
  void tell_undone(const anomalies::Operation& operation, Notes& notes) const;
  void tell_rollback(const anomalies::Operation& operation, Notes& notes) const;
  void tell_failure(const anomalies::Operation& operation, Notes& notes) const;
  void tell_write_conflict(const anomalies::Operation& operation, Notes& notes) const;
  [[nodiscard]] std::string deadlock_text(const anomalies::Operation& operation) const;
  [[nodiscard]] bool is_deferred(std::uint32_t session) const;
  [[nodiscard]] Note of_wait(std::size_t moment) const;
  [[nodiscard]] Note of_wake(std::size_t moment) const;

  const anomalies::Scenario& scenario_;
  const anomalies::Run& run_;
  VersionHistory history_;
  bool is_isolith_;
};

}  // namespace isolith::tools

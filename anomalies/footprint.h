// Footprint: what a transition touched, so that it can be told whether two transitions commute. A transition
// is what happens between one choice of a session and the next: the session's step, and what the sessions do
// that it wakes.
//
// All sets are of steps, by their number: the sessions in their order, and each session's in its order. A
// step stands for the key or range that it names. Which pairs commute, and why it is safe: README-orders.md.
//
// Threads: values; one thread at a time for StepTable and FootprintReader.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "anomalies/execution.h"
#include "anomalies/run.h"
#include "anomalies/scenario.h"

namespace isolith::anomalies {

using StepSet = std::bitset<kMaxSessions * kMaxSteps>;

struct Footprint {
  StepSet steps;             // that went on, but for reads of a snapshot
  StepSet ended;             // that were taken in transactions which ended, and left something until then
  StepSet begun;             // of transactions that began: what they may touch, with the snapshot taken now
  StepSet meets;             // steps of other sessions with which one of `steps` does not commute
  StepSet ends_meet;         // ... and one of `ended`
  bool waits = false;        // a wait began, ended or was refused
  bool is_anything = false;  // it commutes with nothing
  bool is_nothing = true;    // it commutes with everything

  void clear() { *this = Footprint(); }
};

[[nodiscard]] bool commute(const Footprint& left, const Footprint& right);

// What is known of a scenario's steps before any run.
class StepTable {
 public:
  // At the levels that `execution` is prepared for.
  explicit StepTable(const Execution& execution);

  struct Entry {
    std::uint32_t session = 0;
    StepKind kind = StepKind::begin;
    bool has_target = false;
    bool writes = false;      // or locks
    bool is_seen = false;     // what others do now makes a difference to it, or it to them
    bool leaves = false;      // something until its transaction ends
    bool locks_read = false;  // what it leaves keeps writers out, and nobody else
    bool begins = false;      // it is the first of its transaction
    StepSet meets;            // steps of other sessions, while its transaction is in progress
    StepSet ends_meet;        // ... when it ends
    StepSet begun;            // of a first step: what its transaction touches, if it has a snapshot
    StepSet rest;             // what the session may touch with this step and later ones
    StepSet rest_ends_meet;   // what of other sessions the ends of its transactions may meet then
  };

  [[nodiscard]] std::size_t number(std::uint32_t session, std::uint32_t step) const {  // step from 1
    return first_[session] + step - 1;
  }
  [[nodiscard]] const Entry& operator[](std::size_t number) const { return entries_[number]; }
  [[nodiscard]] bool is_anything(std::uint32_t session) const { return is_anything_[session]; }
  [[nodiscard]] std::size_t sessions() const { return is_anything_.size(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  void add_steps(const Scenario& scenario, std::uint32_t session, const Reach& reach);
  [[nodiscard]] const Step& step_of(const Scenario& scenario, std::size_t number) const;
  void relate(const Scenario& scenario, const std::vector<Reach>& reaches);
  void add_up(const std::vector<Reach>& reaches);

  std::vector<std::size_t> first_;  // by session: the number of its first step
  std::vector<bool> is_anything_;   // by session
  std::vector<Entry> entries_;
};

// Reads the footprints of a run's transitions while it runs.
class FootprintReader {
 public:
  explicit FootprintReader(const StepTable& table) : table_(table), open_(table.sessions()) {}

  void begin_run();

  // What happened since the last call, or since the run began.
  void read(const Run& run, Footprint& footprint);

 private:
  void take(const Event& event, const Run& run, Footprint& footprint);
  void touch(std::size_t number, Footprint& footprint);
  void end(std::size_t last, Footprint& footprint);

  const StepTable& table_;
  std::vector<StepSet> open_;  // by session: what its transaction in progress has touched
  std::size_t events_ = 0;     // that were read
  std::size_t operations_ = 0;
};

}  // namespace isolith::anomalies

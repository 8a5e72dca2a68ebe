// The search over orders: depth first, each run from the start, with sleep sets.
#include "anomalies/explorer.h"

#include <algorithm>
#include <utility>

#include "anomalies/footprint.h"

namespace isolith::anomalies {
namespace {

using SessionSet = std::uint32_t;  // a bit for each
static_assert(kMaxSessions <= 32);

constexpr SessionSet only(std::size_t session) { return SessionSet{1} << session; }
constexpr std::uint32_t first_of(SessionSet set) { return static_cast<std::uint32_t>(__builtin_ctz(set)); }

constexpr std::size_t kNothingLeft = SIZE_MAX;

// A choice of the run in progress: the state before it, and what was tried from there.
struct Choice {
  SessionSet ready = 0;
  SessionSet asleep = 0;  // whose next step leads to nothing new here: it was taken before, and what came
                          // since commutes with it
  SessionSet tried = 0;
  std::uint32_t taken = 0;
  std::vector<Footprint> footprints;  // by session: of its next step, if it is asleep or was tried
  std::vector<std::size_t> rest;      // by session: its first step that can still do something
};

class Search {
 public:
  explicit Search(Execution& execution)
      : execution_(execution), table_(execution), reader_(table_), choices_(table_.size()) {
    for (Choice& choice : choices_) {
      choice.footprints.resize(table_.sessions());
      choice.rest.resize(table_.sessions());
    }
  }

  Status run_all(const ExploreOptions& options, const RunVisitor& visitor, Exploration& exploration);

 private:
  std::size_t choose(std::span<const std::uint32_t> ready);
  void open_choice(SessionSet ready);
  void fall_asleep(const Choice& before, Choice& choice) const;
  void find_rest(Choice& choice) const;
  [[nodiscard]] bool can_wake(const Choice& choice, std::uint32_t sleeper) const;
  bool take_next(Choice& choice);
  bool go_back();

  Execution& execution_;
  const StepTable table_;
  FootprintReader reader_;
  std::vector<Choice> choices_;
  std::size_t count_ = 0;  // of choices that are open
  Run run_;

  // Of the run in progress.
  std::size_t depth_ = 0;     // choices that were taken
  bool is_repeat_ = false;    // whatever is taken now, an order like it was run before
  bool has_strayed_ = false;  // it did not go the way that the run before went
  Footprint footprint_;       // scratch
};

Status Search::run_all(const ExploreOptions& options, const RunVisitor& visitor, Exploration& exploration) {
  const Runner::Chooser chooser = [this](std::span<const std::uint32_t> ready) { return choose(ready); };
  do {
    if (exploration.runs >= options.runs_max) return {};
    depth_ = 0;
    is_repeat_ = false;
    reader_.begin_run();
    if (Status status = execution_.run(chooser, run_); !status.ok()) return status;
    if (has_strayed_ || depth_ < count_) {
      return {StatusCode::internal, "the engine did not do the same again in the same order"};
    }
    if (is_repeat_) {
      ++exploration.repeats;
      continue;
    }
    // What came after the last choice belongs to it.
    if (count_ > 0) reader_.read(run_, choices_[count_ - 1].footprints[choices_[count_ - 1].taken]);
    ++exploration.runs;
    if (Status status = visitor(run_); !status.ok()) return status;
  } while (go_back());
  exploration.complete = true;
  return {};
}

std::size_t Search::choose(std::span<const std::uint32_t> ready) {
  if (is_repeat_ || has_strayed_) return 0;
  reader_.read(run_, footprint_);
  if (depth_ > 0 && depth_ == count_) {
    Choice& last = choices_[depth_ - 1];
    std::swap(last.footprints[last.taken], footprint_);
  }
  SessionSet set = 0;
  for (const std::uint32_t session : ready) set |= only(session);
  if (depth_ == count_) open_choice(set);
  if (is_repeat_) return 0;
  const Choice& choice = choices_[depth_++];
  has_strayed_ = choice.ready != set;
  const auto taken = std::find(ready.begin(), ready.end(), choice.taken);
  return has_strayed_ ? 0 : static_cast<std::size_t>(taken - ready.begin());
}

// A new one, below the last.
void Search::open_choice(SessionSet ready) {
  Choice& choice = choices_[count_];
  choice.ready = ready;
  choice.asleep = 0;
  choice.tried = 0;
  find_rest(choice);
  if (count_ > 0) fall_asleep(choices_[count_ - 1], choice);
  for (SessionSet left = choice.asleep; left != 0; left &= left - 1) {
    if (!can_wake(choice, first_of(left))) is_repeat_ = true;
  }
  if (is_repeat_ || !take_next(choice)) {
    is_repeat_ = true;
    return;
  }
  ++count_;
}

// Who was asleep before the last choice, or was tried there, is asleep now if its step commutes with what was
// taken.
void Search::fall_asleep(const Choice& before, Choice& choice) const {
  const Footprint& taken = before.footprints[before.taken];
  for (SessionSet left = before.asleep | before.tried; left != 0; left &= left - 1) {
    const std::uint32_t session = first_of(left);
    if (!commute(before.footprints[session], taken)) continue;
    choice.asleep |= only(session);
    choice.footprints[session] = before.footprints[session];
  }
}

// Transactions in progress count from their first step: their ends meet what they touched. What is left of
// one that is over is passed over.
void Search::find_rest(Choice& choice) const {
  std::fill(choice.rest.begin(), choice.rest.end(), kNothingLeft);
  for (const TransactionRecord& record : run_.transactions) {
    if (record.ended_at != kNever || choice.rest[record.session] != kNothingLeft) continue;
    choice.rest[record.session] = table_.number(record.session, record.first_step);
  }
}

// Whether anything that others may still do does not commute with the sleeper's step. If not, then it stays
// asleep whatever comes, and every order from here is like one that was run.
bool Search::can_wake(const Choice& choice, std::uint32_t sleeper) const {
  const Footprint& step = choice.footprints[sleeper];
  for (std::uint32_t i = 0; i < table_.sessions(); ++i) {
    if (i == sleeper || choice.rest[i] == kNothingLeft) continue;
    if (step.is_anything || step.waits || table_.is_anything(i)) return true;
    const StepTable::Entry& entry = table_[choice.rest[i]];
    if (((step.meets | step.ends_meet) & entry.rest).any()) return true;
    if ((entry.rest_ends_meet & (step.steps | step.begun)).any()) return true;
  }
  return false;
}

// The next session to try; false: there is none.
bool Search::take_next(Choice& choice) {
  const SessionSet left = choice.ready & ~choice.asleep & ~choice.tried;
  if (left == 0) return false;
  choice.taken = first_of(left);
  return true;
}

// To the last choice where something else can be tried; false: there is none, all was run.
bool Search::go_back() {
  for (; count_ > 0; --count_) {
    Choice& choice = choices_[count_ - 1];
    choice.tried |= only(choice.taken);
    if (can_wake(choice, choice.taken) && take_next(choice)) return true;
  }
  return false;
}

// Every order of the steps, by session.
Status run_each(Execution& execution, const ExploreOptions& options, const RunVisitor& visitor,
                Exploration& exploration) {
  Schedule schedule;
  const std::vector<SessionScript>& sessions = execution.scenario().sessions;
  for (std::uint32_t i = 0; i < sessions.size(); ++i) {
    schedule.entries.insert(schedule.entries.end(), sessions[i].steps.size(), ScheduleEntry{i, false});
  }
  const auto is_before = [](ScheduleEntry left, ScheduleEntry right) { return left.session < right.session; };
  Run run;
  do {
    if (exploration.runs >= options.runs_max) return {};
    if (Status status = execution.run(schedule, run); !status.ok()) return status;
    ++exploration.runs;
    if (Status status = visitor(run); !status.ok()) return status;
  } while (std::next_permutation(schedule.entries.begin(), schedule.entries.end(), is_before));
  exploration.complete = true;
  return {};
}

}  // namespace

Status explore(Execution& execution, const ExploreOptions& options, const RunVisitor& visitor,
               Exploration& exploration) {
  exploration = Exploration();
  exploration.orders = count_orders(execution.scenario());
  if (options.pruning == Pruning::none) return run_each(execution, options, visitor, exploration);
  return Search(execution).run_all(options, visitor, exploration);
}

// A multinomial coefficient, as a product of binomial ones that grow by one step at a time: each quotient is
// a whole number.
std::uint64_t count_orders(const Scenario& scenario) {
  std::uint64_t orders = 1;
  std::uint64_t steps = 0;
  for (const SessionScript& session : scenario.sessions) {
    for (std::uint64_t i = 1; i <= session.steps.size(); ++i) {
      ++steps;
      std::uint64_t next = 0;
      if (__builtin_mul_overflow(orders / i, steps, &next) ||
          __builtin_add_overflow(next, orders % i * steps / i, &next)) {
        return UINT64_MAX;
      }
      orders = next;
    }
  }
  return orders;
}

}  // namespace isolith::anomalies

// From what a run says to edges, and from edges to a phenomenon. The order of versions: version_order.cc;
// cycles: cycle_search.cc; words: explanation.cc.
#include "anomalies/dependency_graph.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "anomalies/cycle_search.h"
#include "anomalies/version_order.h"

namespace isolith::anomalies {
namespace {

// More combinations of versions that may have been seen are not tried: of the rest the newest is taken.
constexpr std::size_t kMaxCombinations = 256;

struct Dependencies {
  std::vector<Edge> edges;
  std::vector<Edge> aborted_reads;
  std::vector<Edge> intermediate_reads;

  void add(const Dependencies& more) {
    edges.insert(edges.end(), more.edges.begin(), more.edges.end());
    aborted_reads.insert(aborted_reads.end(), more.aborted_reads.begin(), more.aborted_reads.end());
    intermediate_reads.insert(intermediate_reads.end(), more.intermediate_reads.begin(),
                              more.intermediate_reads.end());
  }
  friend bool operator==(const Dependencies&, const Dependencies&) = default;
};

// What the sessions had read when they came to an operation.
class Variables final : public Scope {
 public:
  explicit Variables(const Scenario& scenario) {
    for (const SessionScript& session : scenario.sessions) {
      values_.emplace_back(session.variables.size(), Value(Unread()));
    }
  }
  void take(const Operation& operation, const Step& step) {
    if (operation.end == OperationEnd::done && step.variable != kNoVariable) {
      values_[operation.session][step.variable] = operation.result;
    }
  }
  [[nodiscard]] const Value& variable(std::uint32_t session, std::uint32_t variable) const override {
    return values_[session][variable];
  }
  [[nodiscard]] const std::vector<Row>* rows(std::uint32_t /*table*/) const override { return nullptr; }

 private:
  std::vector<std::vector<Value>> values_;
};

// What of a key an operation learned.
enum class Asks : std::uint8_t {
  row,        // its version: another one would be another answer
  existence,  // whether there is one
  fitting,    // whether there is one that fits
};

// Goes through a run once.
class Collector {
 public:
  Collector(const Scenario& scenario, const Run& run)
      : scenario_(scenario), run_(run), order_(scenario, run), variables_(scenario) {
    add_write_edges();
    for (const Operation& operation : run.operations) {
      operation_ = &operation;
      step_ = &scenario.sessions[operation.session].steps[operation.step - 1];
      if (run.committed(operation.transaction)) add_operation();
      variables_.take(operation, *step_);
    }
  }

  Dependencies certain;
  std::vector<std::vector<Dependencies>> choices;  // one of each; the likeliest first

 private:
  void add_write_edges() {
    for (const KeyVersions& key : order_.keys()) {
      for (std::size_t i = 2; i < key.versions.size(); ++i) {
        const Version& from = key.versions[i - 1];
        const Version& to = key.versions[i];
        certain.edges.push_back({from.transaction, to.transaction, EdgeKind::write_write, false, key.table,
                                 std::string(key.key), step_of(from), step_of(to)});
      }
    }
  }

  void add_operation() {
    const OperationEnd end = operation_->end;
    if (end != OperationEnd::done && end != OperationEnd::failed) return;
    if (step_->kind == StepKind::insert || step_->kind == StepKind::erase) {
      add_existence();
      return;
    }
    const Asks of_others = step_->target.is_range || step_->where ? Asks::fitting : Asks::row;
    for (const Read& read : operation_->reads) {
      if (is_read_again(read)) continue;
      add_read(read, read.fits && read.write != kNoWrite ? Asks::row : of_others);
    }
    if (!step_->target.is_range) return;
    for (const KeyVersions& key : order_.keys()) {
      if (key.table != step_->target.table || !step_->target.contains(key.key)) continue;
      const bool was_read = std::any_of(operation_->reads.begin(), operation_->reads.end(),
                                        [&](const Read& read) { return read.key == key.key; });
      if (!was_read) add_unknown(key, false, Asks::fitting, operation_->ended_at);
    }
  }

  // A row that `update` or `erase_range` looked at and then locked: what was seen under the lock decided.
  [[nodiscard]] bool is_read_again(const Read& read) const {
    if (step_->kind != StepKind::update && step_->kind != StepKind::erase_range) return false;
    const Read* end = operation_->reads.data() + operation_->reads.size();
    return std::any_of(&read + 1, end, [&](const Read& later) { return later.key == read.key; });
  }

  // `insert` and `erase` tell whether the row was there.
  void add_existence() {
    const bool done = operation_->end == OperationEnd::done;
    const StatusCode code = operation_->status.code();
    if (!done && code != StatusCode::already_exists && code != StatusCode::not_found) return;
    const KeyVersions* key = order_.find(step_->target.table, step_->target.lo);
    const bool was_there = (step_->kind == StepKind::erase) == done;
    if (key != nullptr) add_unknown(*key, was_there, Asks::existence, operation_->ended_at);
  }

  void add_read(const Read& read, Asks asks) {
    const KeyVersions* key = order_.find(read.table, read.key);
    if (key == nullptr) return;
    if (read.write == kNoWrite) {
      add_unknown(*key, false, asks, read.at);
      return;
    }
    if (run_.writes[read.write].transaction == operation_->transaction) return;
    const std::optional<std::size_t> position = order_.position(read.write);
    certain.add(position ? seen(*key, *position, asks) : seen_other(*key, read.write, asks));
  }

  // A version was seen that has no number: it was absent, or all that is known is that it was there.
  void add_unknown(const KeyVersions& key, bool is_there, Asks asks, std::uint32_t moment) {
    if (order_.has_own(operation_->transaction, key, operation_->step)) return;
    const std::uint32_t began_at = run_.transactions[operation_->transaction].began_at;
    std::vector<Dependencies> current;
    std::vector<Dependencies> older;
    for (std::size_t i = key.versions.size(); i-- > 0;) {
      const Version& version = key.versions[i];
      if (order_.value(version).has_value() != is_there || order_.written_at(version) > moment ||
          version.transaction == operation_->transaction) {
        continue;
      }
      const bool is_last = i + 1 == key.versions.size();
      const bool is_current = is_last || order_.installed_at(key.versions[i + 1]) > began_at;
      std::vector<Dependencies>& versions = is_current ? current : older;
      Dependencies dependencies = seen(key, i, asks);
      if (std::find(versions.begin(), versions.end(), dependencies) == versions.end()) {
        versions.push_back(std::move(dependencies));
      }
    }
    if (current.empty()) {
      if (const std::optional<std::uint32_t> write = dirty_version(key, is_there, began_at, moment)) {
        current.push_back(seen_other(key, *write, asks));
      } else {
        current = std::move(older);
      }
    }
    if (current.size() == 1) certain.add(current.front());
    if (current.size() > 1) choices.push_back(std::move(current));
  }

  // The newest write that is no version and was there at some time from `began_at` to `moment`.
  [[nodiscard]] std::optional<std::uint32_t> dirty_version(const KeyVersions& key, bool is_there,
                                                           std::uint32_t began_at,
                                                           std::uint32_t moment) const {
    for (std::size_t i = key.others.size(); i-- > 0;) {
      const Write& write = run_.writes[key.others[i]];
      if (write.state != WriteState::failed && write.value.has_value() == is_there && write.at <= moment &&
          run_.transactions[write.transaction].ended_at > began_at &&
          write.transaction != operation_->transaction) {
        return key.others[i];
      }
    }
    return std::nullopt;
  }

  // The edges of the operation, if it saw this version.
  [[nodiscard]] Dependencies seen(const KeyVersions& key, std::size_t position, Asks asks) const {
    std::size_t from = position;
    std::size_t next = position + 1;
    if (asks != Asks::row) {
      const bool answer = answers(key, key.versions[position], asks);
      while (from > 0 && answers(key, key.versions[from - 1], asks) == answer) --from;
      while (next < key.versions.size() && answers(key, key.versions[next], asks) == answer) ++next;
    }
    const bool of_range = asks == Asks::fitting && step_->target.is_range;
    const std::uint32_t reader = operation_->transaction;
    Dependencies found;
    const Version& writer = key.versions[from];
    if (writer.transaction != kNoTransaction && writer.transaction != reader) {
      found.edges.push_back({writer.transaction, reader, EdgeKind::write_read, of_range, key.table,
                             std::string(key.key), step_of(writer), operation_->step});
    }
    if (next < key.versions.size() && key.versions[next].transaction != reader) {
      const Version& later = key.versions[next];
      found.edges.push_back({reader, later.transaction, EdgeKind::read_write, of_range, key.table,
                             std::string(key.key), operation_->step, step_of(later)});
    }
    return found;
  }

  // ... if it saw a write that is no version.
  [[nodiscard]] Dependencies seen_other(const KeyVersions& key, std::uint32_t index, Asks asks) const {
    const Write& write = run_.writes[index];
    const std::size_t below = order_.position_below(key, index);
    if (asks != Asks::row &&
        answers(key, key.versions[below], asks) == answers(key, Version{index, write.transaction}, asks)) {
      return seen(key, below, asks);  // it made no difference
    }
    const bool of_range = asks == Asks::fitting && step_->target.is_range;
    Dependencies found;
    const bool replaced = run_.committed(write.transaction) && write.state == WriteState::stored;
    (replaced ? found.intermediate_reads : found.aborted_reads)
        .push_back({write.transaction, operation_->transaction, EdgeKind::write_read, of_range, key.table,
                    std::string(key.key), write.step, operation_->step});
    return found;
  }

  [[nodiscard]] bool answers(const KeyVersions& key, const Version& version, Asks asks) const {
    const std::optional<std::string>& value = order_.value(version);
    if (!value) return false;
    if (asks == Asks::existence || !step_->where) return true;
    const Row row{std::string(key.key), *value};
    const Result<bool> fits = is_true(*step_->where, variables_, &row);
    return fits.ok() && *fits;
  }

  [[nodiscard]] std::uint32_t step_of(const Version& version) const {
    return version.write == kNoWrite ? 0 : run_.writes[version.write].step;
  }

  const Scenario& scenario_;
  const Run& run_;
  const VersionOrder order_;
  Variables variables_;
  const Operation* operation_ = nullptr;  // the one that is looked at
  const Step* step_ = nullptr;
};

void sort_edges(std::vector<Edge>& edges) {
  const auto rank = [](const Edge& edge) {
    return std::tie(edge.from, edge.to, edge.kind, edge.of_range, edge.table, edge.key, edge.from_step,
                    edge.to_step);
  };
  std::sort(edges.begin(), edges.end(), [&](const Edge& a, const Edge& b) { return rank(a) < rank(b); });
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
}

bool is_ww(const Edge& edge) { return edge.kind == EdgeKind::write_write; }
bool is_rw(const Edge& edge) { return edge.kind == EdgeKind::read_write; }
bool is_no_rw(const Edge& edge) { return !is_rw(edge); }
bool is_no_range_rw(const Edge& edge) { return !is_rw(edge) || !edge.of_range; }
bool is_any(const Edge& /*edge*/) { return true; }

// `edges` are sorted. A kind of cycle is looked for when there is none of the kinds before.
Finding find_phenomenon(std::size_t nodes, const Dependencies& dependencies) {
  const std::vector<Edge>& edges = dependencies.edges;
  Finding finding;
  finding.cycle = shortest_cycle(nodes, edges, is_ww, is_ww);
  if (!finding.cycle.empty()) {
    finding.phenomenon = Phenomenon::g0;
    return finding;
  }
  if (!dependencies.aborted_reads.empty()) return {Phenomenon::g1a, {dependencies.aborted_reads.front()}};
  if (!dependencies.intermediate_reads.empty()) {
    return {Phenomenon::g1b, {dependencies.intermediate_reads.front()}};
  }
  struct Kind {
    Phenomenon phenomenon;
    EdgeTest path;
    EdgeTest closing;
  };
  for (const Kind& kind :
       {Kind{Phenomenon::g1c, is_no_rw, is_no_rw}, Kind{Phenomenon::g_single, is_no_rw, is_rw},
        Kind{Phenomenon::g2_item, is_no_range_rw, is_no_range_rw}, Kind{Phenomenon::g2, is_any, is_any}}) {
    finding.cycle = shortest_cycle(nodes, edges, kind.path, kind.closing);
    if (finding.cycle.empty()) continue;
    finding.phenomenon = kind.phenomenon;
    return finding;
  }
  return finding;
}

// Whether a run that shows `left` shows less than one that shows `right`.
bool is_less(Phenomenon left, Phenomenon right) {
  if (right == Phenomenon::none) return false;
  return left == Phenomenon::none || left > right;
}

// The next combination; false: that was the last.
bool advance(std::vector<std::size_t>& chosen, const std::vector<std::size_t>& counts) {
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (++chosen[i] < counts[i]) return true;
    chosen[i] = 0;
  }
  return false;
}

}  // namespace

DependencyGraph::DependencyGraph(const Scenario& scenario, const Run& run) {
  const Collector collector(scenario, run);
  std::vector<std::size_t> counts;
  std::size_t combinations = 1;
  for (const std::vector<Dependencies>& choice : collector.choices) {
    const bool too_many = combinations * choice.size() > kMaxCombinations;
    counts.push_back(too_many ? 1 : choice.size());
    combinations *= counts.back();
  }
  std::vector<std::size_t> chosen(counts.size(), 0);
  bool is_first = true;
  do {
    Dependencies dependencies = collector.certain;
    for (std::size_t i = 0; i < chosen.size(); ++i) dependencies.add(collector.choices[i][chosen[i]]);
    sort_edges(dependencies.edges);
    Finding finding = find_phenomenon(run.transactions.size(), dependencies);
    if (!is_first && !is_less(finding.phenomenon, finding_.phenomenon)) continue;
    is_first = false;
    finding_ = std::move(finding);
    edges_ = std::move(dependencies.edges);
  } while (finding_.phenomenon != Phenomenon::none && advance(chosen, counts));
}

}  // namespace isolith::anomalies

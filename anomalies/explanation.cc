// A phenomenon in words, for people who meet it for the first time.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "anomalies/dependency_graph.h"
#include "anomalies/version_order.h"

namespace isolith::anomalies {
namespace {

// "accounts", "accounts/a..m", "accounts/user:*".
std::string range_text(const Scenario& scenario, const Target& target) {
  std::string text = scenario.tables[target.table].name;
  if (target.lo.empty() && !target.hi) return text;
  text += '/';
  text += target.lo;
  std::string after_prefix = target.lo;
  if (!after_prefix.empty()) ++after_prefix.back();
  if (target.hi && !target.lo.empty() && *target.hi == after_prefix) return text + '*';
  text += "..";
  return target.hi ? text + *target.hi : text;
}

// What a write did to the row that was there.
enum class Change : std::uint8_t { added, changed, erased };

class Words {
 public:
  Words(const Scenario& scenario, const Run& run) : scenario_(scenario), run_(run), order_(scenario, run) {}

  [[nodiscard]] std::string name(std::uint32_t transaction) const {
    return transaction_name(scenario_, run_, transaction);
  }

  // "A comes before B, because A read x/k (A1) before B changed it (B2)"
  [[nodiscard]] std::string dependency(const Edge& edge) const {
    std::string text = name(edge.from) + " comes before " + name(edge.to) + ", because ";
    switch (edge.kind) {
      case EdgeKind::write_write:
        return text + overwrite(edge);
      case EdgeKind::write_read:
        return text + seen_after(edge);
      case EdgeKind::read_write:
        return text + seen_before(edge);
    }
    return text;
  }

  // "B read x/k (B2), which A wrote (A1) and then took back: B saw what never was"
  [[nodiscard]] std::string aborted_read(const Edge& edge) const {
    const Write& write = write_of(edge, edge.from, edge.from_step);
    std::string text = read_of(edge, edge.from, edge.from_step);
    if (run_.transactions[edge.from].end == TransactionEnd::failed) {
      text += " before " + name(edge.from) + " failed";
    } else {
      text += write.value ? " and then took back" : " and then put back";
    }
    return text + ": " + name(edge.to) + " saw what never was";
  }

  // "B read x/k (B2), which A wrote (A1) and wrote again (A3): B saw what A did not leave"
  [[nodiscard]] std::string intermediate_read(const Edge& edge) const {
    std::string text = read_of(edge, edge.from, edge.from_step);
    for (const Write& write : run_.writes) {
      if (!is_of(write, edge, edge.from) || write.step < edge.from_step) continue;
      if (write.state != WriteState::stored || &write == &write_of(edge, edge.from, edge.from_step)) continue;
      text += write.value ? " and wrote again" : " and then erased";
      text += step(edge.from, write.step);
      break;
    }
    return text + ": " + name(edge.to) + " saw what " + name(edge.from) + " did not leave";
  }

 private:
  [[nodiscard]] std::string key(const Edge& edge) const {
    return scenario_.tables[edge.table].name + '/' + edge.key;
  }

  // " (A1)"
  [[nodiscard]] std::string step(std::uint32_t transaction, std::uint32_t number) const {
    std::string text = " (";
    append_step(text, {scenario_.sessions[run_.transactions[transaction].session].name, {}}, number);
    return text + ')';
  }

  [[nodiscard]] static bool is_of(const Write& write, const Edge& edge, std::uint32_t transaction) {
    return write.transaction == transaction && write.table == edge.table && write.key == edge.key;
  }

  // The write of an edge's key in a step.
  [[nodiscard]] const Write& write_of(const Edge& edge, std::uint32_t transaction,
                                      std::uint32_t number) const {
    return *std::find_if(run_.writes.rbegin(), run_.writes.rend(), [&](const Write& write) {
      return is_of(write, edge, transaction) && write.step == number;
    });
  }

  [[nodiscard]] const Operation& operation_of(std::uint32_t transaction, std::uint32_t number) const {
    return *std::find_if(run_.operations.begin(), run_.operations.end(), [&](const Operation& operation) {
      return operation.transaction == transaction && operation.step == number;
    });
  }

  [[nodiscard]] const Step& script_of(std::uint32_t transaction, std::uint32_t number) const {
    return scenario_.sessions[run_.transactions[transaction].session].steps[number - 1];
  }

  [[nodiscard]] Change change_of(const Edge& edge, std::uint32_t transaction, std::uint32_t number) const {
    const Write& write = write_of(edge, transaction, number);
    if (!write.value) return Change::erased;
    const std::optional<std::size_t> position =
        order_.position(static_cast<std::uint32_t>(&write - run_.writes.data()));
    const KeyVersions& versions = *order_.find(edge.table, edge.key);
    const bool was_there = !position || order_.value(versions.versions[*position - 1]).has_value();
    return was_there ? Change::changed : Change::added;
  }

  [[nodiscard]] std::string overwrite(const Edge& edge) const {
    const bool erased = change_of(edge, edge.from, edge.from_step) == Change::erased;
    const bool erases = change_of(edge, edge.to, edge.to_step) == Change::erased;
    std::string text = name(edge.from) + (erased ? " erased " : " wrote ") + key(edge);
    text += step(edge.from, edge.from_step) + " before " + name(edge.to);
    if (erased == erases) {
      text += " did";
    } else {
      text += erases ? " erased it" : " wrote it";
    }
    return text + step(edge.to, edge.to_step);
  }

  // "B read x/k (B2), which A wrote (A1)"
  [[nodiscard]] std::string read_of(const Edge& edge, std::uint32_t writer, std::uint32_t written_in) const {
    const bool erased = !write_of(edge, writer, written_in).value;
    std::string text = look(edge, edge.to, edge.to_step);
    if (tells_of_key(edge, edge.to, edge.to_step)) {
      text += step(edge.to, edge.to_step) + ", which " + name(writer) + (erased ? " erased" : " wrote");
    } else {
      text += step(edge.to, edge.to_step) + " after " + name(writer) + (erased ? " erased " : " wrote ");
      text += key(edge);
    }
    return text + step(writer, written_in);
  }

  [[nodiscard]] std::string seen_after(const Edge& edge) const {
    if (!edge.of_range) return read_of(edge, edge.from, edge.from_step);
    std::string text = look(edge, edge.to, edge.to_step) + step(edge.to, edge.to_step) + " after ";
    text += name(edge.from);
    const Change change = change_of(edge, edge.from, edge.from_step);
    text += (change == Change::erased ? " erased " : " wrote ") + key(edge);
    if (change != Change::erased) text += " so that it does not fit";
    return text + step(edge.from, edge.from_step);
  }

  [[nodiscard]] std::string seen_before(const Edge& edge) const {
    std::string text = look(edge, edge.from, edge.from_step) + step(edge.from, edge.from_step) + " before ";
    text += name(edge.to);
    const Change change = change_of(edge, edge.to, edge.to_step);
    if (edge.of_range) {
      text += change == Change::added ? " added " : " changed ";
      text += key(edge);
      if (change == Change::changed) text += " so that it fits";
    } else if (change == Change::erased) {
      text += " erased it";
    } else {
      text += change == Change::added ? " wrote it" : " changed it";
    }
    return text + step(edge.to, edge.to_step);
  }

  // Whether `look` names the edge's key.
  [[nodiscard]] bool tells_of_key(const Edge& edge, std::uint32_t reader, std::uint32_t number) const {
    return !edge.of_range || !script_of(reader, number).target.is_range;
  }

  // "A read x/k", "A found no x/k", "A counted x", "A could not insert x/k"
  [[nodiscard]] std::string look(const Edge& edge, std::uint32_t reader, std::uint32_t number) const {
    const Step& script = script_of(reader, number);
    const Operation& operation = operation_of(reader, number);
    std::string text = name(reader);
    if (script.kind == StepKind::insert || script.kind == StepKind::erase) {
      const bool done = operation.end == OperationEnd::done;
      if (script.kind == StepKind::insert) text += done ? " inserted " : " could not insert ";
      if (script.kind == StepKind::erase) text += done ? " erased " : " could not erase ";
      return text + key(edge);
    }
    if (!tells_of_key(edge, reader, number))
      return text.append(verb(script.kind)) + range_text(scenario_, script.target);
    const auto last = std::find_if(operation.reads.rbegin(), operation.reads.rend(),
                                   [&](const Read& read) { return read.key == edge.key; });
    const bool found = last != operation.reads.rend() && last->write != kNoWrite;
    return text + (found ? " read " : " found no ") + key(edge);
  }

  [[nodiscard]] static std::string_view verb(StepKind kind) {
    switch (kind) {
      case StepKind::count:
        return " counted ";
      case StepKind::sum:
        return " added up ";
      case StepKind::exists:
        return " looked into ";
      case StepKind::update:
        return " updated ";
      case StepKind::erase_range:
        return " erased ";
      default:
        return " read ";
    }
  }

  const Scenario& scenario_;
  const Run& run_;
  const VersionOrder order_;
};

std::string_view g_single_name(const std::vector<Edge>& cycle) {
  const Edge& first = cycle.front();
  const auto all = [&](auto test) { return std::all_of(cycle.begin(), cycle.end(), test); };
  const bool of_one_key =
      all([&](const Edge& edge) { return edge.table == first.table && edge.key == first.key; });
  if (!all([](const Edge& edge) { return !edge.of_range; })) return "a phantom";
  if (all([](const Edge& edge) { return edge.kind != EdgeKind::write_write; })) {
    return of_one_key ? "an unrepeatable read" : "a read skew";
  }
  if (all([](const Edge& edge) { return edge.kind != EdgeKind::write_read; }) && of_one_key) {
    return "a lost update";
  }
  return "";
}

// With its article; empty: it has no name of its own.
std::string_view exact_name(const Finding& finding, const Run& run) {
  const bool has_reader = std::any_of(finding.cycle.begin(), finding.cycle.end(), [&](const Edge& edge) {
    return std::none_of(run.writes.begin(), run.writes.end(), [&](const Write& write) {
      return write.transaction == edge.from && write.state == WriteState::stored;
    });
  });
  switch (finding.phenomenon) {
    case Phenomenon::g0:
      return "a dirty write";
    case Phenomenon::g1c:
      return "a circular information flow";
    case Phenomenon::g_single:
      return g_single_name(finding.cycle);
    case Phenomenon::g2_item:
      return has_reader ? "a read-only anomaly" : "a write skew";
    case Phenomenon::g2:
      return has_reader ? "a read-only anomaly" : "a phantom";
    default:
      return "";
  }
}

}  // namespace

std::string_view to_string(Phenomenon phenomenon) noexcept {
  switch (phenomenon) {
    case Phenomenon::none:
      return "";
    case Phenomenon::g0:
      return "G0";
    case Phenomenon::g1a:
      return "G1a";
    case Phenomenon::g1b:
      return "G1b";
    case Phenomenon::g1c:
      return "G1c";
    case Phenomenon::g_single:
      return "G-single";
    case Phenomenon::g2_item:
      return "G2-item";
    case Phenomenon::g2:
      return "G2";
  }
  return "";
}

std::string_view common_name(Phenomenon phenomenon) noexcept {
  switch (phenomenon) {
    case Phenomenon::none:
      return "";
    case Phenomenon::g0:
      return "dirty write";
    case Phenomenon::g1a:
      return "aborted read";
    case Phenomenon::g1b:
      return "intermediate read";
    case Phenomenon::g1c:
      return "circular information flow";
    case Phenomenon::g_single:
      return "read skew";
    case Phenomenon::g2_item:
      return "write skew";
    case Phenomenon::g2:
      return "phantom";
  }
  return "";
}

std::string explain(const Finding& finding, const Scenario& scenario, const Run& run) {
  if (finding.cycle.empty()) return "";
  const Words words(scenario, run);
  if (finding.phenomenon == Phenomenon::g1a) return words.aborted_read(finding.cycle.front()) + '.';
  if (finding.phenomenon == Phenomenon::g1b) return words.intermediate_read(finding.cycle.front()) + '.';
  std::string text;
  for (const Edge& edge : finding.cycle) {
    if (!text.empty()) text += "; ";
    text += words.dependency(edge);
  }
  text += ": no serial order";
  const std::string_view name = exact_name(finding, run);
  if (!name.empty()) text.append(" (").append(name).append(1, ')');
  return text + '.';
}

}  // namespace isolith::anomalies

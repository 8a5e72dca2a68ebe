// A level of one's own: what MySQL calls REPEATABLE READ, and which anomalies it has.
//
// Its reads see one snapshot, but a write goes over whatever was committed since. So a report is consistent,
// and two that count up from what they have read lose one of the counts.
#include <isolith/isolith.h>

#include <iomanip>
#include <iostream>
#include <string_view>
#include <vector>

#include "anomalies/catalogue.h"
#include "anomalies/isolith_engine.h"
#include "anomalies/matrix.h"
#include "anomalies/scenario_parser.h"

namespace {

namespace anomalies = isolith::anomalies;

// A level is this: what its reads see, and what its writes do where others have been.
class ConsistentRead final : public isolith::IsolationPolicy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "consistent_read"; }
  [[nodiscard]] isolith::ReadView read_view() const noexcept override { return isolith::ReadView::snapshot; }
  [[nodiscard]] isolith::WriteRule on_committed_version(const isolith::MetVersion&) const noexcept override {
    return isolith::WriteRule::overwrite;
  }
};

// Any transaction may use it, beside others at other levels.
isolith::Status use(isolith::Database& database, const ConsistentRead& level) {
  isolith::TransactionOptions options;
  options.policy = &level;
  return isolith::run_transaction(
      database,
      [](isolith::Transaction& transaction) {
        auto table = transaction.ensure_table("t");
        return table.ok() ? transaction.put(*table, "key", "value") : table.status();
      },
      options);
}

// Scenarios of the catalogue, run at that level and at those beside it.
isolith::Status compare(const ConsistentRead& level) {
  anomalies::Runner runner;
  auto engine = anomalies::open_isolith(runner, isolith::ConflictTest::circle,
                                        {{&level, "reads one snapshot; writes go over what is newest"}});
  if (!engine.ok()) return engine.status();
  const std::vector<std::string_view> levels = {"read_committed", level.name(), "snapshot",
                                                "serializable_ssi"};
  std::cout << std::left << std::setw(20) << "";
  for (const std::string_view name : levels) std::cout << std::setw(18) << name;
  for (const std::string_view name :
       {"g1a", "unrepeatable_read", "phantom_appears", "p4", "doctors_on_call"}) {
    const anomalies::CatalogueEntry* entry = anomalies::find_in_catalogue(name);
    auto scenario = anomalies::parse_scenario(entry->text, name);
    if (!scenario.ok()) return scenario.status();
    anomalies::MatrixRow row;
    if (auto status = anomalies::run_row(*scenario, **engine, runner, row); !status.ok()) return status;
    std::cout << '\n' << std::setw(20) << name;
    for (const std::string_view wanted : levels) {
      for (std::size_t i = 0; i < row.cells.size(); ++i) {
        if ((*engine)->levels()[i].name == wanted)
          std::cout << std::setw(18) << to_string(row.cells[i].verdict);
      }
    }
  }
  std::cout << '\n';
  return {};
}

}  // namespace

int main() {
  const ConsistentRead level;
  auto database = isolith::Database::open_in_memory();
  isolith::Status status = database.ok() ? use(*database, level) : database.status();
  if (status.ok()) status = compare(level);
  if (!status.ok()) return std::cerr << status.to_string() << '\n', 1;
}

#include "tools/chosen_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "anomalies/adapters/adapters.h"
#include "anomalies/scenario_lexer.h"
#include "tools/escape.h"

namespace isolith::tools {

std::string engines_help() {
  std::string text = "isolith";
  const std::vector<anomalies::Adapter> adapters = anomalies::built_adapters();
  for (std::size_t i = 0; i < adapters.size(); ++i) {
    text += i + 1 == adapters.size() ? " or " : ", ";
    text += adapters[i].name;
  }
  return text;
}

Status ChosenEngine::open(const std::string& name) {
  if (name == "isolith") {
    Result<std::unique_ptr<anomalies::IsolithEngine>> opened = anomalies::open_isolith(runner_);
    if (!opened.ok()) return std::move(opened).status();
    isolith_ = opened->get();
    engine_ = *std::move(opened);
    return {};
  }
  if (Status status = directory_.make("isolith-engine"); !status.ok()) return status;
  Result<std::unique_ptr<anomalies::Engine>> opened =
      anomalies::open_adapter(name, directory_.path(), runner_);
  if (!opened.ok()) return std::move(opened).status();
  engine_ = *std::move(opened);
  return {};
}

// The engine may write on meanwhile: what is new is removed by another try.
void ChosenEngine::take_signal(int signal) {
  constexpr int kTries = 10;
  if (stops_ && !stopped_.exchange(true)) return;
  std::error_code error;
  for (int i = 0; i < kTries && !directory_.path().empty(); ++i) {
    std::filesystem::remove_all(directory_.path(), error);
    if (!std::filesystem::exists(directory_.path(), error)) break;
  }
  Interruption::die_of(signal);
}

const std::string& ChosenEngine::default_level() const {
  const std::vector<anomalies::EngineLevel>& levels = engine_->levels();
  for (const std::string_view usual : {"read_committed", "serializable"}) {
    for (const anomalies::EngineLevel& level : levels) {
      if (level.name == usual) return level.name;
    }
  }
  return levels.front().name;
}

Status ChosenEngine::choose_levels(const std::vector<std::string>& wanted,
                                   std::vector<std::string>& levels) const {
  std::vector<std::string_view> names;
  for (const anomalies::EngineLevel& level : engine_->levels()) names.push_back(level.name);
  bool all = false;
  for (const std::string& name : wanted) {
    if (name == "all") {
      all = true;
    } else if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string_view meant = anomalies::closest(name, names);
      return {StatusCode::invalid_argument,
              fmt::format("{} has no level {}; it has {}{}", engine_->name(), quote(name),
                          anomalies::listed(names, "none"),
                          meant.empty() ? std::string() : fmt::format("; did you mean {}?", meant))};
    }
  }
  levels.clear();
  for (const std::string_view name : names) {
    if (all || std::find(wanted.begin(), wanted.end(), name) != wanted.end()) levels.emplace_back(name);
  }
  return {};
}

}  // namespace isolith::tools

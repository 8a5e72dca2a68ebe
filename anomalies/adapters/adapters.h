// Adapters: other stores as engines that scenarios run on.
//
// Example:
//   Runner runner;
//   auto engine = open_adapter("sqlite", "/tmp/somewhere", runner);
//   if (!engine.ok()) std::cerr << engine.status().to_string() << '\n';
//
// Which of them there are depends on the libraries that were found when isolith was built.
//
// Threads: as Engine.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/engine.h"
#include "anomalies/runner.h"
#include "isolith/status.h"

namespace isolith::anomalies {

struct Adapter {
  std::string_view name;     // for `open_adapter`
  std::string_view library;  // what it is made with: "SQLite"
};

// Those that can be opened here: made with their library, and with their server there if they need one.
std::vector<Adapter> built_adapters();

// An engine whose files are in `directory`/`name`. The directory must be there; what an earlier adapter of
// the same name left in it is taken over. The runner must outlive the engine.
// `invalid_argument`: no such adapter, or not built; names those that are, and the package that brings it.
Result<std::unique_ptr<Engine>> open_adapter(std::string_view name, const std::string& directory,
                                             Runner& runner);

}  // namespace isolith::anomalies

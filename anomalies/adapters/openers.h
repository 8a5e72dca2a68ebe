// How each adapter is opened; `adapters.cc` alone calls these. A function is there if its adapter is built.
//
// `directory` is there, and its last part is the adapter's own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/engine.h"
#include "anomalies/runner.h"
#include "isolith/status.h"

namespace isolith::anomalies {

using OpenedEngine = Result<std::unique_ptr<Engine>>;

OpenedEngine open_sqlite(const std::string& directory, Runner& runner);
OpenedEngine open_lmdb(const std::string& directory, Runner& runner);
OpenedEngine open_postgres(const std::string& directory, Runner& runner);
OpenedEngine open_rocksdb(const std::string& directory, Runner& runner);
OpenedEngine open_rocksdb_optimistic(const std::string& directory, Runner& runner);
OpenedEngine open_berkeleydb(const std::string& directory, Runner& runner);
OpenedEngine open_wiredtiger(const std::string& directory, Runner& runner);
OpenedEngine open_mariadb(const std::string& directory, Runner& runner);

// Where the programs of the server are; empty if they are not installed.
std::string postgres_programs();
std::string mariadb_programs();

struct Opener {
  std::string_view name;
  OpenedEngine (*open)(const std::string& directory, Runner& runner);
  std::string (*programs)();  // null: it needs no server
};

// Those that are built, in no order that matters. CMake makes it (openers.cc.in).
std::vector<Opener> built_openers();

}  // namespace isolith::anomalies

// A MariaDB server of the adapter's own: found, started on an empty directory, and ready for connections.
//
// It has no system tables, asks for no password and listens on a Unix socket alone; what it wrote is thrown
// away. Locks are waited for without a limit: the runner ends waits, not the clock.
//
// Threads: from one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "anomalies/adapters/mariadb_connection.h"
#include "anomalies/adapters/server_process.h"
#include "isolith/status.h"

namespace isolith::anomalies {

inline constexpr const char* kMariadbDatabase = "isolith";

struct MariadbServer {
  ServerHome home;
  std::unique_ptr<ServerProcess> process;
  std::unique_ptr<MariadbConnection> control;  // the adapter's own

  [[nodiscard]] std::string socket() const { return home.scratch + "/socket"; }
  // Why a call failed whose connection is broken; says what to do.
  [[nodiscard]] Status gone(const std::string& why) const;
};

// `directory` is the adapter's own. `invalid_argument`: the server is not installed.
Result<MariadbServer> start_mariadb(const std::string& directory);

}  // namespace isolith::anomalies

// A PostgreSQL server of the adapter's own: found, its cluster made, started, and ready for connections.
//
// It is made to be quick and to be thrown away: nothing is synced, nothing runs in its background that could
// change which plan or which page a statement meets. It listens on a Unix socket alone.
//
// Threads: from one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "anomalies/adapters/postgres_connection.h"
#include "anomalies/adapters/server_process.h"
#include "isolith/status.h"

namespace isolith::anomalies {

struct PostgresServer {
  ServerHome home;
  std::unique_ptr<ServerProcess> process;
  std::unique_ptr<PostgresConnection> control;  // the adapter's own

  // Why a call failed whose connection is broken; says what to do.
  [[nodiscard]] Status gone(const std::string& why) const;
};

// `directory` is the adapter's own. A cluster that is there already is used again.
// `invalid_argument`: the server is not installed, or the cluster is of another version.
Result<PostgresServer> start_postgres(const std::string& directory);

}  // namespace isolith::anomalies

// Which adapters there are, and which of them can be opened here.
#include "anomalies/adapters/adapters.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>

#include "anomalies/adapters/openers.h"

namespace isolith::anomalies {
namespace {

struct Known {
  Adapter adapter;
  std::string_view package;  // of Debian, to build it with
  std::string_view server;   // to run it with; empty: it needs none
};

constexpr std::array<Known, 8> kKnown{{
    {{"sqlite", "SQLite"}, "libsqlite3-dev", ""},
    {{"lmdb", "LMDB"}, "liblmdb-dev", ""},
    {{"rocksdb", "RocksDB, TransactionDB"}, "librocksdb-dev", ""},
    {{"rocksdb_optimistic", "RocksDB, OptimisticTransactionDB"}, "librocksdb-dev", ""},
    {{"wiredtiger", "WiredTiger"}, "libwiredtiger-dev", ""},
    {{"berkeleydb", "Berkeley DB"}, "libdb-dev", ""},
    {{"postgres", "PostgreSQL"}, "libpq-dev", "postgresql"},
    {{"mariadb", "MariaDB"}, "libmariadb-dev", "mariadb-server"},
}};

std::optional<Opener> built(std::string_view name) {
  for (const Opener& opener : built_openers()) {
    if (opener.name == name) return opener;
  }
  return std::nullopt;
}

bool can_open(const Opener& opener) { return opener.programs == nullptr || !opener.programs().empty(); }

std::string names_of_those_there() {
  std::string names;
  for (const Adapter& adapter : built_adapters())
    names.append(names.empty() ? "" : ", ").append(adapter.name);
  return names.empty() ? "none" : names;
}

Status not_there(std::string_view name) {
  std::string message = "engine '" + std::string(name) + "' ";
  const auto* known = std::find_if(kKnown.begin(), kKnown.end(),
                                   [name](const Known& one) { return one.adapter.name == name; });
  if (known == kKnown.end()) {
    message += "is not known";
  } else if (!built(name)) {
    message.append("is not in this build: install ").append(known->package).append(" and build again");
  } else {
    message.append("has no server here: install ").append(known->server);
  }
  return {StatusCode::invalid_argument, message + "; there are: " + names_of_those_there()};
}

}  // namespace

std::vector<Adapter> built_adapters() {
  std::vector<Adapter> adapters;
  for (const Known& known : kKnown) {
    const std::optional<Opener> opener = built(known.adapter.name);
    if (opener && can_open(*opener)) adapters.push_back(known.adapter);
  }
  return adapters;
}

Result<std::unique_ptr<Engine>> open_adapter(std::string_view name, const std::string& directory,
                                             Runner& runner) {
  const std::optional<Opener> opener = built(name);
  if (!opener || !can_open(*opener)) return not_there(name);
  const std::filesystem::path path = std::filesystem::path(directory) / name;
  std::error_code error;
  std::filesystem::create_directory(path, error);
  if (!error && !std::filesystem::is_directory(path, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) {
    return Status(StatusCode::io_error, "the directory " + path.string() + ": " + error.message(),
                  error.value());
  }
  return opener->open(path.string(), runner);
}

}  // namespace isolith::anomalies

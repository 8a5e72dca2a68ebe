// MariaDB with InnoDB as an engine: a server of its own, and a connection for each session.
//
// The tables of a scenario are the tables t0, t1, ... of the server, made once: (k varbinary, v longblob).
// `put` is one statement that inserts or updates. At repeatable_read the snapshot is taken when the
// transaction begins, also where InnoDB would wait for its first read.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anomalies/adapters/innodb_waits.h"
#include "anomalies/adapters/mariadb_connection.h"
#include "anomalies/adapters/mariadb_server.h"
#include "anomalies/adapters/openers.h"
#include "anomalies/adapters/server_waits.h"

namespace isolith::anomalies {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMs =
    1;  // the server does not say by itself that a statement waits; it is asked this often
constexpr auto kAnswerLimit = std::chrono::seconds(MariadbConnection::kAnswerSeconds);

// mysqld_error.h, which does not go well with errno.h.
constexpr unsigned kChanged = 1020;      // ER_CHECKREAD
constexpr unsigned kDuplicate = 1062;    // ER_DUP_ENTRY
constexpr unsigned kLockTimeout = 1205;  // ER_LOCK_WAIT_TIMEOUT
constexpr unsigned kDeadlock = 1213;     // ER_LOCK_DEADLOCK
constexpr unsigned kInterrupted = 1317;  // ER_QUERY_INTERRUPTED

struct Level {
  const char* name;
  const char* sql;
  const char* claim;
};

constexpr Level kLevels[] = {
    {"read_uncommitted", "READ UNCOMMITTED", "reads are not locking, and may see what is not committed"},
    {"read_committed", "READ COMMITTED", "each consistent read sets and reads a snapshot of its own"},
    {"repeatable_read", "REPEATABLE READ", "all consistent reads of a transaction read one snapshot"},
    {"serializable", "SERIALIZABLE", "as repeatable_read, and every plain read is LOCK IN SHARE MODE"},
};

const std::vector<EngineLevel>& mariadb_levels() {
  static const std::vector<EngineLevel> levels = [] {
    std::vector<EngineLevel> made;
    for (const Level& level : kLevels) made.push_back({level.name, level.claim});
    return made;
  }();
  return levels;
}

std::string name_of_table(std::size_t number) { return "t" + std::to_string(number); }

// Bytes as a literal; so no value of a session can be mistaken for a line of a status.
std::string literal(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "x'";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text + "'";
}

std::string upsert(std::uint32_t table, std::string_view key, std::string_view value) {
  return "INSERT INTO " + name_of_table(table) + " VALUES (" + literal(key) + "," + literal(value) +
         ") ON DUPLICATE KEY UPDATE v = VALUES(v)";
}

void take_rows(MariadbResult result, std::vector<Row>& rows) {
  rows.clear();
  while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
    const unsigned long* sizes = mysql_fetch_lengths(result.get());
    rows.push_back({std::string(row[0], sizes[0]), std::string(row[1], sizes[1])});
  }
}

class Session;

// What the sessions share.
struct Shared {
  explicit Shared(Runner& runner) : waits(runner) {}

  MariadbServer server;
  ServerWaits waits;
  std::vector<std::string> tables;  // as the scenario names them
  std::vector<Session*> sessions;
  std::uint64_t transactions = 0;  // begun so far

  // False: the server is gone.
  bool ask_waits(std::vector<InnodbWait>& waiting) {
    waiting.clear();
    if (!server.control->execute("SHOW ENGINE INNODB STATUS")) return false;
    const MariadbResult result = server.control->take_rows();
    MYSQL_ROW row = mysql_fetch_row(result.get());
    if (row == nullptr) return false;
    waiting = parse_innodb_waits({row[2], mysql_fetch_lengths(result.get())[2]});
    return true;
  }
};

Status status_of(MariadbConnection& connection) {
  const std::string message = "MariaDB: " + connection.error();
  switch (connection.error_number()) {
    case kChanged:
      return Status::conflict(ConflictReason::write_conflict, message);
    case kDeadlock:
      return Status::conflict(ConflictReason::deadlock, message);
    case kLockTimeout:
    case kInterrupted:
      return Status::conflict(ConflictReason::lock_timeout, message);
    case kDuplicate:
      return Status(StatusCode::already_exists);
    default:
      return {StatusCode::invalid_argument, message};
  }
}

class Session final : public EngineSession, private ServerWaits::Statement {
 public:
  Session(Shared& shared, std::unique_ptr<MariadbConnection> connection)
      : shared_(shared), connection_(std::move(connection)) {
    shared_.sessions.push_back(this);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() override {
    if (id_ != 0) (void)abort();
    std::erase(shared_.sessions, this);
  }

  Status begin(const BeginOptions& options) override {
    const auto* level = std::find_if(std::begin(kLevels), std::end(kLevels),
                                     [&options](const Level& one) { return one.name == options.level; });
    if (level == std::end(kLevels))
      return {StatusCode::invalid_argument, "MariaDB has no level of this name"};
    if (options.deferrable) return {StatusCode::invalid_argument, "MariaDB has no deferrable transactions"};
    id_ = ++shared_.transactions;
    read_only_ = options.read_only;
    savepoints_.clear();
    Status status = run(std::string("SET TRANSACTION ISOLATION LEVEL ") + level->sql);
    if (!status.ok()) return status;
    std::string sql = "START TRANSACTION";
    if (options.level == "repeatable_read") sql += " WITH CONSISTENT SNAPSHOT";
    if (read_only_) sql += options.level == "repeatable_read" ? ", READ ONLY" : " READ ONLY";
    return run(sql);
  }

  Status get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) override {
    if (lock != ReadLock::none && read_only_ && id_ != 0) return locks_in_read_only();
    std::string sql = "SELECT v FROM " + name_of_table(table) + " WHERE k = " + literal(key);
    if (lock == ReadLock::share) sql += " LOCK IN SHARE MODE";
    if (lock == ReadLock::update) sql += " FOR UPDATE";
    if (Status status = run(sql, table, key); !status.ok()) return status;
    const MariadbResult result = connection_->take_rows();
    MYSQL_ROW row = mysql_fetch_row(result.get());
    if (row == nullptr) return Status(StatusCode::not_found);
    value.assign(row[0], mysql_fetch_lengths(result.get())[0]);
    return {};
  }

  Status put(std::uint32_t table, std::string_view key, std::string_view value) override {
    return write(upsert(table, key, value), table, key);
  }

  Status insert(std::uint32_t table, std::string_view key, std::string_view value) override {
    return write(
        "INSERT INTO " + name_of_table(table) + " VALUES (" + literal(key) + "," + literal(value) + ")",
        table, key);
  }

  Status erase(std::uint32_t table, std::string_view key) override {
    Status status = write("DELETE FROM " + name_of_table(table) + " WHERE k = " + literal(key), table, key);
    if (!status.ok()) return status;
    return changed_ == 0 ? Status(StatusCode::not_found) : Status();
  }

  Status scan(const Target& target, std::vector<Row>& rows) override {
    rows.clear();
    std::string sql = "SELECT k, v FROM " + name_of_table(target.table) + " WHERE k >= " + literal(target.lo);
    if (target.hi) sql += " AND k < " + literal(*target.hi);
    const Status status = run(sql + " ORDER BY k", target.table, {});
    if (status.ok()) take_rows(connection_->take_rows(), rows);
    return status;
  }

  Status savepoint(std::uint32_t savepoint) override {
    const Status status = run("SAVEPOINT s" + std::to_string(savepoint));
    if (status.ok()) savepoints_.push_back(savepoint);
    return status;
  }

  Status rollback_to(std::uint32_t savepoint) override {
    while (!savepoints_.empty() && savepoints_.back() != savepoint) savepoints_.pop_back();
    if (id_ != 0 && savepoints_.empty()) {
      return {StatusCode::invalid_argument, "the savepoint was not made in this transaction, or is undone"};
    }
    return run("ROLLBACK TO s" + std::to_string(savepoint));
  }

  Status commit() override { return end("COMMIT"); }
  Status abort() override { return end("ROLLBACK"); }

  [[nodiscard]] std::uint64_t transaction_id() const noexcept override { return id_; }

 private:
  enum class Look : std::uint8_t { runs, waits, gone };

  static Status over() { return {StatusCode::aborted, "the transaction is over"}; }
  static Status locks_in_read_only() {
    return {StatusCode::read_only,
            "MariaDB writes no row in a read-only transaction, and it locks none for that"};
  }

  Status write(const std::string& sql, std::uint32_t table, std::string_view key) {
    return read_only_ && id_ != 0 ? locks_in_read_only() : run(sql, table, key);
  }

  Status run(const std::string& sql, std::uint32_t table, std::string_view key) {
    return run(sql, shared_.tables[table], key);
  }

  // A failure ends the transaction, but for a key that is there already. What the call has released goes to
  // those who wait.
  Status run(const std::string& sql, std::string_view table = {}, std::string_view key = {}) {
    if (id_ == 0) return over();
    Status status =
        connection_->send(sql) ? wait_for_answer(table, key) : shared_.server.gone(connection_->error());
    if (status.ok() && !connection_->receive()) {
      status = connection_->is_gone() ? shared_.server.gone(connection_->error()) : status_of(*connection_);
    }
    changed_ = connection_->changed();
    if (!status.ok() && !status.is(StatusCode::already_exists)) {
      connection_->execute("ROLLBACK");
      id_ = 0;
    }
    shared_.waits.look_again();
    return status;
  }

  Status end(const char* sql) {
    Status status = run(sql);
    id_ = 0;
    return status;
  }

  Status wait_for_answer(std::string_view table, std::string_view key) {
    for (auto limit = Clock::now() + kAnswerLimit; Clock::now() < limit;) {
      if (connection_->has_answer(kPollMs)) return {};
      std::uint64_t holder = 0;
      const Look seen = look(holder);
      if (seen == Look::gone) return shared_.server.gone(shared_.server.control->error());
      if (seen == Look::runs) continue;
      const WaitInfo info{WaitKind::write_lock, id_, holder, table, key};
      const bool in_time = shared_.waits.wait(*this, info);
      limit = Clock::now() + kAnswerLimit;
      if (in_time) continue;
      // If it fails the server is gone, which the next look tells.
      shared_.server.control->execute("KILL QUERY " + std::to_string(connection_->thread()));
    }
    return shared_.server.gone("it does not answer");
  }

  bool is_decided() override {
    for (const auto limit = Clock::now() + kAnswerLimit; Clock::now() < limit;) {
      std::uint64_t holder = 0;
      if (connection_->has_answer(0)) return true;
      const Look seen = look(holder);
      if (seen == Look::gone) return true;
      if (seen == Look::waits) return false;
      if (connection_->has_answer(kPollMs)) return true;
    }
    return true;
  }

  // Who waits in a cycle runs: InnoDB is about to end one of those in it.
  Look look(std::uint64_t& holder) {
    if (!shared_.ask_waits(waiting_)) return Look::gone;
    const std::uint64_t self = connection_->thread();
    for (const InnodbWait& wait : waiting_) {
      if (wait.thread != self) continue;
      if (is_in_cycle(waiting_, self)) return Look::runs;
      for (const Session* session : shared_.sessions) {
        if (holder == 0 && std::find(wait.holders.begin(), wait.holders.end(),
                                     session->connection_->thread()) != wait.holders.end()) {
          holder = session->id_;
        }
      }
      return Look::waits;
    }
    return Look::runs;
  }

  Shared& shared_;
  std::unique_ptr<MariadbConnection> connection_;
  std::uint64_t id_ = 0;       // of the transaction in progress
  std::uint64_t changed_ = 0;  // rows, by the last statement
  bool read_only_ = false;
  std::vector<std::uint32_t> savepoints_;  // that can be gone back to
  std::vector<InnodbWait> waiting_;        // scratch
};

class Mariadb final : public Engine {
 public:
  explicit Mariadb(Runner& runner) : shared_(runner) {}

  Status open(const std::string& directory) {
    Result<MariadbServer> server = start_mariadb(directory);
    if (!server.ok()) return server.status();
    shared_.server = *std::move(server);
    version_ = shared_.server.control->server_version();
    return {};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "mariadb"; }
  [[nodiscard]] std::string_view version() const noexcept override { return version_; }
  [[nodiscard]] const std::vector<EngineLevel>& levels() const noexcept override { return mariadb_levels(); }

  Result<std::unique_ptr<EngineSession>> open_session() override {
    auto connection = MariadbConnection::open(shared_.server.socket(), kMariadbDatabase);
    if (!connection.ok()) return shared_.server.gone(std::string(connection.status().message()));
    return std::unique_ptr<EngineSession>(std::make_unique<Session>(shared_, *std::move(connection)));
  }

  // Writes what differs. Rows that were erased are then purged: until they are, InnoDB locks the gaps beside
  // them, and a run would depend on how far its purge had come.
  Status reset(const std::vector<TableContents>& tables) override {
    for (; made_ < tables.size(); ++made_) {
      if (Status status = execute("CREATE TABLE " + name_of_table(made_) +
                                  " (k varbinary(1024) PRIMARY KEY, v longblob NOT NULL)");
          !status.ok()) {
        return status;
      }
    }
    shared_.tables.clear();
    bool erased = false;
    for (std::uint32_t i = 0; i < tables.size(); ++i) {
      shared_.tables.push_back(tables[i].name);
      if (Status status = restore(i, tables[i].rows, erased); !status.ok()) return status;
    }
    return erased ? execute("SET GLOBAL innodb_max_purge_lag_wait = 0") : Status();
  }

  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    if (Status status = execute("SELECT k, v FROM " + name_of_table(table) + " ORDER BY k"); !status.ok()) {
      return status;
    }
    take_rows(shared_.server.control->take_rows(), rows);
    return {};
  }

 private:
  Status restore(std::uint32_t table, const std::vector<Row>& rows, bool& erased) {
    if (Status status = contents(table, there_); !status.ok()) return status;
    auto old = there_.begin();
    for (const Row& row : rows) {
      for (; old != there_.end() && old->key < row.key; ++old) {
        if (Status status = erase(table, old->key, erased); !status.ok()) return status;
      }
      const bool is_there = old != there_.end() && old->key == row.key;
      if (!is_there || old->value != row.value) {
        if (Status status = execute(upsert(table, row.key, row.value)); !status.ok()) return status;
      }
      if (is_there) ++old;
    }
    for (; old != there_.end(); ++old) {
      if (Status status = erase(table, old->key, erased); !status.ok()) return status;
    }
    return {};
  }

  Status erase(std::uint32_t table, std::string_view key, bool& erased) {
    erased = true;
    return execute("DELETE FROM " + name_of_table(table) + " WHERE k = " + literal(key));
  }

  Status execute(const std::string& sql) {
    MariadbConnection& control = *shared_.server.control;
    if (control.execute(sql)) return {};
    return control.is_gone() ? shared_.server.gone(control.error()) : status_of(control);
  }

  Shared shared_;
  std::string version_;
  std::size_t made_ = 0;    // tables
  std::vector<Row> there_;  // scratch
};

}  // namespace

OpenedEngine open_mariadb(const std::string& directory, Runner& runner) {
  auto engine = std::make_unique<Mariadb>(runner);
  if (Status status = engine->open(directory); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace isolith::anomalies

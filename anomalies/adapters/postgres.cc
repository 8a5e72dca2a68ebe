// PostgreSQL as an engine: a server of its own, and a connection for each session.
//
// The tables of a scenario are the tables t0, t1, ... of the server, made once: (key bytea, value bytea).
// `put` is one statement that updates, or inserts what is not there. A transaction's snapshot is taken when
// it begins, also where PostgreSQL would wait for its first statement.
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anomalies/adapters/openers.h"
#include "anomalies/adapters/postgres_connection.h"
#include "anomalies/adapters/postgres_server.h"
#include "anomalies/adapters/server_waits.h"

namespace isolith::anomalies {
namespace {

using Progress = PostgresConnection::Progress;

// Waits for a snapshot without conflicts are not told by the server; it is asked this often.
constexpr int kSnapshotPollMs = 1;
// Rows written between two clean-ups: while they fit into a page beside what the sessions write, each update
// stays in its page, and no level that watches pages sees a difference from one run to the next.
constexpr std::size_t kRowsUntilVacuum = 64;
constexpr std::size_t kRowsOfRun = 16;  // that the sessions may have written

const std::vector<EngineLevel>& postgres_levels() {
  static const std::vector<EngineLevel> levels = {
      {"read_committed", "no dirty reads; each statement sees what was committed before it began"},
      {"repeatable_read",
       "no dirty or nonrepeatable reads, and no phantoms; serialization anomalies are possible"},
      {"serializable", "the same effect as running the transactions one at a time in some order", true},
  };
  return levels;
}

enum class Operation : std::uint8_t {
  get,
  get_for_share,
  get_for_update,
  put,
  insert,
  erase,
  scan,
  scan_from
};
constexpr std::size_t kOperations = 8;

// The statement on table t<number>.
std::string sql_of(Operation operation, const std::string& table) {
  const std::string get = "SELECT value FROM " + table + " WHERE key = $1";
  const std::string insert = "INSERT INTO " + table + " VALUES ($1, $2) ON CONFLICT ";
  const std::string scan = "SELECT key, value FROM " + table + " WHERE key >= $1";
  switch (operation) {
    case Operation::get:
      return get;
    case Operation::get_for_share:
      return get + " FOR SHARE";
    case Operation::get_for_update:
      return get + " FOR UPDATE";
    case Operation::put:  // an insert would not be refused where who committed since has erased the row
      return "WITH updated AS (UPDATE " + table +
             " SET value = $2 WHERE key = $1 RETURNING key) INSERT INTO " + table +
             " SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM updated)" +
             " ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    case Operation::insert:
      return insert + "DO NOTHING";
    case Operation::erase:
      return "DELETE FROM " + table + " WHERE key = $1";
    case Operation::scan:
      return scan + " AND key < $2 ORDER BY key";
    case Operation::scan_from:
      return scan + " ORDER BY key";
  }
  return "";
}

std::string name_of_table(std::size_t number) { return "t" + std::to_string(number); }

std::string_view field(const PGresult* result, int row, int column) {
  return {PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))};
}

bool changed_none(PGresult* result) { return std::string_view(PQcmdTuples(result)) == "0"; }

void take_rows(const PGresult* result, std::vector<Row>& rows) {
  rows.clear();
  for (int i = 0; i < PQntuples(result); ++i) {
    rows.push_back({std::string(field(result, i, 0)), std::string(field(result, i, 1))});
  }
}

// A bytea as text.
void append_literal(std::string& sql, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  sql += "'\\x";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    sql += kDigits[byte >> 4U];
    sql += kDigits[byte & 15U];
  }
  sql += "'";
}

bool succeeded(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

// By SQLSTATE (appendix A of the manual). The message alone: details name processes, which differ from run to
// run.
Status status_of(const PGresult* result) {
  const char* state_field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const std::string_view state = state_field == nullptr ? "" : state_field;
  const std::string message = std::string("PostgreSQL: ") + (text == nullptr ? "no message" : text);
  if (state == "40001") {
    const bool by_dependencies = message.find("read/write dependencies") != std::string::npos;
    return Status::conflict(by_dependencies ? ConflictReason::serialization : ConflictReason::write_conflict,
                            message);
  }
  if (state == "40P01") return Status::conflict(ConflictReason::deadlock, message);
  if (state == "55P03" || state == "57014") return Status::conflict(ConflictReason::lock_timeout, message);
  const std::string_view kind = state.substr(0, 2);
  if (kind == "22" || kind == "23" || kind == "42" || kind == "54") {
    return {StatusCode::invalid_argument, message};
  }
  return {StatusCode::io_error, message};
}

class Session;

// What the sessions share.
struct Shared {
  explicit Shared(Runner& runner) : waits(runner) {}

  PostgresServer server;
  ServerWaits waits;
  std::vector<std::string> tables;  // as the scenario names them
  std::vector<Session*> sessions;
  std::uint64_t transactions = 0;  // begun so far

  // Null: the server is gone.
  PostgresResult ask(const std::string& sql) { return server.control->execute(sql.c_str()); }
};

class Session final : public EngineSession, private ServerWaits::Statement {
 public:
  Session(Shared& shared, std::unique_ptr<PostgresConnection> connection)
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
    std::string sql = "BEGIN ISOLATION LEVEL ";
    if (options.level == "read_committed")
      sql += "READ COMMITTED";
    else if (options.level == "repeatable_read")
      sql += "REPEATABLE READ";
    else if (options.level == "serializable")
      sql += "SERIALIZABLE";
    else
      return {StatusCode::invalid_argument, "PostgreSQL has no level of this name"};
    if (options.read_only) sql += " READ ONLY";
    if (options.deferrable) sql += " DEFERRABLE";
    if (options.level != "read_committed") sql += "; SELECT 1";
    id_ = ++shared_.transactions;
    read_only_ = options.read_only;
    savepoints_.clear();
    waits_for_snapshot_ = options.deferrable;
    shared_.waits.hold();
    connection_->send(sql.c_str());
    PostgresResult result;
    Status status = finish({}, {}, result);
    waits_for_snapshot_ = false;
    return status;
  }

  Status get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) override {
    if (lock != ReadLock::none && read_only_) return locks_in_read_only();
    const Operation operation = lock == ReadLock::none    ? Operation::get
                                : lock == ReadLock::share ? Operation::get_for_share
                                                          : Operation::get_for_update;
    PostgresResult result;
    if (Status status = run(operation, table, key, {key}, result); !status.ok()) return status;
    if (PQntuples(result.get()) == 0) return Status(StatusCode::not_found);
    value = field(result.get(), 0, 0);
    return {};
  }

  Status put(std::uint32_t table, std::string_view key, std::string_view value) override {
    PostgresResult result;
    return write(Operation::put, table, key, {key, value}, result);
  }

  Status insert(std::uint32_t table, std::string_view key, std::string_view value) override {
    PostgresResult result;
    if (Status status = write(Operation::insert, table, key, {key, value}, result); !status.ok())
      return status;
    return changed_none(result.get()) ? Status(StatusCode::already_exists) : Status();
  }

  Status erase(std::uint32_t table, std::string_view key) override {
    PostgresResult result;
    if (Status status = write(Operation::erase, table, key, {key}, result); !status.ok()) return status;
    return changed_none(result.get()) ? Status(StatusCode::not_found) : Status();
  }

  Status scan(const Target& target, std::vector<Row>& rows) override {
    rows.clear();
    PostgresResult result;
    const Status status = target.hi ? run(Operation::scan, target.table, {}, {target.lo, *target.hi}, result)
                                    : run(Operation::scan_from, target.table, {}, {target.lo}, result);
    if (status.ok()) take_rows(result.get(), rows);
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
  [[nodiscard]] int backend() const noexcept { return connection_->backend(); }

 private:
  static Status over() { return {StatusCode::aborted, "the transaction is over"}; }
  static Status locks_in_read_only() {
    return {StatusCode::read_only, "PostgreSQL locks and writes no row in a read-only transaction"};
  }

  Status write(Operation operation, std::uint32_t table, std::string_view key,
               std::initializer_list<std::string_view> parameters, PostgresResult& result) {
    return read_only_ && id_ != 0 ? locks_in_read_only() : run(operation, table, key, parameters, result);
  }

  Status run(Operation operation, std::uint32_t table, std::string_view key,
             std::initializer_list<std::string_view> parameters, PostgresResult& result) {
    if (id_ == 0) return over();
    std::string& name = statement(operation, table);
    if (name.empty()) {
      std::string fresh = "s" + std::to_string(table) + "_" + std::to_string(static_cast<int>(operation));
      connection_->send_prepare(fresh.c_str(), sql_of(operation, name_of_table(table)).c_str());
      if (Status status = finish(shared_.tables[table], key, result); !status.ok()) return status;
      name = std::move(fresh);
    }
    shared_.waits.hold();
    connection_->send_prepared(name.c_str(), {parameters.begin(), parameters.size()});
    return finish(shared_.tables[table], key, result);
  }

  Status run(const std::string& sql) {
    if (id_ == 0) return over();
    PostgresResult result;
    shared_.waits.hold();
    connection_->send(sql.c_str());
    return finish({}, {}, result);
  }

  Status end(const char* sql) {
    Status status = run(sql);
    id_ = 0;
    return status;
  }

  // The name of the prepared statement; empty: it is not prepared.
  std::string& statement(Operation operation, std::uint32_t table) {
    const std::size_t place = table * kOperations + static_cast<std::size_t>(operation);
    if (statements_.size() <= place) statements_.resize(place + 1);
    return statements_[place];
  }

  // The outcome of what was sent. A failure ends the transaction, as it does in the server. What the call has
  // released goes to those who wait, also where it failed.
  Status finish(std::string_view table, std::string_view key, PostgresResult& result) {
    Status status = wait_for_answer(table, key);
    if (status.ok()) {
      result = connection_->take_result();
      if (!succeeded(result.get())) status = status_of(result.get());
    }
    if (!status.ok()) {
      if (connection_->in_transaction()) connection_->execute("ROLLBACK");
      id_ = 0;
    }
    shared_.waits.look_again();
    return status;
  }

  Status wait_for_answer(std::string_view table, std::string_view key) {
    while (true) {
      switch (connection_->advance(waits_for_snapshot_ ? kSnapshotPollMs : PostgresConnection::kAnswerMs)) {
        case Progress::answered:
          return {};
        case Progress::gone:
          return shared_.server.gone(connection_->error());
        case Progress::silent:
          if (!waits_for_snapshot_) return shared_.server.gone("it does not answer");
          if (blockers() == nullptr || PQntuples(blockers_.get()) == 0) continue;
          break;
        case Progress::waiting:
          break;
      }
      shared_.waits.look_again();  // those who are held go on
      const WaitInfo info{WaitKind::write_lock, id_, holder(), table, key};
      if (shared_.waits.wait(*this, info)) continue;
      connection_->cancel();
      connection_->expect_end_of_wait();
      waits_for_snapshot_ = false;
    }
  }

  // The backend sleeps in its wait; what it is given there it takes when it goes on.
  void hold() override { ::kill(backend(), SIGSTOP); }
  void go_on() override { ::kill(backend(), SIGCONT); }

  bool is_decided() override {
    if (blockers() == nullptr) return true;
    if (PQntuples(blockers_.get()) > 0) return false;
    connection_->expect_end_of_wait();
    while (true) {
      switch (connection_->advance(waits_for_snapshot_ ? kSnapshotPollMs : PostgresConnection::kAnswerMs)) {
        case Progress::answered:
        case Progress::gone:
          return true;
        case Progress::waiting:
          return false;
        case Progress::silent:
          if (!waits_for_snapshot_ || blockers() == nullptr) return true;
          if (PQntuples(blockers_.get()) > 0) return false;
      }
    }
  }

  // The backends that this one waits for, a row each. Null: the server is gone.
  const PGresult* blockers() {
    const std::string self = std::to_string(backend());
    blockers_ = shared_.ask("SELECT unnest(pg_blocking_pids(" + self +
                            ") || pg_safe_snapshot_blocking_pids(" + self + "))");
    return blockers_.get();
  }

  // The transaction of the first of them; 0: it is not known.
  std::uint64_t holder() {
    if (blockers() == nullptr) return 0;
    for (int i = 0; i < PQntuples(blockers_.get()); ++i) {
      const std::string_view text = field(blockers_.get(), i, 0);
      int backend = 0;
      std::from_chars(text.data(), text.data() + text.size(), backend);
      for (const Session* session : shared_.sessions) {
        if (session->backend() == backend) return session->id_;
      }
    }
    return 0;
  }

  Shared& shared_;
  std::unique_ptr<PostgresConnection> connection_;
  std::vector<std::string> statements_;
  std::uint64_t id_ = 0;  // of the transaction in progress
  bool read_only_ = false;
  bool waits_for_snapshot_ = false;
  std::vector<std::uint32_t> savepoints_;  // that can be gone back to
  PostgresResult blockers_;
};

class Postgres final : public Engine {
 public:
  explicit Postgres(Runner& runner) : shared_(runner) {}

  Status open(const std::string& directory) {
    Result<PostgresServer> server = start_postgres(directory);
    if (!server.ok()) return server.status();
    shared_.server = *std::move(server);
    version_ = shared_.server.control->server_version();
    return {};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "postgres"; }
  [[nodiscard]] std::string_view version() const noexcept override { return version_; }
  [[nodiscard]] const std::vector<EngineLevel>& levels() const noexcept override { return postgres_levels(); }

  Result<std::unique_ptr<EngineSession>> open_session() override {
    auto connection = PostgresConnection::open(shared_.server.home.scratch, true);
    if (!connection.ok()) return shared_.server.gone(std::string(connection.status().message()));
    return std::unique_ptr<EngineSession>(std::make_unique<Session>(shared_, *std::move(connection)));
  }

  Status reset(const std::vector<TableContents>& tables) override {
    for (; made_ < tables.size(); ++made_) {
      const std::string table = name_of_table(made_);
      if (Status status = execute("CREATE TABLE IF NOT EXISTS " + table +
                                  " (key bytea PRIMARY KEY, value bytea NOT NULL)");
          !status.ok()) {
        return status;
      }
    }
    shared_.tables.clear();
    std::string sql = "BEGIN;";
    std::string vacuum;
    std::size_t rows = kRowsOfRun;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      const std::string table = name_of_table(i);
      shared_.tables.push_back(tables[i].name);
      sql += "DELETE FROM " + table + ";";
      rows += tables[i].rows.size();
      vacuum += (i == 0 ? "VACUUM " : ",") + table;
      for (const Row& row : tables[i].rows) {
        sql += &row == &tables[i].rows.front() ? "INSERT INTO " + table + " VALUES (" : "),(";
        append_literal(sql, row.key);
        sql += ",";
        append_literal(sql, row.value);
      }
      if (!tables[i].rows.empty()) sql += ");";
    }
    if (Status status = execute(sql + "COMMIT"); !status.ok()) return status;
    rows_since_vacuum_ += rows;
    if (rows_since_vacuum_ < kRowsUntilVacuum || tables.empty()) return {};
    rows_since_vacuum_ = 0;
    return execute(vacuum);
  }

  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    PostgresConnection& control = *shared_.server.control;
    const std::string name = "all_of_" + name_of_table(table);
    if (table >= prepared_.size()) prepared_.resize(table + 1);
    if (!prepared_[table]) {
      control.send_prepare(name.c_str(),
                           ("SELECT key, value FROM " + name_of_table(table) + " ORDER BY key").c_str());
      if (Status status = check(control.answer()); !status.ok()) return status;
      prepared_[table] = true;
    }
    PostgresResult result = control.execute_prepared(name.c_str(), {});
    if (result != nullptr && succeeded(result.get())) {
      take_rows(result.get(), rows);
      return {};
    }
    return check(std::move(result));
  }

 private:
  Status execute(const std::string& sql) { return check(shared_.ask(sql)); }

  Status check(PostgresResult result) const {
    if (result == nullptr) return shared_.server.gone(shared_.server.control->error());
    if (succeeded(result.get())) return {};
    // A transaction that failed midway is ended, so that the next statement is one of its own.
    shared_.server.control->execute("ROLLBACK");
    return status_of(result.get());
  }

  Shared shared_;
  std::string version_;
  std::size_t made_ = 0;  // tables
  std::size_t rows_since_vacuum_ = 0;
  std::vector<bool> prepared_;
};

}  // namespace

OpenedEngine open_postgres(const std::string& directory, Runner& runner) {
  auto engine = std::make_unique<Postgres>(runner);
  if (Status status = engine->open(directory); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace isolith::anomalies

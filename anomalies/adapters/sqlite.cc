// SQLite: a database file in write-ahead mode, a connection for each session.
//
// `serializable` and `immediate` have private page caches, as programs do; `read_uncommitted` shares one
// cache among its connections, which is the only place where SQLite has that level.
//
// Invariants:
//   1. A connection whose transaction has taken no snapshot yet waits when another one is writing, as with a
//      busy timeout; one that has read does not wait: SQLite calls no busy handler then.
//   2. A connection in the shared cache waits for its writer, as with sqlite3_unlock_notify.
//
// Threads: as Engine; the library is built for any thread.
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "anomalies/adapters/adapter_session.h"
#include "anomalies/adapters/openers.h"

namespace isolith::anomalies {
namespace {

enum Level : std::size_t { kReadUncommitted, kSerializable, kImmediate };

std::vector<EngineLevel> sqlite_levels() {
  return {
      {"read_uncommitted", "shared cache with PRAGMA read_uncommitted: queries take no read locks"},
      {"serializable", "BEGIN: all transactions show serializable isolation; one writer at a time"},
      {"immediate", "BEGIN IMMEDIATE: serializable, and the write lock is taken at begin"},
  };
}

enum class Query : std::uint8_t { get, put, insert, erase, scan };
constexpr std::size_t kQueries = 5;

std::string text_of(Query query, std::uint32_t table) {
  const std::string name = "t" + std::to_string(table);
  switch (query) {
    case Query::get:
      return "SELECT value FROM " + name + " WHERE key = ?1";
    case Query::put:
      return "INSERT OR REPLACE INTO " + name + " VALUES (?1, ?2)";
    case Query::insert:
      return "INSERT INTO " + name + " VALUES (?1, ?2)";
    case Query::erase:
      return "DELETE FROM " + name + " WHERE key = ?1";
    case Query::scan:
      return "SELECT key, value FROM " + name + " WHERE key >= ?1 ORDER BY key";
  }
  return "";
}

class Connection {
 public:
  Connection() = default;
  ~Connection() {
    statements_.clear();
    sqlite3_close_v2(database_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Status open(const std::string& path, int cache_flag) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX | cache_flag;
    if (const int code = sqlite3_open_v2(path.c_str(), &database_, flags, nullptr); code != SQLITE_OK) {
      return failed("opening " + path);
    }
    sqlite3_extended_result_codes(database_, 1);
    // The first statement is what looks into the file.
    if (try_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF") != SQLITE_OK) {
      return failed("opening " + path);
    }
    return {};
  }

  // The message says what was done.
  [[nodiscard]] Status failed(const std::string& what) const {
    return {StatusCode::io_error, "SQLite: " + what + ": " + sqlite3_errmsg(database_)};
  }

  int try_execute(const char* text) { return sqlite3_exec(database_, text, nullptr, nullptr, nullptr); }
  Status execute(const char* text) { return try_execute(text) == SQLITE_OK ? Status() : failed(text); }

  // With what is bound; null: `code` says why.
  sqlite3_stmt* prepare(Query query, std::uint32_t table, std::string_view key, std::string_view value,
                        int& code) {
    if (statements_.size() <= table) statements_.resize(table + 1);
    Statement& statement = statements_[table][static_cast<std::size_t>(query)];
    if (statement == nullptr) {
      sqlite3_stmt* made = nullptr;
      code = sqlite3_prepare_v3(database_, text_of(query, table).c_str(), -1, SQLITE_PREPARE_PERSISTENT,
                                &made, nullptr);
      statement.reset(made);
      if (code != SQLITE_OK) return nullptr;
    }
    bind(statement.get(), 1, key);
    if (query == Query::put || query == Query::insert) bind(statement.get(), 2, value);
    return statement.get();
  }

  int run(Query query, std::uint32_t table, std::string_view key, std::string_view value = {}) {
    int code = SQLITE_OK;
    sqlite3_stmt* statement = prepare(query, table, key, value, code);
    if (statement == nullptr) return code;
    code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code;
  }

  int get(std::uint32_t table, std::string_view key, std::string& value, bool& found) {
    int code = SQLITE_OK;
    sqlite3_stmt* statement = prepare(Query::get, table, key, {}, code);
    if (statement == nullptr) return code;
    code = sqlite3_step(statement);
    found = code == SQLITE_ROW;
    if (found) value = column(statement, 0);
    sqlite3_reset(statement);
    return code;
  }

  int scan(const Target& target, std::vector<Row>& rows) {
    int code = SQLITE_OK;
    sqlite3_stmt* statement = prepare(Query::scan, target.table, target.lo, {}, code);
    if (statement == nullptr) return code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      std::string key = column(statement, 0);
      if (!target.contains(key)) break;
      rows.push_back({std::move(key), column(statement, 1)});
    }
    sqlite3_reset(statement);
    return code;
  }

  [[nodiscard]] int transaction_state() const { return sqlite3_txn_state(database_, "main"); }
  [[nodiscard]] int changes() const { return sqlite3_changes(database_); }
  [[nodiscard]] std::string message() const { return sqlite3_errmsg(database_); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  static void bind(sqlite3_stmt* statement, int place, std::string_view bytes) {
    // A null pointer would be NULL, not the empty blob.
    const char* data = bytes.empty() ? "" : bytes.data();
    sqlite3_bind_blob64(statement, place, data, bytes.size(), SQLITE_TRANSIENT);
  }

  static std::string column(sqlite3_stmt* statement, int place) {
    const void* data = sqlite3_column_blob(statement, place);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, place));
    return size == 0 ? std::string() : std::string(static_cast<const char*>(data), size);
  }

  sqlite3* database_ = nullptr;
  std::vector<std::array<Statement, kQueries>> statements_;  // by table
};

class SqliteSession;

struct SqliteShared {
  AdapterShared& adapter;
  std::string path;
  std::vector<const SqliteSession*> sessions;
};

class SqliteSession final : public AdapterSession {
 public:
  explicit SqliteSession(SqliteShared& shared) : AdapterSession(shared.adapter), shared_(shared) {
    shared_.sessions.push_back(this);
  }
  ~SqliteSession() override {
    abort_if_in_progress();
    std::erase(shared_.sessions, this);
  }

  Status open() { return private_.open(shared_.path, SQLITE_OPEN_PRIVATECACHE); }

 protected:
  Answer try_begin(std::size_t level, bool read_only) override {
    connection_ = &private_;
    if (level == kReadUncommitted) {
      if (Status status = open_in_shared_cache(); !status.ok()) return status;
    }
    has_write_lock_ = level == kImmediate && !read_only;
    return answer(connection_->try_execute(has_write_lock_ ? "BEGIN IMMEDIATE" : "BEGIN"));
  }

  Answer try_get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) override {
    if (lock != ReadLock::none && !has_write_lock_) {
      return Status(
          StatusCode::invalid_argument,
          "SQLite locks no rows; at level immediate a transaction has the write lock from the start");
    }
    bool found = false;
    const int code = connection_->get(table, key, value, found);
    return code == SQLITE_DONE ? Answer(Status(StatusCode::not_found)) : answer(code);
  }

  Answer try_put(std::uint32_t table, std::string_view key, std::string_view value) override {
    return answer(connection_->run(Query::put, table, key, value));
  }

  Answer try_insert(std::uint32_t table, std::string_view key, std::string_view value) override {
    const int code = connection_->run(Query::insert, table, key, value);
    if ((code & 0xff) == SQLITE_CONSTRAINT) return Status(StatusCode::already_exists);
    return answer(code);
  }

  Answer try_erase(std::uint32_t table, std::string_view key) override {
    const int code = connection_->run(Query::erase, table, key);
    if (code == SQLITE_DONE && connection_->changes() == 0) return Status(StatusCode::not_found);
    return answer(code);
  }

  Answer try_scan(const Target& target, std::vector<Row>& rows) override {
    return answer(connection_->scan(target, rows));
  }

  Answer try_commit() override { return answer(connection_->try_execute("COMMIT")); }

  Status set_savepoint(std::size_t number) override {
    return connection_->execute(("SAVEPOINT s" + std::to_string(number)).c_str());
  }
  Status roll_back_to(std::size_t number) override {
    return connection_->execute(("ROLLBACK TO s" + std::to_string(number)).c_str());
  }
  // Says no where no transaction was begun, which is as well.
  void roll_back() override { connection_->try_execute("ROLLBACK"); }

 private:
  Status open_in_shared_cache() {
    if (!in_shared_cache_) {
      auto made = std::make_unique<Connection>();
      if (Status status = made->open(shared_.path, SQLITE_OPEN_SHAREDCACHE); !status.ok()) return status;
      if (Status status = made->execute("PRAGMA read_uncommitted = 1"); !status.ok()) return status;
      in_shared_cache_ = std::move(made);
    }
    connection_ = in_shared_cache_.get();
    return {};
  }

  [[nodiscard]] bool is_writing() const {
    return transaction_id() != 0 && connection_->transaction_state() == SQLITE_TXN_WRITE;
  }

  [[nodiscard]] std::vector<std::uint64_t> writers() const {
    std::vector<std::uint64_t> found;
    for (const SqliteSession* session : shared_.sessions) {
      if (session != this && session->is_writing()) found.push_back(session->transaction_id());
    }
    return found;
  }

  [[nodiscard]] Answer answer(int code) const {
    const int primary = code & 0xff;
    if (primary == SQLITE_OK || primary == SQLITE_DONE || primary == SQLITE_ROW) return {};
    if (primary == SQLITE_LOCKED) return Answer::wait_for(writers());
    if (primary != SQLITE_BUSY) return connection_->failed("a statement");
    if (code == SQLITE_BUSY_SNAPSHOT) {
      return Status::conflict(ConflictReason::write_conflict,
                              "SQLITE_BUSY_SNAPSHOT: somebody has written since this transaction first read");
    }
    if (connection_->transaction_state() == SQLITE_TXN_NONE) return Answer::wait_for(writers());
    return Status::conflict(ConflictReason::write_conflict,
                            "SQLITE_BUSY: somebody else is writing, and this transaction has read already");
  }

  SqliteShared& shared_;
  Connection private_;
  std::unique_ptr<Connection> in_shared_cache_;  // null: not needed so far
  Connection* connection_ = &private_;           // of the transaction
  bool has_write_lock_ = false;
};

class SqliteEngine final : public AdapterEngine {
 public:
  SqliteEngine(const std::string& directory, Runner& runner)
      : AdapterEngine(runner, sqlite_levels()), sqlite_{shared_, directory + "/data.sqlite", {}} {}

  Status open() { return connection_.open(sqlite_.path, SQLITE_OPEN_PRIVATECACHE); }

  [[nodiscard]] std::string_view name() const noexcept override { return "sqlite"; }
  [[nodiscard]] std::string_view version() const noexcept override { return sqlite3_libversion(); }

  Result<std::unique_ptr<EngineSession>> open_session() override {
    auto session = std::make_unique<SqliteSession>(sqlite_);
    if (Status status = session->open(); !status.ok()) return status;
    return std::unique_ptr<EngineSession>(std::move(session));
  }

  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    rows.clear();
    const Target all{table, true, "", std::nullopt};
    return connection_.scan(all, rows) == SQLITE_DONE ? Status() : connection_.failed("reading a table");
  }

 protected:
  Status make_tables(std::size_t count) override {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string text = "CREATE TABLE IF NOT EXISTS t" + std::to_string(i) +
                               " (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID";
      if (Status status = connection_.execute(text.c_str()); !status.ok()) return status;
    }
    return {};
  }

  Status change(std::uint32_t table, const RowChanges& changes) override {
    if (Status status = connection_.execute("BEGIN IMMEDIATE"); !status.ok()) return status;
    bool fine = true;
    for (const std::string& key : changes.erase) {
      fine = fine && connection_.run(Query::erase, table, key) == SQLITE_DONE;
    }
    for (const Row* row : changes.put) {
      fine = fine && connection_.run(Query::put, table, row->key, row->value) == SQLITE_DONE;
    }
    if (fine) return connection_.execute("COMMIT");
    Status status = connection_.failed("writing first rows");
    connection_.try_execute("ROLLBACK");
    return status;
  }

 private:
  SqliteShared sqlite_;
  Connection connection_;
};

}  // namespace

OpenedEngine open_sqlite(const std::string& directory, Runner& runner) {
  auto engine = std::make_unique<SqliteEngine>(directory, runner);
  if (Status status = engine->open(); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace isolith::anomalies

// Berkeley DB: an environment and a B-tree for each table, all of it in memory; locks are of pages.
//
// Invariants:
//   1. No lock is waited for in Berkeley DB: all transactions are DB_TXN_NOWAIT, and DB_TIME_NOTGRANTED tells
//      a lock that somebody has (DB_LOCK_NOTGRANTED) from a conflict (DB_LOCK_DEADLOCK).
//   2. A write is made in a nested transaction of its own: where a lock is missing that one is aborted, and
//      the write has had no effect when it is tried again.
//   3. A savepoint is a nested transaction; the innermost one is where the session works.
//
// Threads: as Engine. The handles are free-threaded (DB_THREAD): without it, 5.3 reads wrong snapshots.
#include <db.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "anomalies/adapters/adapter_session.h"
#include "anomalies/adapters/openers.h"

namespace isolith::anomalies {
namespace {

constexpr std::uint32_t kCacheBytes = 32U << 20;
constexpr std::uint32_t kLogBytes = 16U << 20;
constexpr std::uint32_t kLocksMax = 10'000;
constexpr std::uint32_t kTransactionsMax = 1'000;  // also those that old versions of pages are kept for

struct LevelFlags {
  std::uint32_t transaction;
  std::uint32_t read;
};

enum Level : std::size_t { kReadUncommitted, kReadCommitted, kSerializable, kSnapshot };

constexpr std::array kFlags = {LevelFlags{0, DB_READ_UNCOMMITTED}, LevelFlags{0, DB_READ_COMMITTED},
                               LevelFlags{0, 0}, LevelFlags{DB_TXN_SNAPSHOT, 0}};

std::vector<EngineLevel> berkeleydb_levels() {
  return {
      {"read_uncommitted", "degree 1: no dirty writes; reads may see what is not committed"},
      {"read_committed", "degree 2: no dirty reads; cursor stability"},
      {"serializable", "degree 3, the default: repeatable reads, no phantoms"},
      {"snapshot", "multiversion: repeatable reads without read locks; the first update of a page wins"},
  };
}

// Bytes that the library may replace by its own; freed at the end.
class Bytes {
 public:
  Bytes() {
    std::memset(&dbt_, 0, sizeof dbt_);
    dbt_.flags = DB_DBT_REALLOC;
  }
  explicit Bytes(std::string_view text) : Bytes() {
    dbt_.data = std::malloc(text.size() + 1);
    if (dbt_.data != nullptr && !text.empty()) std::memcpy(dbt_.data, text.data(), text.size());
    dbt_.size = static_cast<std::uint32_t>(text.size());
  }
  ~Bytes() { std::free(dbt_.data); }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  DBT* get() { return &dbt_; }
  [[nodiscard]] std::string text() const { return {static_cast<const char*>(dbt_.data), dbt_.size}; }

 private:
  DBT dbt_;
};

Status failed(const std::string& what, int code) {
  return {StatusCode::io_error, "Berkeley DB: " + what + ": " + db_strerror(code), code > 0 ? code : 0};
}

int put_row(DB* table, DB_TXN* transaction, std::string_view key, std::string_view value,
            std::uint32_t flags) {
  Bytes key_bytes(key);
  Bytes value_bytes(value);
  return table->put(table, transaction, key_bytes.get(), value_bytes.get(), flags);
}

int erase_row(DB* table, DB_TXN* transaction, std::string_view key) {
  Bytes key_bytes(key);
  return table->del(table, transaction, key_bytes.get(), 0);
}

int scan_rows(DB* table, DB_TXN* transaction, std::uint32_t flags, const Target& target,
              std::vector<Row>& rows) {
  DBC* cursor = nullptr;
  int code = table->cursor(table, transaction, &cursor, flags);
  if (code != 0) return code;
  Bytes key(target.lo);
  Bytes value;
  code = cursor->get(cursor, key.get(), value.get(), target.lo.empty() ? DB_FIRST : DB_SET_RANGE);
  while (code == 0 && target.contains(key.text())) {
    rows.push_back({key.text(), value.text()});
    code = cursor->get(cursor, key.get(), value.get(), DB_NEXT);
  }
  if (code == DB_NOTFOUND) code = 0;
  const int closed = cursor->close(cursor);
  return code != 0 ? code : closed;
}

struct BerkeleydbShared {
  AdapterShared& adapter;
  DB_ENV* environment = nullptr;
  std::vector<DB*> tables;
};

class BerkeleydbSession final : public AdapterSession {
 public:
  explicit BerkeleydbSession(BerkeleydbShared& shared) : AdapterSession(shared.adapter), shared_(shared) {}
  ~BerkeleydbSession() override { abort_if_in_progress(); }

 protected:
  Answer try_begin(std::size_t level, bool /*read_only*/) override {
    level_ = level;
    return begin_nested();
  }

  Answer try_get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) override {
    std::uint32_t flags = kFlags[level_].read;
    if (lock == ReadLock::update) flags = DB_RMW;
    if (lock == ReadLock::share) {
      if (level_ == kSnapshot) {
        return Status(StatusCode::invalid_argument,
                      "Berkeley DB takes no shared locks at snapshot; get_for_update takes the write lock");
      }
      flags = 0;  // a read of degree 3
    }
    Bytes key_bytes(key);
    Bytes value_bytes;
    DB* const handle = shared_.tables[table];
    const int code = handle->get(handle, nested_.back(), key_bytes.get(), value_bytes.get(), flags);
    if (code == 0) value = value_bytes.text();
    return answer(code);
  }

  Answer try_put(std::uint32_t table, std::string_view key, std::string_view value) override {
    return write(
        [&](DB_TXN* transaction) { return put_row(shared_.tables[table], transaction, key, value, 0); });
  }

  Answer try_insert(std::uint32_t table, std::string_view key, std::string_view value) override {
    return write([&](DB_TXN* transaction) {
      return put_row(shared_.tables[table], transaction, key, value, DB_NOOVERWRITE);
    });
  }

  Answer try_erase(std::uint32_t table, std::string_view key) override {
    return write([&](DB_TXN* transaction) { return erase_row(shared_.tables[table], transaction, key); });
  }

  Answer try_scan(const Target& target, std::vector<Row>& rows) override {
    const std::uint32_t flags = kFlags[level_].read;
    return answer(scan_rows(shared_.tables[target.table], nested_.back(), flags, target, rows));
  }

  // Commits the nested ones too; the handles are gone however it ends.
  Answer try_commit() override {
    DB_TXN* const outermost = nested_.front();
    nested_.clear();
    return answer(outermost->commit(outermost, 0));
  }

  Status set_savepoint(std::size_t /*number*/) override { return begin_nested(); }

  Status roll_back_to(std::size_t number) override {
    while (nested_.size() > number + 1) {
      DB_TXN* const innermost = nested_.back();
      nested_.pop_back();
      if (const int code = innermost->abort(innermost); code != 0) return failed("rolling back", code);
    }
    return begin_nested();
  }

  // The nested ones too. What an abort fails with leaves nothing that could be done.
  void roll_back() override {
    if (!nested_.empty()) nested_.front()->abort(nested_.front());
    nested_.clear();
  }

 private:
  Status begin_nested() {
    DB_TXN* made = nullptr;
    if (const int code = begin_in(nested_.empty() ? nullptr : nested_.back(), made); code != 0) {
      return failed("begin", code);
    }
    nested_.push_back(made);
    return {};
  }

  int begin_in(DB_TXN* parent, DB_TXN*& made) {
    DB_ENV* const environment = shared_.environment;
    return environment->txn_begin(environment, parent, &made, kFlags[level_].transaction | DB_TXN_NOWAIT);
  }

  // A write that found or did not find its row keeps the locks that it has read under.
  template <typename Work>
  Answer write(const Work& work) {
    DB_TXN* own = nullptr;
    if (const int code = begin_in(nested_.back(), own); code != 0) return failed("begin", code);
    const int code = work(own);
    const bool is_done = code == 0 || code == DB_NOTFOUND || code == DB_KEYEXIST;
    const int ended = is_done ? own->commit(own, 0) : own->abort(own);
    return answer(code != 0 ? code : ended);
  }

  [[nodiscard]] Answer answer(int code) const {
    switch (code) {
      case 0:
        return {};
      case DB_NOTFOUND:
        return Status(StatusCode::not_found);
      case DB_KEYEXIST:
        return Status(StatusCode::already_exists);
      case DB_LOCK_NOTGRANTED:
        return Answer::wait_for({});
      case DB_LOCK_DEADLOCK:
        if (level_ != kSnapshot) return Status::conflict(ConflictReason::deadlock, db_strerror(code));
        return Status::conflict(ConflictReason::write_conflict,
                                "DB_LOCK_DEADLOCK: the page was updated since this transaction's snapshot");
      default:
        return failed("an operation", code);
    }
  }

  BerkeleydbShared& shared_;
  std::size_t level_ = kSerializable;
  std::vector<DB_TXN*> nested_;  // the transaction, and one for each savepoint, outermost first
};

class BerkeleydbEngine final : public AdapterEngine {
 public:
  explicit BerkeleydbEngine(Runner& runner)
      : AdapterEngine(runner, berkeleydb_levels()), berkeleydb_{shared_, nullptr, {}} {}
  ~BerkeleydbEngine() override {
    for (DB* table : berkeleydb_.tables) table->close(table, DB_NOSYNC);
    if (berkeleydb_.environment != nullptr) berkeleydb_.environment->close(berkeleydb_.environment, 0);
  }

  Status open(const std::string& directory) {
    int code = db_env_create(&berkeleydb_.environment, 0);
    if (code != 0) return failed("making an environment", code);
    DB_ENV* const environment = berkeleydb_.environment;
    environment->set_errcall(environment, [](const DB_ENV*, const char*, const char*) {});  // prints nothing
    code = environment->set_cachesize(environment, 0, kCacheBytes, 1);
    if (code == 0) code = environment->log_set_config(environment, DB_LOG_IN_MEMORY, 1);
    if (code == 0) code = environment->set_lg_bsize(environment, kLogBytes);
    if (code == 0) code = environment->set_lk_max_locks(environment, kLocksMax);
    if (code == 0) code = environment->set_lk_max_objects(environment, kLocksMax);
    if (code == 0) code = environment->set_lk_max_lockers(environment, kLocksMax);
    if (code == 0) code = environment->set_tx_max(environment, kTransactionsMax);
    if (code == 0) code = environment->set_flags(environment, DB_TIME_NOTGRANTED, 1);
    const std::uint32_t flags =
        DB_CREATE | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_TXN | DB_PRIVATE | DB_THREAD;
    if (code == 0) code = environment->open(environment, directory.c_str(), flags, 0);
    return code == 0 ? Status() : failed("opening " + directory, code);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "berkeleydb"; }
  [[nodiscard]] std::string_view version() const noexcept override { return version_; }

  Result<std::unique_ptr<EngineSession>> open_session() override {
    return std::unique_ptr<EngineSession>(std::make_unique<BerkeleydbSession>(berkeleydb_));
  }

  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    rows.clear();
    const Target all{table, true, "", std::nullopt};
    const int code = scan_rows(berkeleydb_.tables[table], nullptr, 0, all, rows);
    return code == 0 ? Status() : failed("reading a table", code);
  }

 protected:
  Status make_tables(std::size_t count) override {
    while (berkeleydb_.tables.size() < count) {
      DB* table = nullptr;
      if (const int code = db_create(&table, berkeleydb_.environment, 0); code != 0) {
        return failed("making a table", code);
      }
      berkeleydb_.tables.push_back(table);
      const std::string name = "t" + std::to_string(berkeleydb_.tables.size() - 1);
      const std::uint32_t flags =
          DB_CREATE | DB_AUTO_COMMIT | DB_THREAD | DB_MULTIVERSION | DB_READ_UNCOMMITTED;
      const int code = table->open(table, nullptr, nullptr, name.c_str(), DB_BTREE, flags, 0);
      if (code != 0) return failed("making a table", code);
    }
    return {};
  }

  Status change(std::uint32_t table, const RowChanges& changes) override {
    DB_ENV* const environment = berkeleydb_.environment;
    DB_TXN* transaction = nullptr;
    int code = environment->txn_begin(environment, nullptr, &transaction, DB_TXN_NOWAIT);
    if (code != 0) return failed("writing first rows", code);
    for (const std::string& key : changes.erase) {
      if (code == 0) code = erase_row(berkeleydb_.tables[table], transaction, key);
    }
    for (const Row* row : changes.put) {
      if (code == 0) code = put_row(berkeleydb_.tables[table], transaction, row->key, row->value, 0);
    }
    const int ended = code == 0 ? transaction->commit(transaction, 0) : transaction->abort(transaction);
    if (code == 0) code = ended;
    return code == 0 ? Status() : failed("writing first rows", code);
  }

 private:
  const std::string version_ = std::to_string(DB_VERSION_MAJOR) + "." + std::to_string(DB_VERSION_MINOR) +
                               "." + std::to_string(DB_VERSION_PATCH);
  BerkeleydbShared berkeleydb_;
};

}  // namespace

OpenedEngine open_berkeleydb(const std::string& directory, Runner& runner) {
  auto engine = std::make_unique<BerkeleydbEngine>(runner);
  if (Status status = engine->open(directory); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace isolith::anomalies

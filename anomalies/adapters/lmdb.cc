// LMDB: one environment, a named database for each table.
//
// LMDB has one writer at a time, and its write transactions belong to the thread that began them: it locks a
// mutex in the lock file, for which it would also wait. So all its calls are made in one thread of the
// engine's own, and who wants to write while another session does waits here instead.
//
// Invariants:
//   1. At most one session is the writer; nobody else is inside mdb_txn_begin for writing.
//   2. Read-only transactions are of MDB_NOTLS environments: any number of them in that one thread.
//   3. A savepoint is a nested transaction; the innermost one is where the session works.
//
// Threads: as Engine.
#include <lmdb.h>

#include <optional>
#include <utility>

#include "anomalies/adapters/adapter_session.h"
#include "anomalies/adapters/openers.h"
#include "anomalies/adapters/own_thread.h"

namespace isolith::anomalies {
namespace {

constexpr MDB_dbi kMaxTables = 128;
constexpr std::size_t kMapBytes = std::size_t{256} << 20;

std::vector<EngineLevel> lmdb_levels() {
  return {{"serializable", "writers one after the other, readers in snapshots: fully serialized"}};
}

MDB_val bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string text(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

Status failed(const std::string& what, int code) {
  return {StatusCode::io_error, "LMDB: " + what + ": " + mdb_strerror(code), code > 0 ? code : 0};
}

Status status_of(int code, const char* what) {
  if (code == MDB_SUCCESS) return {};
  if (code == MDB_NOTFOUND) return Status(StatusCode::not_found);
  if (code == MDB_KEYEXIST) return Status(StatusCode::already_exists);
  if (code == MDB_BAD_VALSIZE) return {StatusCode::invalid_argument, "LMDB keys have 1 to 511 bytes"};
  return failed(what, code);
}

int put_row(MDB_txn* transaction, MDB_dbi table, std::string_view key, std::string_view value,
            unsigned flags) {
  MDB_val key_bytes = bytes(key);
  MDB_val value_bytes = bytes(value);
  return mdb_put(transaction, table, &key_bytes, &value_bytes, flags);
}

int erase_row(MDB_txn* transaction, MDB_dbi table, std::string_view key) {
  MDB_val key_bytes = bytes(key);
  return mdb_del(transaction, table, &key_bytes, nullptr);
}

int scan_rows(MDB_txn* transaction, MDB_dbi table, const Target& target, std::vector<Row>& rows) {
  MDB_cursor* cursor = nullptr;
  int code = mdb_cursor_open(transaction, table, &cursor);
  if (code != MDB_SUCCESS) return code;
  MDB_val key = bytes(target.lo);
  MDB_val value{};
  code = mdb_cursor_get(cursor, &key, &value, target.lo.empty() ? MDB_FIRST : MDB_SET_RANGE);
  while (code == MDB_SUCCESS && target.contains(text(key))) {
    rows.push_back({text(key), text(value)});
    code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

struct LmdbShared {
  AdapterShared& adapter;
  MDB_env* environment = nullptr;
  std::vector<MDB_dbi> tables;
  std::uint64_t writer = 0;  // transaction that writes; 0: none
  OwnThread thread;
};

class LmdbSession final : public AdapterSession {
 public:
  explicit LmdbSession(LmdbShared& shared) : AdapterSession(shared.adapter), shared_(shared) {}
  ~LmdbSession() override { abort_if_in_progress(); }

 protected:
  Answer try_begin(std::size_t /*level*/, bool read_only) override {
    if (!read_only && shared_.writer != 0) return Answer::wait_for({shared_.writer});
    if (Status status = begin_one(nullptr, read_only ? MDB_RDONLY : 0); !status.ok()) return status;
    if (!read_only) shared_.writer = transaction_id();
    return {};
  }

  // Who may write has the one lock there is.
  Answer try_get(std::uint32_t table, std::string_view key, ReadLock /*lock*/, std::string& value) override {
    return in_thread("get", [&](MDB_txn* transaction) {
      MDB_val key_bytes = bytes(key);
      MDB_val value_bytes{};
      const int code = mdb_get(transaction, shared_.tables[table], &key_bytes, &value_bytes);
      if (code == MDB_SUCCESS) value = text(value_bytes);
      return code;
    });
  }

  Answer try_put(std::uint32_t table, std::string_view key, std::string_view value) override {
    return in_thread("put", [&](MDB_txn* txn) { return put_row(txn, shared_.tables[table], key, value, 0); });
  }

  Answer try_insert(std::uint32_t table, std::string_view key, std::string_view value) override {
    return in_thread("insert", [&](MDB_txn* transaction) {
      return put_row(transaction, shared_.tables[table], key, value, MDB_NOOVERWRITE);
    });
  }

  Answer try_erase(std::uint32_t table, std::string_view key) override {
    return in_thread("erase", [&](MDB_txn* txn) { return erase_row(txn, shared_.tables[table], key); });
  }

  Answer try_scan(const Target& target, std::vector<Row>& rows) override {
    return in_thread("scan", [&](MDB_txn* transaction) {
      return scan_rows(transaction, shared_.tables[target.table], target, rows);
    });
  }

  // Commits the nested ones too; the handles are gone however it ends.
  Answer try_commit() override {
    MDB_txn* outermost = nested_.front();
    nested_.clear();
    int code = MDB_SUCCESS;
    shared_.thread.call([&] { code = mdb_txn_commit(outermost); });
    release();
    return status_of(code, "commit");
  }

  Status set_savepoint(std::size_t /*number*/) override { return begin_one(nested_.back(), 0); }

  Status roll_back_to(std::size_t number) override {
    shared_.thread.call([&] {
      while (nested_.size() > number + 1) {
        mdb_txn_abort(nested_.back());
        nested_.pop_back();
      }
    });
    return begin_one(nested_.back(), 0);
  }

  void roll_back() override {
    if (!nested_.empty()) shared_.thread.call([this] { mdb_txn_abort(nested_.front()); });
    nested_.clear();
    release();
  }

 private:
  template <typename Work>
  Answer in_thread(const char* what, const Work& work) {
    int code = MDB_SUCCESS;
    shared_.thread.call([&] { code = work(nested_.back()); });
    return status_of(code, what);
  }

  Status begin_one(MDB_txn* parent, unsigned flags) {
    MDB_txn* made = nullptr;
    int code = MDB_SUCCESS;
    shared_.thread.call([&] { code = mdb_txn_begin(shared_.environment, parent, flags, &made); });
    if (code == EINVAL && parent != nullptr) {
      return {StatusCode::invalid_argument, "LMDB has no savepoints in read-only transactions"};
    }
    if (code != MDB_SUCCESS) return failed("begin", code);
    nested_.push_back(made);
    return {};
  }

  void release() {
    if (shared_.writer == transaction_id()) shared_.writer = 0;
  }

  LmdbShared& shared_;
  std::vector<MDB_txn*> nested_;  // the transaction, and one for each savepoint, outermost first
};

class LmdbEngine final : public AdapterEngine {
 public:
  explicit LmdbEngine(Runner& runner)
      : AdapterEngine(runner, lmdb_levels()), lmdb_{shared_, nullptr, {}, 0, {}} {}
  ~LmdbEngine() override {
    lmdb_.thread.call([this] { mdb_env_close(lmdb_.environment); });
  }

  Status open(const std::string& directory) {
    int code = MDB_SUCCESS;
    lmdb_.thread.call([&] {
      code = mdb_env_create(&lmdb_.environment);
      if (code == MDB_SUCCESS) code = mdb_env_set_maxdbs(lmdb_.environment, kMaxTables);
      if (code == MDB_SUCCESS) code = mdb_env_set_mapsize(lmdb_.environment, kMapBytes);
      const unsigned flags = MDB_NOTLS | MDB_NOSYNC | MDB_NOMETASYNC;
      if (code == MDB_SUCCESS) code = mdb_env_open(lmdb_.environment, directory.c_str(), flags, 0644);
    });
    return code == MDB_SUCCESS ? Status() : failed("opening " + directory, code);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "lmdb"; }
  [[nodiscard]] std::string_view version() const noexcept override { return version_; }

  Result<std::unique_ptr<EngineSession>> open_session() override {
    return std::unique_ptr<EngineSession>(std::make_unique<LmdbSession>(lmdb_));
  }

  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    rows.clear();
    return in_transaction("reading a table", MDB_RDONLY, [&](MDB_txn* transaction) {
      return scan_rows(transaction, lmdb_.tables[table], {table, true, "", std::nullopt}, rows);
    });
  }

 protected:
  Status make_tables(std::size_t count) override {
    if (count > kMaxTables) {
      return {StatusCode::invalid_argument, "the LMDB adapter has at most 128 tables"};
    }
    lmdb_.tables.resize(count);
    return in_transaction("making tables", 0, [&](MDB_txn* transaction) {
      int code = MDB_SUCCESS;
      for (std::size_t i = 0; i < count && code == MDB_SUCCESS; ++i) {
        const std::string table = "t" + std::to_string(i);
        code = mdb_dbi_open(transaction, table.c_str(), MDB_CREATE, &lmdb_.tables[i]);
      }
      return code;
    });
  }

  Status change(std::uint32_t table, const RowChanges& changes) override {
    return in_transaction("writing first rows", 0, [&](MDB_txn* transaction) {
      int code = MDB_SUCCESS;
      for (const std::string& key : changes.erase) {
        if (code == MDB_SUCCESS) code = erase_row(transaction, lmdb_.tables[table], key);
      }
      for (const Row* row : changes.put) {
        if (code == MDB_SUCCESS) code = put_row(transaction, lmdb_.tables[table], row->key, row->value, 0);
      }
      return code;
    });
  }

 private:
  template <typename Work>
  Status in_transaction(const char* what, unsigned flags, const Work& work) {
    int code = MDB_SUCCESS;
    lmdb_.thread.call([&] {
      MDB_txn* transaction = nullptr;
      code = mdb_txn_begin(lmdb_.environment, nullptr, flags, &transaction);
      if (code != MDB_SUCCESS) return;
      code = work(transaction);
      if (code == MDB_SUCCESS) {
        code = mdb_txn_commit(transaction);
      } else {
        mdb_txn_abort(transaction);
      }
    });
    return status_of(code, what);
  }

  const std::string version_ = std::to_string(MDB_VERSION_MAJOR) + "." + std::to_string(MDB_VERSION_MINOR) +
                               "." + std::to_string(MDB_VERSION_PATCH);
  LmdbShared lmdb_;
};

}  // namespace

OpenedEngine open_lmdb(const std::string& directory, Runner& runner) {
  auto engine = std::make_unique<LmdbEngine>(runner);
  if (Status status = engine->open(directory); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace isolith::anomalies

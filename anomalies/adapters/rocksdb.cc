// RocksDB: TransactionDB (a lock for each key that is written) and OptimisticTransactionDB (a check at
// commit).
//
// A key is the table's number, four bytes with the highest first, and the key itself.
//
// Invariants:
//   1. No lock is waited for in RocksDB: its lock timeout is 0, and who holds the lock is looked up.
//   2. `insert` and `erase` lock or track the key before they look whether it is there, as a program would.
//
// Threads: as Engine; the library is built for any thread.
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/utilities/optimistic_transaction_db.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>

#include <optional>
#include <utility>

#include "anomalies/adapters/adapter_session.h"
#include "anomalies/adapters/openers.h"

namespace isolith::anomalies {
namespace {

enum class Kind : std::uint8_t { pessimistic, optimistic };
enum Level : std::size_t { kLatest, kSnapshot };

std::vector<EngineLevel> rocksdb_levels(Kind kind) {
  if (kind == Kind::pessimistic) {
    return {
        {"pessimistic", "locks what is written; reads see what is committed then"},
        {"snapshot", "SetSnapshot: reads one snapshot; a write fails if its key was written since"},
    };
  }
  return {
      {"optimistic",
       "commit fails if a key was written since this transaction wrote it; reads see the latest"},
      {"optimistic_snapshot", "SetSnapshot: reads one snapshot; commit fails if a key was written since it"},
  };
}

std::string stored_key(std::uint32_t table, std::string_view key) {
  std::string stored;
  for (int shift = 24; shift >= 0; shift -= 8) stored.push_back(static_cast<char>(table >> shift & 0xff));
  return stored.append(key);
}

constexpr std::size_t kPrefixBytes = 4;

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

Status failed(const std::string& what, const rocksdb::Status& status) {
  return {StatusCode::io_error, "RocksDB: " + what + ": " + status.ToString()};
}

rocksdb::Status read_rows(rocksdb::Iterator& iterator, const Target& target, std::vector<Row>& rows) {
  const std::string prefix = stored_key(target.table, "");
  for (iterator.Seek(stored_key(target.table, target.lo)); iterator.Valid(); iterator.Next()) {
    if (!iterator.key().starts_with(prefix)) break;
    const std::string_view key = view(iterator.key()).substr(kPrefixBytes);
    if (!target.contains(key)) break;
    rows.push_back({std::string(key), iterator.value().ToString()});
  }
  return iterator.status();
}

rocksdb::WriteOptions write_options() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

class RocksdbSession;

struct RocksdbShared {
  AdapterShared& adapter;
  Kind kind;
  std::unique_ptr<rocksdb::DB> database;
  rocksdb::TransactionDB* pessimistic = nullptr;  // the same, by its kind
  rocksdb::OptimisticTransactionDB* optimistic = nullptr;
  std::vector<const RocksdbSession*> sessions;
};

class RocksdbSession final : public AdapterSession {
 public:
  explicit RocksdbSession(RocksdbShared& shared) : AdapterSession(shared.adapter), shared_(shared) {
    shared_.sessions.push_back(this);
  }
  ~RocksdbSession() override {
    abort_if_in_progress();
    std::erase(shared_.sessions, this);
  }

 protected:
  Answer try_begin(std::size_t level, bool /*read_only*/) override {
    rocksdb::Transaction* const old = transaction_.release();  // used again
    if (shared_.kind == Kind::pessimistic) {
      rocksdb::TransactionOptions options;
      options.set_snapshot = level == kSnapshot;
      options.lock_timeout = 0;
      transaction_.reset(shared_.pessimistic->BeginTransaction(write_options(), options, old));
    } else {
      rocksdb::OptimisticTransactionOptions options;
      options.set_snapshot = level == kSnapshot;
      transaction_.reset(shared_.optimistic->BeginTransaction(write_options(), options, old));
    }
    read_options_.snapshot = level == kSnapshot ? transaction_->GetSnapshot() : nullptr;
    return {};
  }

  Answer try_get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) override {
    const std::string stored = stored_key(table, key);
    if (lock == ReadLock::none) {
      return answer(transaction_->Get(read_options_, stored, &value), stored);
    }
    return answer(transaction_->GetForUpdate(read_options_, stored, &value, lock == ReadLock::update),
                  stored);
  }

  Answer try_put(std::uint32_t table, std::string_view key, std::string_view value) override {
    const std::string stored = stored_key(table, key);
    return answer(transaction_->Put(stored, slice(value)), stored);
  }

  Answer try_insert(std::uint32_t table, std::string_view key, std::string_view value) override {
    const std::string stored = stored_key(table, key);
    const rocksdb::Status found = transaction_->GetForUpdate(read_options_, stored, &old_value_);
    if (found.ok()) return Status(StatusCode::already_exists);
    if (!found.IsNotFound()) return answer(found, stored);
    return answer(transaction_->Put(stored, slice(value)), stored);
  }

  Answer try_erase(std::uint32_t table, std::string_view key) override {
    const std::string stored = stored_key(table, key);
    const rocksdb::Status found = transaction_->GetForUpdate(read_options_, stored, &old_value_);
    if (!found.ok()) return answer(found, stored);
    return answer(transaction_->Delete(stored), stored);
  }

  Answer try_scan(const Target& target, std::vector<Row>& rows) override {
    const std::unique_ptr<rocksdb::Iterator> iterator(transaction_->GetIterator(read_options_));
    return answer(read_rows(*iterator, target, rows), "");
  }

  Answer try_commit() override { return answer(transaction_->Commit(), ""); }

  Status set_savepoint(std::size_t number) override {
    transaction_->SetSavePoint();
    savepoints_ = number + 1;
    return {};
  }

  // Each rollback takes its savepoint away with it.
  Status roll_back_to(std::size_t number) override {
    for (; savepoints_ > number; --savepoints_) {
      const rocksdb::Status status = transaction_->RollbackToSavePoint();
      if (!status.ok()) return failed("rolling back to a savepoint", status);
    }
    return set_savepoint(number);
  }

  void roll_back() override {
    if (transaction_ != nullptr) transaction_->Rollback().PermitUncheckedError();
  }

 private:
  [[nodiscard]] std::vector<std::uint64_t> holders_of(const std::string& stored) const {
    std::vector<std::uint64_t> holders;
    for (const auto& [family, lock] : shared_.pessimistic->GetLockStatusData()) {
      if (lock.key != stored) continue;
      for (const rocksdb::TransactionID id : lock.ids) {
        for (const RocksdbSession* session : shared_.sessions) {
          if (session != this && session->is(id)) holders.push_back(session->transaction_id());
        }
      }
    }
    return holders;
  }

  [[nodiscard]] bool is(rocksdb::TransactionID id) const {
    return transaction_id() != 0 && transaction_ != nullptr && transaction_->GetID() == id;
  }

  [[nodiscard]] Answer answer(const rocksdb::Status& status, const std::string& stored) const {
    if (status.ok()) return {};
    if (status.IsNotFound()) return Status(StatusCode::not_found);
    if (status.IsTimedOut() && shared_.pessimistic != nullptr) return Answer::wait_for(holders_of(stored));
    if (status.IsBusy() || status.IsTryAgain()) {
      return Status::conflict(ConflictReason::write_conflict, "RocksDB: " + status.ToString());
    }
    return failed("an operation", status);
  }

  RocksdbShared& shared_;
  std::unique_ptr<rocksdb::Transaction> transaction_;
  rocksdb::ReadOptions read_options_;
  std::size_t savepoints_ = 0;
  std::string old_value_;  // scratch
};

class RocksdbEngine final : public AdapterEngine {
 public:
  RocksdbEngine(Kind kind, Runner& runner)
      : AdapterEngine(runner, rocksdb_levels(kind)), rocksdb_{shared_, kind, nullptr, nullptr, nullptr, {}} {}

  Status open(const std::string& directory) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.avoid_flush_during_shutdown = true;
    options.write_buffer_size = std::size_t{4} << 20;  // old versions of the same few rows pile up in it
    rocksdb::Status status;
    if (rocksdb_.kind == Kind::pessimistic) {
      status = rocksdb::TransactionDB::Open(options, {}, directory, &rocksdb_.pessimistic);
      if (status.ok()) rocksdb_.database.reset(rocksdb_.pessimistic);
    } else {
      status = rocksdb::OptimisticTransactionDB::Open(options, directory, &rocksdb_.optimistic);
      if (status.ok()) rocksdb_.database.reset(rocksdb_.optimistic);
    }
    return status.ok() ? Status() : failed("opening " + directory, status);
  }

  [[nodiscard]] std::string_view name() const noexcept override {
    return rocksdb_.kind == Kind::pessimistic ? "rocksdb" : "rocksdb_optimistic";
  }
  [[nodiscard]] std::string_view version() const noexcept override { return version_; }

  Result<std::unique_ptr<EngineSession>> open_session() override {
    return std::unique_ptr<EngineSession>(std::make_unique<RocksdbSession>(rocksdb_));
  }

  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    rows.clear();
    const std::unique_ptr<rocksdb::Iterator> iterator(rocksdb_.database->NewIterator({}));
    const rocksdb::Status status = read_rows(*iterator, {table, true, "", std::nullopt}, rows);
    return status.ok() ? Status() : failed("reading a table", status);
  }

 protected:
  Status make_tables(std::size_t /*count*/) override { return {}; }

  Status change(std::uint32_t table, const RowChanges& changes) override {
    rocksdb::WriteBatch batch;
    rocksdb::Status status;
    for (const std::string& key : changes.erase) {
      if (status.ok()) status = batch.Delete(stored_key(table, key));
    }
    for (const Row* row : changes.put) {
      if (status.ok()) status = batch.Put(stored_key(table, row->key), row->value);
    }
    if (status.ok()) status = rocksdb_.database->Write(write_options(), &batch);
    return status.ok() ? Status() : failed("writing first rows", status);
  }

 private:
  const std::string version_ = rocksdb::GetRocksVersionAsString();
  RocksdbShared rocksdb_;
};

OpenedEngine open_kind(Kind kind, const std::string& directory, Runner& runner) {
  auto engine = std::make_unique<RocksdbEngine>(kind, runner);
  if (Status status = engine->open(directory); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace

OpenedEngine open_rocksdb(const std::string& directory, Runner& runner) {
  return open_kind(Kind::pessimistic, directory, runner);
}

OpenedEngine open_rocksdb_optimistic(const std::string& directory, Runner& runner) {
  return open_kind(Kind::optimistic, directory, runner);
}

}  // namespace isolith::anomalies

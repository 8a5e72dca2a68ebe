// AdapterSession and AdapterEngine: what all embedded stores have in common when they run scenarios.
//
// A store is asked without waiting (`try_...`). Where somebody is in the way, the session waits in LockWaits
// and asks again; where the store gives the transaction up, or the wait cannot end well, it is rolled back.
//
// Invariants:
//   1. A session has a number exactly while its transaction is in progress (also while it waits to begin).
//   2. What a store was asked and refused because somebody is in the way has no effect.
//   3. After a conflict nothing of the transaction is left in the store.
//
// Threads: as Engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anomalies/adapters/lock_waits.h"
#include "anomalies/engine.h"
#include "anomalies/runner.h"
#include "isolith/status.h"

namespace isolith::anomalies {

// What a store said.
struct Answer {
  Status status;
  bool in_the_way = false;             // somebody is; `status` says nothing then
  std::vector<std::uint64_t> holders;  // who, as LockWaits wants them

  Answer() = default;
  Answer(Status said) : status(std::move(said)) {}  // NOLINT(google-explicit-constructor)
  static Answer wait_for(std::vector<std::uint64_t> holders) {
    Answer answer;
    answer.in_the_way = true;
    answer.holders = std::move(holders);
    return answer;
  }
};

// What the sessions of an engine share.
struct AdapterShared {
  AdapterShared(Runner& runner, std::vector<EngineLevel> its_levels)
      : waits(runner), levels(std::move(its_levels)) {}

  LockWaits waits;
  const std::vector<EngineLevel> levels;
  std::vector<std::string> table_names;
  std::uint64_t last_transaction = 0;
};

class AdapterSession : public EngineSession {
 public:
  explicit AdapterSession(AdapterShared& shared) : shared_(shared) {}
  AdapterSession(const AdapterSession&) = delete;
  AdapterSession& operator=(const AdapterSession&) = delete;

  Status begin(const BeginOptions& options) final;
  Status get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) final;
  Status put(std::uint32_t table, std::string_view key, std::string_view value) final;
  Status insert(std::uint32_t table, std::string_view key, std::string_view value) final;
  Status erase(std::uint32_t table, std::string_view key) final;
  Status scan(const Target& target, std::vector<Row>& rows) final;
  Status savepoint(std::uint32_t savepoint) final;
  Status rollback_to(std::uint32_t savepoint) final;
  Status commit() final;
  Status abort() final;
  [[nodiscard]] std::uint64_t transaction_id() const noexcept final { return id_; }

 protected:
  // `level` is a place in AdapterShared::levels. Everything else is called only in a transaction that has
  // begun; what writes, and get with a lock, only if it is not read only.
  virtual Answer try_begin(std::size_t level, bool read_only) = 0;
  virtual Answer try_get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) = 0;
  virtual Answer try_put(std::uint32_t table, std::string_view key, std::string_view value) = 0;
  virtual Answer try_insert(std::uint32_t table, std::string_view key, std::string_view value) = 0;
  virtual Answer try_erase(std::uint32_t table, std::string_view key) = 0;
  virtual Answer try_scan(const Target& target, std::vector<Row>& rows) = 0;
  virtual Answer try_commit() = 0;
  // The savepoints of a transaction are counted from 0. Rolling back to one ends those after it.
  virtual Status set_savepoint(std::size_t number) = 0;
  virtual Status roll_back_to(std::size_t number) = 0;
  // Also after a commit that failed or a begin that did not come off, where there may be nothing to do.
  virtual void roll_back() = 0;

  // For destructors of sessions.
  void abort_if_in_progress();

 private:
  template <typename Try>
  Status ask(std::string_view table, std::string_view key, const Try& try_once);
  [[nodiscard]] std::string_view name_of(std::uint32_t table) const { return shared_.table_names[table]; }
  void give_up();
  void end();

  AdapterShared& shared_;
  std::uint64_t id_ = 0;
  bool read_only_ = false;
  std::vector<std::uint32_t> savepoints_;
};

// What has to be done to make a table's rows be others.
struct RowChanges {
  std::vector<std::string> erase;
  std::vector<const Row*> put;

  [[nodiscard]] bool empty() const { return erase.empty() && put.empty(); }
};

class AdapterEngine : public Engine {
 public:
  AdapterEngine(Runner& runner, std::vector<EngineLevel> levels) : shared_(runner, std::move(levels)) {}

  [[nodiscard]] const std::vector<EngineLevel>& levels() const noexcept final { return shared_.levels; }
  Status reset(const std::vector<TableContents>& tables) final;

 protected:
  // From now on there are `count` tables in the store, or more; called when there were fewer.
  virtual Status make_tables(std::size_t count) = 0;
  // In one transaction. The changes are not empty.
  virtual Status change(std::uint32_t table, const RowChanges& changes) = 0;

  AdapterShared shared_;

 private:
  std::size_t made_ = 0;   // tables
  std::vector<Row> rows_;  // scratch
  RowChanges changes_;
};

}  // namespace isolith::anomalies

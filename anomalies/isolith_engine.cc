// Scenarios on isolith, through its public interface alone.
#include "anomalies/isolith_engine.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "isolith/isolith.h"

namespace isolith::anomalies {
namespace {

constexpr std::array kLevels = {
    Isolation::read_uncommitted, Isolation::read_committed,   Isolation::repeatable_read, Isolation::snapshot,
    Isolation::serializable_2pl, Isolation::serializable_ssi, Isolation::serial};

std::string claim_of(Isolation level) {
  switch (level) {
    case Isolation::read_uncommitted:
      return "no dirty writes; reads see whatever is newest";
    case Isolation::read_committed:
      return "no dirty reads; each operation sees what is committed then";
    case Isolation::snapshot:
      return "reads one snapshot; the first of two writers of a key wins";
    case Isolation::repeatable_read:
      return "what was read stays so; rows may appear in a range";
    case Isolation::serializable_2pl:
      return "as one after the other: what was read is locked, ranges too";
    case Isolation::serializable_ssi:
      return "as one after the other: reads a snapshot, and fails where no order is left";
    case Isolation::serial:
      return "one writer at a time";
  }
  return "";
}

Reach reach_of(Isolation level) {
  switch (level) {
    case Isolation::read_uncommitted:
      return {true, true, View::newest};
    case Isolation::read_committed:
      return {true, true, View::committed};
    case Isolation::snapshot:
      return {true, true, View::snapshot};
    case Isolation::serializable_ssi:
      return {};
    case Isolation::repeatable_read:
    case Isolation::serializable_2pl:
      return {true, false, View::locked};
    case Isolation::serial:
      break;  // a begin waits for whoever writes anywhere
  }
  return {};
}

// A level that refuses nothing: no write, and at serializable_ssi no commit.
class Overwriting final : public IsolationPolicy {
 public:
  explicit Overwriting(const IsolationPolicy& level) : level_(level) {}
  [[nodiscard]] std::string_view name() const noexcept override { return level_.name(); }
  [[nodiscard]] ReadView read_view() const noexcept override { return level_.read_view(); }
  [[nodiscard]] ReadLocks read_locks() const noexcept override { return level_.read_locks(); }
  [[nodiscard]] bool runs_alone() const noexcept override { return level_.runs_alone(); }
  [[nodiscard]] WriteRule on_committed_version(const MetVersion& /*met*/) const noexcept override {
    return WriteRule::overwrite;
  }

 private:
  const IsolationPolicy& level_;
};

struct Level {
  std::optional<Isolation> built_in;
  const IsolationPolicy* policy = nullptr;
  Overwriting overwriting;
};

Status over() { return {StatusCode::aborted, "the transaction is over"}; }

// What the sessions share.
struct Shared {
  std::optional<Database> database;
  std::vector<Table> tables;
  std::vector<Level> levels;
  Refusals refusals = Refusals::keep;
};

class Session final : public EngineSession {
 public:
  explicit Session(Shared& shared) : shared_(shared) {}

  Status begin(const BeginOptions& options) override {
    const auto level = std::find_if(shared_.levels.begin(), shared_.levels.end(),
                                    [&](const Level& one) { return one.policy->name() == options.level; });
    if (level == shared_.levels.end()) {
      return {StatusCode::invalid_argument, "isolith has no level of this name"};
    }
    if (options.deferrable && !options.read_only) {
      return {StatusCode::invalid_argument, "isolith lets only a session that is read only be deferrable"};
    }
    TransactionOptions begin_options;
    begin_options.isolation = level->built_in;
    if (!level->built_in) begin_options.policy = level->policy;
    begin_options.read_only = options.read_only;
    begin_options.deferrable = options.deferrable;
    if (shared_.refusals == Refusals::overwrite) begin_options.policy = &level->overwriting;
    Result<Transaction> transaction = shared_.database->begin(begin_options);
    if (!transaction.ok()) return transaction.status();
    transaction_.emplace(*std::move(transaction));
    savepoints_.clear();
    return {};
  }

  Status get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) override {
    if (!transaction_) return over();
    if (lock == ReadLock::share) return transaction_->get_for_share(shared_.tables[table], key, value);
    if (lock == ReadLock::none) return transaction_->get(shared_.tables[table], key, value);
    return transaction_->get_for_update(shared_.tables[table], key, value);
  }

  Status put(std::uint32_t table, std::string_view key, std::string_view value) override {
    return transaction_ ? transaction_->put(shared_.tables[table], key, value) : over();
  }

  Status insert(std::uint32_t table, std::string_view key, std::string_view value) override {
    return transaction_ ? transaction_->insert(shared_.tables[table], key, value) : over();
  }

  Status erase(std::uint32_t table, std::string_view key) override {
    return transaction_ ? transaction_->erase(shared_.tables[table], key) : over();
  }

  Status scan(const Target& target, std::vector<Row>& rows) override {
    rows.clear();
    if (!transaction_) return over();
    KeyRange range{target.lo, {}};
    if (target.hi) range.hi = *target.hi;
    Result<Cursor> cursor = transaction_->cursor(shared_.tables[target.table], range);
    if (!cursor.ok()) return cursor.status();
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      rows.push_back({std::string(cursor->key()), std::string(cursor->value())});
    }
    return cursor->status();
  }

  Status savepoint(std::uint32_t savepoint) override {
    if (!transaction_) return over();
    Result<Savepoint> made = transaction_->savepoint();
    if (!made.ok()) return made.status();
    if (savepoints_.size() <= savepoint) savepoints_.resize(savepoint + 1);
    savepoints_[savepoint] = *made;
    return {};
  }

  Status rollback_to(std::uint32_t savepoint) override {
    if (!transaction_) return over();
    if (savepoint >= savepoints_.size() || !savepoints_[savepoint]) {
      return {StatusCode::invalid_argument, "the savepoint was not made in this transaction"};
    }
    return transaction_->rollback_to(*savepoints_[savepoint]);
  }

  Status commit() override {
    if (!transaction_) return over();
    const Status status = transaction_->commit();
    transaction_.reset();
    return status;
  }

  Status abort() override {
    if (!transaction_) return over();
    const Status status = transaction_->abort();
    transaction_.reset();
    return status;
  }

  [[nodiscard]] std::uint64_t transaction_id() const noexcept override {
    return transaction_ ? transaction_->id() : 0;
  }

 private:
  Shared& shared_;
  std::optional<Transaction> transaction_;
  std::vector<std::optional<Savepoint>> savepoints_;
};

class Isolith final : public IsolithEngine {
 public:
  Isolith(Database database, const std::vector<OwnLevel>& own) {
    shared_.database.emplace(std::move(database));
    for (const Isolation level : kLevels) {
      shared_.levels.push_back({level, &policy_of(level), Overwriting(policy_of(level))});
      levels_.push_back({std::string(to_string(level)), claim_of(level), level == Isolation::serializable_ssi,
                         reach_of(level)});
    }
    // Nothing is known of how its steps commute.
    for (const OwnLevel& level : own) {
      shared_.levels.push_back({std::nullopt, level.policy, Overwriting(*level.policy)});
      levels_.push_back(
          {std::string(level.policy->name()), level.claim, level.policy->tracks_conflicts(), {}});
    }
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "isolith"; }
  [[nodiscard]] std::string_view version() const noexcept override { return version_string(); }
  [[nodiscard]] const std::vector<EngineLevel>& levels() const noexcept override { return levels_; }

  Result<std::unique_ptr<EngineSession>> open_session() override {
    return std::unique_ptr<EngineSession>(std::make_unique<Session>(shared_));
  }

  void set_refusals(Refusals refusals) override { shared_.refusals = refusals; }

  Status reset(const std::vector<TableContents>& tables) override {
    if (Status status = open_tables(tables); !status.ok()) return status;
    Result<Transaction> transaction = shared_.database->begin(Isolation::read_committed);
    if (!transaction.ok()) return transaction.status();
    bool changed = false;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (Status status = restore(*transaction, shared_.tables[i], tables[i].rows, changed); !status.ok()) {
        return status;
      }
    }
    return changed ? transaction->commit() : transaction->abort();
  }

  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    rows.clear();
    Result<Transaction> transaction = shared_.database->begin(Isolation::read_committed);
    if (!transaction.ok()) return transaction.status();
    Result<Cursor> cursor = transaction->cursor(shared_.tables[table]);
    if (!cursor.ok()) return cursor.status();
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      rows.push_back({std::string(cursor->key()), std::string(cursor->value())});
    }
    return cursor->status();
  }

 private:
  Status open_tables(const std::vector<TableContents>& tables) {
    bool same = tables.size() == names_.size();
    for (std::size_t i = 0; same && i < tables.size(); ++i) same = tables[i].name == names_[i];
    if (same) return {};
    names_.clear();
    shared_.tables.clear();
    for (const TableContents& table : tables) {
      Result<Table> opened = shared_.database->ensure_table(table.name);
      if (!opened.ok()) return opened.status();
      shared_.tables.push_back(*opened);
      names_.push_back(table.name);
    }
    return {};
  }

  // Writes only what differs: most runs change a row or two.
  Status restore(Transaction& transaction, const Table& table, const std::vector<Row>& rows, bool& changed) {
    extra_.clear();
    missing_.clear();
    {
      Result<Cursor> cursor = transaction.cursor(table);
      if (!cursor.ok()) return cursor.status();
      cursor->seek_first();
      auto row = rows.begin();
      while (cursor->valid() || row != rows.end()) {
        if (row == rows.end() || (cursor->valid() && cursor->key() < row->key)) {
          extra_.emplace_back(cursor->key());
          cursor->next();
          continue;
        }
        const bool there = cursor->valid() && cursor->key() == row->key;
        if (!there || cursor->value() != row->value) missing_.push_back(&*row);
        if (there) cursor->next();
        ++row;
      }
      if (!cursor->status().ok()) return cursor->status();
    }
    changed = changed || !extra_.empty() || !missing_.empty();
    for (const std::string& key : extra_) {
      if (Status status = transaction.erase(table, key); !status.ok()) return status;
    }
    for (const Row* row : missing_) {
      if (Status status = transaction.put(table, row->key, row->value); !status.ok()) return status;
    }
    return {};
  }

  Shared shared_;
  std::vector<EngineLevel> levels_;
  std::vector<std::string> names_;  // of the tables
  std::vector<std::string> extra_;  // scratch
  std::vector<const Row*> missing_;
};

}  // namespace

Result<std::unique_ptr<IsolithEngine>> open_isolith(Runner& runner, ConflictTest test,
                                                    const std::vector<OwnLevel>& own) {
  Options options;
  options.wait_hook = &runner;
  // Not the youngest: who is younger depends on the order of begins and commits, and the explorer leaves out
  // orders that differ in that alone. Waits it never takes to commute (README-orders.md).
  options.locks.victim = DeadlockVictim::last_to_wait;
  options.locks.conflict_test = test;
  Result<Database> database = Database::open_in_memory(options);
  if (!database.ok()) return std::move(database).status();
  return std::unique_ptr<IsolithEngine>(std::make_unique<Isolith>(*std::move(database), own));
}

}  // namespace isolith::anomalies

// Model: what the public interface promises, as maps: for each table and key all committed versions and what
// the one transaction in progress that has the key locked makes of it.
//
// Invariants:
//   1. A key in progress has one owner; only that transaction changes `current`.
//   2. Commits are numbered from 1 in commit order since the last opening; number 0 is what opening found.
//   3. What a crash leaves is `contents(n)` for some n with durable() <= n <= commits().
//
// The catalog is table 0: names, and ids as their values. Ids are the model's own.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isolith/isolith.h"

namespace isolith::property {

using Value = std::optional<std::string>;  // nothing: the key is not there

struct Version {
  std::uint64_t commit = 0;
  Value value;
};

struct Cell {
  std::vector<Version> versions;  // committed, oldest first; none: it never was there
  std::uint64_t owner = 0;        // the transaction that has it locked
  bool written = false;           // by the owner; otherwise it is only locked
  Value current;                  // the newest, while there is an owner
};

struct ModelTable {
  std::string name;
  std::map<std::string, Cell> cells;
  bool dropped = false;       // for everybody, or never made in the end
  std::uint64_t maker = 0;    // in progress: nobody else can use the table
  std::uint64_t dropper = 0;  // in progress; nobody but this one finds it gone
  std::uint64_t holder = 0;   // who has it alone, to its end: it dropped it, or rolled back over that
  std::uint64_t changes = 0;
  std::map<std::uint64_t, std::uint64_t> changes_by;  // transaction
};

// A handle of a table, of an opening of the database; 0: it names nothing.
struct Handle {
  std::uint64_t opening = 0;
  std::uint64_t table = 0;
};

// What a call answers. `number` is a count or the id of a table.
struct Answer {
  StatusCode code = StatusCode::ok;
  Value value;
  std::uint64_t number = 0;
};

struct Undo {
  enum class What : std::uint8_t { row, create, drop } what = What::row;
  std::uint64_t table = 0;
  std::string key;
  bool written = false;
  Value current;
};

struct ModelTransaction {
  bool active = true;
  bool newest = false;  // reads what is not committed, too
  bool read_only = false;
  Durability durability = Durability::sync;
  bool has_id = false;
  std::uint64_t seen = 0;  // the newest commit that it has read
  std::vector<Undo> undo;
  std::vector<std::pair<std::uint64_t, std::size_t>> savepoints;  // number, size of `undo`
  std::set<std::pair<std::uint64_t, std::string>> locks;
  std::set<std::uint64_t> uses;  // tables that it has written to, or tried
};

// What a transaction had to wait for last.
struct Wait {
  std::string table;
  std::string key;
  std::set<std::uint64_t> holders;
};

using Contents = std::map<std::string, std::map<std::string, std::string>>;

class Model {
 public:
  Model() { open(); }

  // ---- the database's life ----
  void close();  // all that is in progress is aborted
  void open();
  void crash(std::uint64_t commits);  // so many survived
  void make_durable() { durable_ = commits_; }
  [[nodiscard]] std::uint64_t durable() const { return durable_; }
  [[nodiscard]] std::uint64_t commits() const { return commits_; }
  [[nodiscard]] std::uint64_t opening() const { return opening_; }
  [[nodiscard]] Contents contents(std::uint64_t commits) const;
  [[nodiscard]] DatabaseStats stats() const;
  [[nodiscard]] VerifyReport verify() const;

  // ---- transactions ----
  std::uint64_t begin(const TransactionOptions& options);
  [[nodiscard]] const ModelTransaction& transaction(std::uint64_t id) const { return transactions_.at(id); }
  Answer commit(std::uint64_t id);
  Answer abort(std::uint64_t id);
  Answer savepoint(std::uint64_t id);  // its number
  Answer rollback_to(std::uint64_t id, std::uint64_t owner, std::uint64_t savepoint);

  Answer get(std::uint64_t id, const Handle& table, const std::string& key);
  Answer get_for_update(std::uint64_t id, const Handle& table, const std::string& key);
  Answer put(std::uint64_t id, const Handle& table, const std::string& key, std::string value);
  Answer insert(std::uint64_t id, const Handle& table, const std::string& key, std::string value);
  Answer erase(std::uint64_t id, const Handle& table, const std::string& key);
  Answer append(std::uint64_t id, const Handle& table, const std::string& key, const std::string& piece);
  Answer erase_range(std::uint64_t id, const Handle& table, const std::string& lo,
                     const std::optional<std::string>& hi);

  Answer open_table(std::uint64_t id, const std::string& name);
  Answer create_table(std::uint64_t id, const std::string& name);
  Answer ensure_table(std::uint64_t id, const std::string& name);
  Answer drop_table(std::uint64_t id, const Handle& table);

  // ---- for cursors: see world_cursors.cc ----
  Answer check_cursor(std::uint64_t id, const Handle& table, const std::string& lo,
                      const std::optional<std::string>& hi) const;
  [[nodiscard]] const ModelTable& table(std::uint64_t id) const { return tables_.at(id); }
  // What the transaction sees of the cell; of what others committed only up to commit `as_of`.
  [[nodiscard]] const Value& visible(std::uint64_t id, const Cell& cell, std::uint64_t as_of) const;
  // The transaction has looked at the cell: what it sees there must be durable when its commit is.
  void look_at(std::uint64_t id, const Cell& cell, std::uint64_t as_of);
  // How often others than the transaction have changed the table.
  [[nodiscard]] std::uint64_t foreign_changes(std::uint64_t id, std::uint64_t table) const;
  [[nodiscard]] bool is_usable(std::uint64_t id, std::uint64_t table) const;

  // Whether another transaction has the name of the table locked.
  [[nodiscard]] bool is_name_locked(const std::string& name) const;
  [[nodiscard]] const Wait& last_wait() const { return last_wait_; }

 private:
  static constexpr std::uint64_t kCatalog = 0;

  StatusCode refuse(std::uint64_t id, const Handle* table, bool writes,
                    std::initializer_list<std::string_view> keys) const;
  // The cell for writing, locked; null when another transaction has it: the transaction is then over.
  void wait(std::uint64_t id, Wait what);
  Cell* lock(std::uint64_t id, std::uint64_t table, const std::string& key);
  void write(std::uint64_t id, std::uint64_t table, const std::string& key, Value value);
  void changed(std::uint64_t id, std::uint64_t table);
  void undo_to(std::uint64_t id, std::size_t size);
  void finish(ModelTransaction& transaction);
  void forget_if_unused(std::uint64_t table, const std::string& key);

  std::map<std::uint64_t, ModelTable> tables_;
  std::map<std::uint64_t, ModelTransaction> transactions_;
  std::uint64_t next_table_ = 1;
  std::uint64_t next_transaction_ = 1;
  std::uint64_t next_savepoint_ = 1;
  std::uint64_t opening_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t durable_ = 0;
  std::uint64_t aborts_ = 0;
  std::uint64_t waits_ = 0;
  Wait last_wait_;
};

}  // namespace isolith::property

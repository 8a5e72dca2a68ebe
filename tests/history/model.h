// Model: the reference for concurrent histories, written to be read: for each key all committed versions with
// their commit numbers, for each transaction its snapshot, its own writes and its write locks.
//
// What each level promises is said in three places: `as_of` (what a read sees), `lock` (what a write meets)
// and `commit`. Everything comes from include/isolith; where that leaves two answers open the model takes
// the engine's (`Doubt`).
//
// Invariants:
//   1. A key has at most one owner: the active transaction that has it locked.
//   2. `writes` of a transaction are keys that it owns.
//   3. Commit numbers grow; number 0 is before everything.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "isolith/status.h"
#include "tests/history/history.h"

namespace isolith::history {

using Value = std::optional<std::string>;      // nothing: the key is not there
using Key = std::pair<unsigned, std::string>;  // table, key
using Rows = std::vector<std::pair<std::string, std::string>>;

// A call that may have to wait: made once, carried out in one or several goes.
struct Call {
  Kind kind = Kind::put;
  Key key;
  std::string value;
  std::optional<std::string> hi;  // of a range that begins at `key`
  // What is left of an erase_range, and how many it has erased.
  bool begun = false;
  std::vector<Key> left;
  std::uint64_t erased = 0;
};

// What a call answers, or whom it waits for.
struct Answer {
  StatusCode code = StatusCode::ok;
  ConflictReason reason = ConflictReason::none;
  Value value = {};
  std::uint64_t number = 0;
  std::uint64_t waits_for = 0;  // a transaction; 0: it has an answer
  Key waits_at = {};
};

// Whether a key that a committed transaction left as it was, with a lock that a rollback to a savepoint kept,
// counts as changed.
enum class Doubt : std::uint8_t { unchanged, changed };

class Model {
 public:
  // ---- transactions; numbers are the model's own, from 1 ----
  std::uint64_t begin(Level level);
  Answer commit(std::uint64_t id);
  Answer abort(std::uint64_t id);
  Answer savepoint(std::uint64_t id);  // its number
  Answer rollback_to(std::uint64_t id, std::uint64_t number);
  [[nodiscard]] bool is_active(std::uint64_t id) const { return transactions_.at(id).active; }
  [[nodiscard]] Level level(std::uint64_t id) const { return transactions_.at(id).level; }
  // All that is in progress is aborted.
  void close();

  // ---- writes. The transaction is over after a conflict ----
  // `deadlocked`: the engine has failed the call for a deadlock; of a circle it may choose any member.
  Answer carry_out(std::uint64_t id, Call& call, Doubt doubt, bool deadlocked = false);
  // The call that was just carried out waits.
  void wait(std::uint64_t id) { waits_[id] = pending_; }
  void stop_waiting(std::uint64_t id) { waits_.erase(id); }
  // No circle of waits is left of which nobody was failed.
  [[nodiscard]] bool has_circles() const { return !circles_.empty(); }

  // ---- reads ----
  [[nodiscard]] Answer get(std::uint64_t id, const Key& key) const;
  // The commit number that a read, or a cursor that is opened, reads from.
  [[nodiscard]] std::uint64_t as_of(std::uint64_t id) const;
  // What the transaction sees of [lo, hi) of a table, in order.
  [[nodiscard]] Rows rows(std::uint64_t id, std::uint64_t as_of, const Key& lo,
                          const std::optional<std::string>& hi) const;
  // How often others have changed the table, also by taking changes back.
  [[nodiscard]] std::uint64_t foreign_changes(std::uint64_t id, unsigned table) const;
  // Whether anybody ever put this value there.
  [[nodiscard]] bool was_ever(const Key& key, const std::string& value) const;

  // ---- the whole ----
  [[nodiscard]] Rows committed(unsigned table) const;
  // The transaction that has the key locked; 0: nobody.
  [[nodiscard]] std::uint64_t owner(const Key& key) const;
  [[nodiscard]] bool is_foreign(std::uint64_t id, const Key& lo, const std::optional<std::string>& hi) const;

 private:
  struct Version {
    std::uint64_t commit = 0;
    Value value;
  };
  // What a savepoint brings back. `touched`: written, or locked by get_for_update.
  struct Work {
    std::map<Key, Value> writes;
    std::set<Key> touched;
  };
  struct Transaction {
    Level level = Level::read_committed;
    bool active = true;
    std::uint64_t snapshot = 0;  // the newest commit when it began
    Work work;
    std::set<Key> locks;
    std::vector<std::pair<std::uint64_t, Work>> savepoints;
  };

  // Who is in the way: the owner of the key, or, softly, who stands before one in its line.
  struct Edge {
    std::uint64_t to = 0;
    bool soft = false;
  };
  struct Waiting {
    Key key;
    std::vector<Edge> edges;
  };
  struct Step {
    std::uint64_t id = 0;
    Edge edge;
  };

  // What a write meets in the row, or nothing; and what it meets in the line. Neither takes a lock.
  std::optional<Answer> meet(std::uint64_t id, const Key& key, Doubt doubt);
  std::optional<Answer> stand_in_line(std::uint64_t id, const Key& key, Doubt doubt);
  [[nodiscard]] bool can_only_fail(std::uint64_t id, const Key& key, Doubt doubt) const;
  bool find_circle(std::uint64_t from, std::uint64_t at, const std::vector<Edge>& edges,
                   std::set<std::uint64_t>& seen, std::vector<Step>& path) const;
  bool opens_softly(std::uint64_t id, const std::vector<Step>& circle);
  void leave_line(std::uint64_t id);
  Answer fail(std::uint64_t id, ConflictReason reason);
  Answer write(std::uint64_t id, const Call& call, const Key& key, Doubt doubt);
  Answer erase_range(std::uint64_t id, Call& call, Doubt doubt);
  [[nodiscard]] Value newest_committed(const Key& key, std::uint64_t as_of) const;
  [[nodiscard]] Value visible(std::uint64_t id, const Key& key, std::uint64_t as_of) const;
  void own(std::uint64_t id, const Key& key);
  void end(std::uint64_t id);
  void changed(std::uint64_t id, const std::map<Key, Value>& writes);

  std::uint64_t commits_ = 0;
  std::map<Key, std::vector<Version>> versions_;  // oldest first
  std::map<Key, std::uint64_t> changed_;          // by which commit last
  std::map<Key, std::uint64_t> in_doubt_;         // see Doubt
  std::map<Key, std::uint64_t> owners_;
  std::map<std::uint64_t, Transaction> transactions_;
  std::map<std::uint64_t, Waiting> waits_;
  Waiting pending_;                                    // of the call that was carried out last
  bool deadlocked_ = false;
  std::map<Key, std::vector<std::uint64_t>> lines_;    // who waits to write a key, in order
  std::set<std::uint64_t> passes_;                     // need not keep their place in line
  std::vector<std::set<std::uint64_t>> circles_;       // one of each is failed next
  std::map<std::pair<unsigned, std::uint64_t>, std::uint64_t> changes_;  // of a table, by a transaction
  std::map<unsigned, std::uint64_t> changes_of_all_;
  std::set<std::pair<Key, std::string>> ever_;
};

}  // namespace isolith::history

// Isolation levels, and the rules that a level is made of.
//
// All levels share one store and one write path; a level is a handful of rules about reading and committing.
// The built-in ones implement `IsolationPolicy` and nothing else, and so may a program: an object of its own
// class given in `TransactionOptions::policy` is a level.
//
// Threads: policies are shared by all transactions of a level; every member is const and must be safe to call
// from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace isolith {

enum class Isolation : std::uint8_t {
  read_uncommitted,  // a read sees the newest version, committed or not
  read_committed,    // a read sees what was committed when the operation began (a cursor: when it was opened)
  snapshot,          // a read sees what was committed when the transaction began; a write of what another
                     // transaction changed and committed since fails with conflict/write_conflict
  repeatable_read,   // a read sees what is committed and locks each key that it reads, to the end; rows may
                     // appear in a range that was read (phantoms)
  serializable_2pl,  // strict two-phase locking: ranges are locked, too, exactly as far as they were read
  serializable_ssi,  // a snapshot, and a transaction fails with conflict/serialization where it and others
                     // that committed are as in no serial order
  serial,            // runs alone among writers: it begins when nobody writes, and nobody does until it ends

  serializable = serializable_ssi,
};

std::string_view to_string(Isolation level) noexcept;

// "read_committed" -> Isolation::read_committed; nothing for an unknown name.
std::optional<Isolation> parse_isolation(std::string_view name) noexcept;

// What a read locks, to the end of the transaction, against writers. It waits for who is writing there.
enum class ReadLocks : std::uint8_t {
  none,
  keys,    // each key that is read, there or not
  ranges,  // and what lies between the rows of a cursor
};

// What a read may see. Its own writes are always seen.
enum class ReadView : std::uint8_t {
  newest,            // also what is not committed
  newest_committed,  // committed when the operation begins
  snapshot,          // committed when the transaction begins
};

// A write met a version that another transaction committed. `snapshot_ts` is 0 where `read_view` is not
// `snapshot`. A `commit_ts` of 0 is before every snapshot.
struct MetVersion {
  std::uint64_t commit_ts = 0;    // when the version was committed
  std::uint64_t snapshot_ts = 0;  // what the writing transaction reads from
};

// What to do when a write meets a newer committed version.
enum class WriteRule : std::uint8_t { overwrite, conflict };

class IsolationPolicy {
 public:
  virtual ~IsolationPolicy() = default;

  // A stable lower-case name, shown in reports. Called while locks are held: no blocking, no calls into the
  // database.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;

  [[nodiscard]] virtual ReadView read_view() const noexcept = 0;

  [[nodiscard]] virtual ReadLocks read_locks() const noexcept { return ReadLocks::none; }

  // Whether what it reads is remembered, and it fails rather than commit where no serial order is left
  // (serializable snapshot isolation). Needs the view `snapshot`, and `conflict` where a write meets a
  // version that is newer than that.
  [[nodiscard]] virtual bool tracks_conflicts() const noexcept { return false; }

  // Whether `begin` waits until no other transaction writes, and no other one may write before its end.
  [[nodiscard]] virtual bool runs_alone() const noexcept { return false; }

  // Called under a page latch: no blocking, no calls into the database.
  [[nodiscard]] virtual WriteRule on_committed_version(const MetVersion& met) const noexcept = 0;
};

// The built-in policy of a level; lives as long as the process.
const IsolationPolicy& policy_of(Isolation level) noexcept;

}  // namespace isolith

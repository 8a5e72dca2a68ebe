// Mutants: deliberate faults in the isolation levels, which the anomaly suite must catch. They exist only in
// the objects that tests/mutants/ builds for itself with ISOLITH_MUTANTS; everywhere else `is_mutant` is
// false for the compiler and nothing is left of them.
//
// Threads: the choice is made while no transaction is in progress.
#pragma once

#include <atomic>
#include <cstdint>

namespace isolith::base {

enum class Mutant : std::uint8_t {
  none,
  snapshot_too_late,         // a snapshot is taken anew for each operation
  cursor_snapshot_too_late,  // ... for each cursor
  snapshot_one_commit_on,    // a snapshot sees one commit more than it may
  dirty_read,                // a read sees what is not committed
  statement_snapshot_kept,   // read_committed reads from when the transaction began
  own_write_unseen,          // a read does not see what its own transaction wrote
  dirty_write,               // a write does not wait for the one before
  write_conflict_missed,     // at snapshot a write goes over what was committed since
  locking_read_unlocked,     // get_for_update takes no lock
  insert_overwrites,         // insert does not look whether the key is there
  erase_lost,                // an erased key comes back
  abort_keeps_writes,        // what an aborted transaction wrote stays
  savepoint_keeps_writes,    // what was written since a savepoint stays
  savepoint_drops_locks,     // rolling back to a savepoint gives up the locks taken since
  deadlock_missed,           // a wait that closes a cycle begins
  range_lock_missing,        // a cursor locks no range
  range_short_at_low_end,    // a range begins one key late
  range_short_at_high_end,   // a range ends with the last row in it
  range_ignored_by_writers,  // a write does not look at ranges
  absent_key_unlocked,       // a key that was read and is not there is not locked
  read_lock_dropped_early,   // a read lock is given up at the next one
  savepoint_drops_reads,     // rolling back to a savepoint gives up read locks
  upgrade_jumps_queue,       // who has read a key writes it before the other readers have ended
  wake_up_lost,              // who waits for a transaction does not hear that it has ended
  serial_not_alone,          // `serial` does not wait for other writers
  tracked_read_missing,      // a read of a key is not remembered
  tracked_range_missing,     // nor what a cursor reads
  tracked_range_late,        // what a cursor reads is remembered from one key late on
  newer_version_unnoticed,   // a reader does not note who wrote over what it read
  reader_untold,             // a writer does not tell those who have read what it writes over
  marks_dropped_at_commit,   // what a transaction has read is forgotten when it commits
  pivot_forgotten,           // that a committed transaction came before one that had committed is forgotten
  writer_taken_for_reader,   // what is true of those that only read is taken for true of all
  locked_reads_untold,       // what a locking level has read is not told to the others
  reads_from_unseen,         // a circle is not seen where one reads what another wrote
  reader_not_kept,           // what one has read that only reads is forgotten when it commits
  last_read_unmarked,        // what was read last is not remembered when a transaction goes on
  suspicion_unheeded,        // one that only reads commits though somebody is suspected
  safe_too_early,            // a snapshot is taken for safe while those that decide about it are active
  test_before_commit,        // whether a circle is closed is asked before the commit
};

#ifdef ISOLITH_MUTANTS
inline std::atomic<Mutant> active_mutant{Mutant::none};
inline bool is_mutant(Mutant mutant) { return active_mutant.load(std::memory_order_relaxed) == mutant; }
#else
constexpr bool is_mutant(Mutant /*mutant*/) { return false; }
#endif

}  // namespace isolith::base

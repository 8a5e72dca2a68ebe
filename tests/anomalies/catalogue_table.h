// What the literature says of each entry of the catalogue at each level that isolith has: whether its anomaly
// can happen. Written from the sources by hand, never from a run.
//
// Sources:
//   Hermitage     the table of README.md at github.com/ept/hermitage: the rows "MySQL/InnoDB" and "MS SQL
//                 Server read uncommitted" for read_uncommitted, "PostgreSQL read committed" for
//                 read_committed, "PostgreSQL repeatable read" (that is snapshot isolation) for snapshot;
//                 sqlserver.md's tests of the locking levels "repeatable read" and "serializable" for
//                 repeatable_read and serializable_2pl
//   Adya          "Weak Consistency" (1999), chapters 3 and 4: PL-1 is no G0; PL-2 is no G0, G1a, G1b, G1c;
//                 snapshot isolation is PL-SI: PL-2 and no G-SIa, G-SIb (so no G-single, no lost update);
//                 repeatable_read is PL-2.99: no G1, no G2-item, and so every cycle goes over a predicate;
//                 serializable_2pl, serializable_ssi and serial are PL-3: no G1, no G2, so nothing that is no
//                 serial history (of serializable snapshot isolation Cahill, Röhm, Fekete, 2008, show it)
//   Berenson      "A Critique of ANSI SQL Isolation Levels" (1995), table 4: P0 to P4, A5A (read skew) and
//                 A5B (write skew) by level
//   isolation.md  docs/isolation.md, "What a read sees" and "What a write does"
#pragma once

#include <array>
#include <string_view>

namespace isolith::anomalies {

enum class Allowed : bool { no, yes };

struct TableRow {
  std::string_view entry;
  Allowed read_uncommitted;
  Allowed read_committed;
  Allowed repeatable_read;
  Allowed snapshot;
  Allowed serializable_2pl;
  Allowed serializable_ssi;
  Allowed serial;
};

inline constexpr Allowed yes = Allowed::yes;
inline constexpr Allowed no = Allowed::no;

inline constexpr auto kTable = std::to_array<TableRow>({
    // In the last three columns there is a yes only where sessions name levels of their own: PL-3.

    // Dirty writes. Hermitage, G0: prevented at each level. Adya: G0 is what PL-1 proscribes. Berenson: P0 is
    // "not possible" at degree 1 and above.
    {"g0", no, no, no, no, no, no, no},
    {"dirty_write", no, no, no, no, no, no, no},
    {"listing_and_invoice", no, no, no, no, no, no, no},

    // Dirty reads. Hermitage, G1a, G1b, G1c: only at read uncommitted. Adya: PL-2 proscribes G1.
    {"g1a", yes, no, no, no, no, no, no},
    {"g1b", yes, no, no, no, no, no, no},
    {"g1c", yes, no, no, no, no, no, no},

    // Hermitage, OTV: only at read uncommitted (MySQL, SQL Server). Bailis et al. (2014): read committed that
    // reads committed versions in one moment is monotonic atomic view.
    {"otv", yes, no, no, no, no, no, no},

    // Phantoms. Hermitage, sqlserver.md: repeatable read does not prevent PMP for read predicates, where a
    // row is inserted, and prevents it for rows that are there; Berenson, table 4: P3 is possible at locking
    // repeatable read. So at repeatable_read a row may appear and none disappear. Hermitage, PMP, for reads
    // and for write predicates: not prevented by PostgreSQL's read committed, prevented by its repeatable
    // read. Berenson: P3 is "sometimes possible" at snapshot, but only as a constraint over a range that is
    // broken; A3, a range that is read twice, is not possible.
    {"pmp", yes, yes, yes, no, no, no, no},
    {"pmp_write", yes, yes, no, no, no, no, no},
    {"phantom_appears", yes, yes, yes, no, no, no, no},
    {"phantom_between_absent_keys", yes, yes, yes, no, no, no, no},
    {"range_begins", yes, yes, yes, yes, no, no, no},
    {"range_ends", no, no, no, no, no, no, no},  // isolation.md: the end of a range is not in it
    {"phantom_disappears", yes, yes, no, no, no, no, no},

    // Lost updates. Berenson, table 4: of P4, A5A and A5B, which follow here, locking repeatable read allows
    // none (it allows P3 alone); P4 is possible at read committed, and P4C too, since nothing here is cursor
    // stability; neither is at snapshot, where the first committer wins. Hermitage, P4: read committed allows
    // it, PostgreSQL's repeatable read does not. isolation.md: also where the key was not there or is erased.
    {"p4", yes, yes, no, no, no, no, no},
    {"cursor_lost_update", yes, yes, no, no, no, no, no},
    {"upgrade_deadlock", yes, yes, no, no, no, no, no},
    {"counter", yes, yes, no, no, no, no, no},
    {"user_name", yes, yes, no, no, no, no, no},
    {"erased_key_comes_back", yes, yes, no, no, no, no, no},

    // Read skew. Hermitage, G-single: with dependencies on predicates, and on a write predicate, all of them
    // prevented by PostgreSQL's repeatable read and not by read committed. Berenson: A5A; P2 for the
    // unrepeatable read.
    {"g_single", yes, yes, no, no, no, no, no},
    {"g_single_dependency", yes, yes, no, no, no, no, no},
    {"g_single_write_predicate_1", yes, yes, no, no, no, no, no},
    {"g_single_write_predicate_2", yes, yes, no, no, no, no, no},
    {"unrepeatable_read", yes, yes, no, no, no, no, no},
    {"long_report", yes, yes, no, no, no, no, no},
    {"transfer_during_backup", yes, yes, no, no, no, no, no},

    // Write skew. Hermitage, G2-item: not prevented by PostgreSQL's repeatable read. Berenson: A5B is
    // possible at snapshot; the overdraft is their H5.
    {"g2_item", yes, yes, no, yes, no, no, no},
    {"write_skew_absent", yes, yes, no, yes, no, no, no},
    {"write_skew_old_read", no, no, no, yes, no, no, no},  // in that order only a snapshot shows the past
    {"savepoint_keeps_read_locks", yes, yes, no, yes, no, no, no},
    {"overdraft", yes, yes, no, yes, no, no, no},

    // Write skew over ranges. Hermitage, sqlserver.md: repeatable read does not prevent G2, where rows are
    // inserted; where the rows are there it is G2-item, which PL-2.99 proscribes. Hermitage, G2, and with two
    // anti-dependency edges: only serializable prevents it. Cahill, Röhm, Fekete (2008): the doctors.
    // Kleppmann, "Designing Data-Intensive Applications" (2017), chapter 7: the meeting room.
    {"g2", yes, yes, yes, yes, no, no, no},
    {"g2_two_edges", yes, yes, no, yes, no, no, no},
    {"doctors_on_call", yes, yes, no, yes, no, no, no},
    {"meeting_room", yes, yes, yes, yes, no, no, no},

    // Fekete, O'Neil, O'Neil, "A Read-Only Transaction Anomaly Under Snapshot Isolation" (2004). Ports and
    // Grittner, "Serializable Snapshot Isolation in PostgreSQL" (2012), 2.1.2: the batch.
    {"read_only_anomaly", yes, yes, no, yes, no, no, no},
    {"read_only_anomaly_late", yes, yes, no, yes, no, no, no},
    {"read_only_anomaly_writing", yes, yes, no, yes, no, no, no},
    {"read_only_anomaly_ranges", yes, yes, no, yes, no, no, no},
    {"batch_with_receipts", yes, yes, no, yes, no, no, no},

    // The fixes. isolation.md: get_for_update and update lock before they read, insert locks before it looks,
    // so that what is decided by such a read cannot change before the end of the transaction, at any level.
    {"lost_update_get_for_update", no, no, no, no, no, no, no},
    {"write_skew_get_for_update", no, no, no, no, no, no, no},
    {"meeting_room_materialised", no, no, no, no, no, no, no},
    {"counter_atomic_update", no, no, no, no, no, no, no},
    {"user_name_insert", no, no, no, no, no, no, no},
    {"listing_sold_once", no, no, no, no, no, no, no},
    {"receipts_batch_locked", no, no, no, no, no, no, no},

    {"get_for_share_keeps", no, no, no, no, no, no, no},

    // Adya, 5.3 (mixing of levels): each transaction gets what its own level proscribes, and no more. The
    // sessions have levels of their own, whatever the column says.
    {"mixed_levels_lost_update", yes, yes, yes, yes, yes, yes, yes},
    {"mixed_doctors_observer", no, no, no, no, no, no, no},
    {"mixed_read_only_at_2pl", no, no, no, no, no, no, no},
    {"mixed_read_only_at_snapshot", yes, yes, yes, yes, yes, yes, yes},
    {"mixed_read_only_deferrable", no, no, no, no, no, no, no},
    {"mixed_write_skew_2pl", no, no, no, no, no, no, no},
    {"mixed_write_skew_serial", no, no, no, no, no, no, no},
    {"mixed_write_skew_snapshot", yes, yes, yes, yes, yes, yes, yes},

    // Atomicity and locks, which no level gives up. Gray et al. (1976), degree 1: a transaction's writes are
    // not undone by another one, and its write locks are held to its end. isolation.md: "holds it to the end
    // of the transaction", and a wait that would never end is a conflict.
    {"abort_leaves_nothing", no, no, no, no, no, no, no},
    {"rollback_leaves_nothing", no, no, no, no, no, no, no},
    {"erase_stays", no, no, no, no, no, no, no},
    {"savepoint_keeps_locks", no, no, no, no, no, no, no},
    {"deadlock_of_transfers", no, no, no, no, no, no, no},
    {"transfers_in_order", no, no, no, no, no, no, no},
});

}  // namespace isolith::anomalies

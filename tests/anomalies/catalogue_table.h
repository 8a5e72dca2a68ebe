// What the literature says of each entry of the catalogue at each level that isolith has: whether its anomaly
// can happen. Written from the sources by hand, never from a run.
//
// Sources:
//   Hermitage     the table of README.md at github.com/ept/hermitage: the rows "MySQL/InnoDB" and "MS SQL
//   Server
//                 read uncommitted" for read_uncommitted, "PostgreSQL read committed" for read_committed,
//                 "PostgreSQL repeatable read" (that is snapshot isolation) for snapshot
//   Adya          "Weak Consistency" (1999), chapters 3 and 4: PL-1 is no G0; PL-2 is no G0, G1a, G1b, G1c;
//                 snapshot isolation is PL-SI: PL-2 and no G-SIa, G-SIb (so no G-single, no lost update)
//   Berenson      "A Critique of ANSI SQL Isolation Levels" (1995), table 4: P0 to P4, A5A (read skew) and
//   A5B
//                 (write skew) by level
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
  Allowed snapshot;
};

inline constexpr Allowed yes = Allowed::yes;
inline constexpr Allowed no = Allowed::no;

inline constexpr auto kTable = std::to_array<TableRow>({
    // Dirty writes. Hermitage, G0: prevented at each level. Adya: G0 is what PL-1 proscribes. Berenson: P0 is
    // "not possible" at degree 1 and above.
    {"g0", no, no, no},
    {"dirty_write", no, no, no},
    {"listing_and_invoice", no, no, no},

    // Dirty reads. Hermitage, G1a, G1b, G1c: only at read uncommitted. Adya: PL-2 proscribes G1.
    {"g1a", yes, no, no},
    {"g1b", yes, no, no},
    {"g1c", yes, no, no},

    // Hermitage, OTV: only at read uncommitted (MySQL, SQL Server). Bailis et al. (2014): read committed that
    // reads committed versions in one moment is monotonic atomic view.
    {"otv", yes, no, no},

    // Phantoms. Hermitage, PMP, for reads and for write predicates: not prevented by PostgreSQL's read
    // committed, prevented by its repeatable read. Berenson: P3 is "sometimes possible" at snapshot, but only
    // as a constraint over a range that is broken; A3, a range that is read twice, is not possible.
    {"pmp", yes, yes, no},
    {"pmp_write", yes, yes, no},
    {"phantom_appears", yes, yes, no},
    {"phantom_disappears", yes, yes, no},

    // Lost updates. Hermitage, P4: read committed allows it, PostgreSQL's repeatable read does not. Berenson:
    // P4 is possible at read committed; P4C too, since nothing here is cursor stability; neither is at
    // snapshot,
    // where the first committer wins. isolation.md: also where the key was not there, or is erased.
    {"p4", yes, yes, no},
    {"cursor_lost_update", yes, yes, no},
    {"counter", yes, yes, no},
    {"user_name", yes, yes, no},
    {"erased_key_comes_back", yes, yes, no},

    // Read skew. Hermitage, G-single: with dependencies on predicates, and on a write predicate, all of them
    // prevented by PostgreSQL's repeatable read and not by read committed. Berenson: A5A; P2 for the
    // unrepeatable read.
    {"g_single", yes, yes, no},
    {"g_single_dependency", yes, yes, no},
    {"g_single_write_predicate_1", yes, yes, no},
    {"g_single_write_predicate_2", yes, yes, no},
    {"unrepeatable_read", yes, yes, no},
    {"long_report", yes, yes, no},
    {"transfer_during_backup", yes, yes, no},

    // Write skew. Hermitage, G2-item: not prevented by PostgreSQL's repeatable read. Berenson: A5B is
    // possible
    // at snapshot; the overdraft is their H5.
    {"g2_item", yes, yes, yes},
    {"write_skew_absent", yes, yes, yes},
    {"overdraft", yes, yes, yes},

    // Write skew over ranges. Hermitage, G2, and with two anti-dependency edges: only serializable prevents
    // it.
    // Cahill, Röhm, Fekete (2008): the doctors. Kleppmann, "Designing Data-Intensive Applications" (2017),
    // chapter 7: the meeting room.
    {"g2", yes, yes, yes},
    {"g2_two_edges", yes, yes, yes},
    {"doctors_on_call", yes, yes, yes},
    {"meeting_room", yes, yes, yes},

    // Fekete, O'Neil, O'Neil, "A Read-Only Transaction Anomaly Under Snapshot Isolation" (2004). Ports and
    // Grittner, "Serializable Snapshot Isolation in PostgreSQL" (2012), 2.1.2: the batch.
    {"read_only_anomaly", yes, yes, yes},
    {"read_only_anomaly_writing", yes, yes, yes},
    {"read_only_anomaly_ranges", yes, yes, yes},
    {"batch_with_receipts", yes, yes, yes},

    // The fixes. isolation.md: get_for_update and update lock before they read, insert locks before it looks,
    // so that what is decided by such a read cannot change before the end of the transaction, at any level.
    {"lost_update_get_for_update", no, no, no},
    {"write_skew_get_for_update", no, no, no},
    {"meeting_room_materialised", no, no, no},
    {"counter_atomic_update", no, no, no},
    {"user_name_insert", no, no, no},
    {"listing_sold_once", no, no, no},
    {"receipts_batch_locked", no, no, no},

    // Atomicity and locks, which no level gives up. Gray et al. (1976), degree 1: a transaction's writes are
    // not
    // undone by another one, and its write locks are held to its end. isolation.md: "holds it to the end of
    // the
    // transaction", and a wait that would never end is a conflict.
    {"abort_leaves_nothing", no, no, no},
    {"rollback_leaves_nothing", no, no, no},
    {"erase_stays", no, no, no},
    {"savepoint_keeps_locks", no, no, no},
    {"deadlock_of_transfers", no, no, no},
    {"transfers_in_order", no, no, no},
});

}  // namespace isolith::anomalies

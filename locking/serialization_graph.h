// SerializationGraph: which transaction has to come before which, among those that are tracked: the ones of
// the level serializable_ssi, and those of other levels that touch what they read.
//
// An edge from A to B says that A comes before B in every serial order: B read what A wrote (wr), B wrote
// over what A wrote (ww), or B wrote over what A read (rw). A transaction commits if no circle is closed by
// transactions that have committed. Looking for that circle and becoming "committed" is one step, under the
// graph's mutex, and so is each new edge.
//
// Invariants (README.md argues for them):
//   1. Every edge between tracked transactions is here before the later of the two operations has returned.
//   2. Of committed transactions there is no circle.
//   3. A committed transaction is forgotten once nobody who began before its end is active and no edge leads
//      to it: then it is part of no circle to come.
//   4. What is not known exactly (who is not tracked, or was forgotten for memory's sake) counts as an edge.
//
// Latch order: leaf latch > bucket of marks, table's mutex > this mutex. Marks are given up without it.
//
// Threads: any; one at a time for one transaction.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "locking/key_locks.h"
#include "locking/owner.h"
#include "locking/table_locks.h"

namespace isolith::locking {

enum class Dependency : std::uint8_t { wr, ww, rw };

struct Tracked;

struct Edge {
  boost::intrusive::list_member_hook<> in_from;
  boost::intrusive::list_member_hook<> in_to;
  Tracked* from = nullptr;
  Tracked* to = nullptr;
  Dependency kind = Dependency::rw;
  const TableLocks* table = nullptr;
  std::string key;
};

// A transaction in the graph. It outlives its slot.
struct Tracked : Reader {
  using Out = boost::intrusive::list<
      Edge, boost::intrusive::member_hook<Edge, boost::intrusive::list_member_hook<>, &Edge::in_from>>;
  using In = boost::intrusive::list<
      Edge, boost::intrusive::member_hook<Edge, boost::intrusive::list_member_hook<>, &Edge::in_to>>;

  boost::intrusive::list_member_hook<> in_list;  // of those in progress, or those that ended
  std::atomic<std::uint64_t> number{0};          // as reports name it
  std::string label;
  std::string_view level;
  TransactionId writer{};       // none: it has not written
  std::uint64_t snapshot = 0;   // what it reads from
  std::uint64_t began = 0;      // by the graph's count of beginnings and ends
  std::uint64_t ended = 0;      // 0: not yet
  std::uint64_t commit_ts = 0;  // 0: not committed
  // Commits of transactions that are not tracked, up to this one, may lie between others and its snapshot.
  std::uint64_t bridged_until = 0;
  // The earliest commit of those not known here that wrote over what it read; 0: none.
  std::uint64_t out_unknown = 0;
  bool in_unknown = false;      // it wrote over what somebody read that is not known here
  bool is_serializable = true;  // only such ones fail; of the others only some edges are here
  bool has_erased = false;
  bool is_settled = false;            // no edge to it can come any more
  std::atomic<bool> has_news{false};  // an edge from it was added: perhaps it can not commit any more
  std::uint64_t seen_in = 0;          // a search
  Out out;
  In in;
};

class SerializationGraph {
 public:
  SerializationGraph();
  ~SerializationGraph();
  SerializationGraph(const SerializationGraph&) = delete;
  SerializationGraph& operator=(const SerializationGraph&) = delete;

  // Whether a writer need look for who has read, or a reader that locks leave word of it.
  [[nodiscard]] bool is_in_use() const noexcept { return tracked_.load(std::memory_order_seq_cst) != 0; }
  // Writers with smaller numbers are not tracked.
  [[nodiscard]] std::uint64_t oldest_writer() const noexcept {
    return oldest_writer_.load(std::memory_order_acquire);
  }

  // ---- a transaction's beginning ----

  // Before its snapshot is taken; `begin_reading` after that.
  Tracked& begin(std::string_view level, std::string_view label, bool is_serializable);
  void begin_reading(Tracked& reader, std::uint64_t snapshot) const;
  void begin_writing(Tracked& writer, TransactionId id);

  // ---- what it reads: entered first, then read ----

  void track_key(Tracked& reader, const KeyPlace& place);
  static void track_range(Tracked& reader, TableLocks& table, std::string_view lo,
                          const std::optional<std::string>& hi) {
    table.track_range(reader, lo, hi);
  }
  // The version that it read is of `writer`.
  void read_from(Tracked& reader, TransactionId writer, const TableLocks& table, std::string_view key);
  // The version that it read was replaced by `writer`, which committed at `commit_ts` at the earliest.
  void read_under(Tracked& reader, TransactionId writer, std::uint64_t commit_ts, const TableLocks& table,
                  std::string_view key);

  // ---- what it writes, with the leaf latched ----

  // Whether somebody else has read the key.
  bool is_read(const Tracked* writer, const KeyPlace& place);
  void write(Tracked& writer, const KeyPlace& place, TransactionId over, bool erases);

  // ---- its end ----

  // A circle that it closes, as a paragraph; nothing: there is none of committed ones.
  std::optional<std::string> find_circle(Tracked& tracked, std::uint64_t traceless_ts);
  // As above, and if there is none it is committed at `commit_ts` from here on.
  std::optional<std::string> commit(Tracked& tracked, std::uint64_t commit_ts, std::uint64_t traceless_ts);
  // A transaction that is not tracked has written, and commits at `commit_ts`: before that is published.
  void commit_untracked(std::uint64_t commit_ts) noexcept;
  // What it committed is published. It only read: `wrote` is false.
  void ended(Tracked& tracked, bool wrote);
  void aborted(Tracked& tracked);
  // A transaction of the level serial ends: it has read everything.
  void all_was_read();

  [[nodiscard]] std::uint64_t tracked() const noexcept { return tracked_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t folded() const noexcept { return folded_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t widened() const noexcept { return widened_.load(std::memory_order_relaxed); }

 private:
  using List = boost::intrusive::list<
      Tracked,
      boost::intrusive::member_hook<Tracked, boost::intrusive::list_member_hook<>, &Tracked::in_list>>;

  void add_edge(Tracked& from, Tracked& to, Dependency kind, const TableLocks& table, std::string_view key);
  void remove_edge(Edge& edge);
  Tracked* find_writer(TransactionId id);
  std::optional<std::string> search(Tracked& from, std::uint64_t traceless_ts);
  [[nodiscard]] bool leads_to(const Tracked& from, const Tracked& at, bool has_in,
                              std::uint64_t traceless_ts) const;
  [[nodiscard]] List& list_of(const Tracked& tracked) noexcept {
    return tracked.ended == 0 ? active_ : tracked.is_settled ? settled_ : committed_;
  }
  [[nodiscard]] std::uint64_t oldest_commit() const;
  void forget_writer(Tracked& tracked);
  void settle(std::vector<Tracked*>& gone);
  void take_out(Tracked& tracked, std::vector<Tracked*>& gone);
  void give_back(const std::vector<Tracked*>& gone);

  KeyLocks marks_;
  std::mutex mutex_;
  List active_;     // in the order of their beginnings
  List committed_;  // in the order of their ends; an edge to them may still come
  List settled_;    // likewise; none can
  std::map<std::uint64_t, Tracked*> by_writer_;
  std::vector<std::unique_ptr<Tracked>> owned_;
  std::vector<Tracked*> spare_;
  std::vector<std::unique_ptr<Edge>> owned_edges_;
  std::vector<Edge*> spare_edges_;
  std::uint64_t clock_ = 0;
  std::uint64_t searches_ = 0;
  std::size_t erasers_ = 0;
  std::uint64_t newest_loose_ = 0;  // the newest commit of one that is not serializable and is tracked
  alignas(64) std::atomic<std::uint64_t> tracked_{0};
  std::atomic<std::uint64_t> oldest_writer_{~std::uint64_t{0}};
  std::atomic<std::uint64_t> newest_untracked_{0};
  std::atomic<std::uint64_t> readers_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> folded_{0};
  std::atomic<std::uint64_t> widened_{0};
};

}  // namespace isolith::locking

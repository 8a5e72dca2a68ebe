#include "locking/serialization_graph.h"

#include <algorithm>
#include <utility>

#include "base/fence.h"
#include "locking/wait_graph.h"

namespace isolith::locking {
namespace {

constexpr std::size_t kVisitsMax = 1000;  // of one search

std::string_view way_of(Dependency kind) {
  switch (kind) {
    case Dependency::wr:
      return "read what it wrote";
    case Dependency::ww:
      return "wrote over it";
    case Dependency::rw:
      return "wrote over what it read";
  }
  return "";
}

std::string name_of(const Tracked& tracked) {
  std::string name = locking::name_of(tracked.number.load(std::memory_order_relaxed));
  if (!tracked.label.empty()) name += " (" + tracked.label + ")";
  return name;
}

}  // namespace

SerializationGraph::SerializationGraph() = default;

SerializationGraph::~SerializationGraph() {
  for (const std::unique_ptr<Tracked>& tracked : owned_) {
    tracked->out.clear();
    tracked->in.clear();
    KeyLocks::free_spare(*tracked);
  }
  active_.clear();
  committed_.clear();
  settled_.clear();
}

// ---- a transaction's beginning ----

// Counted before its snapshot is taken and before its first mark: as `LockManager::begin_use`.
Tracked& SerializationGraph::begin(std::string_view level, std::string_view label, bool is_serializable) {
  tracked_.fetch_add(1, std::memory_order_seq_cst);
  base::full_fence();
  const std::lock_guard lock(mutex_);
  Tracked* tracked = nullptr;
  if (spare_.empty()) {
    tracked = owned_.emplace_back(std::make_unique<Tracked>()).get();
  } else {
    tracked = spare_.back();
    spare_.pop_back();
  }
  tracked->number.store(kReaderNumber + readers_.fetch_add(1, std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  tracked->label = label;
  tracked->level = level;
  tracked->writer = kNoTransaction;
  tracked->snapshot = tracked->ended = tracked->commit_ts = 0;
  tracked->bridged_until = tracked->out_unknown = 0;
  tracked->in_unknown = tracked->has_erased = tracked->is_settled = false;
  tracked->is_serializable = is_serializable;
  tracked->has_news.store(false, std::memory_order_relaxed);
  tracked->began = ++clock_;
  active_.push_back(*tracked);
  return *tracked;
}

// After the snapshot was taken: who is in it and is not tracked was counted by then.
void SerializationGraph::begin_reading(Tracked& reader, std::uint64_t snapshot) const {
  reader.snapshot = snapshot;
  reader.bridged_until = std::min(newest_untracked_.load(std::memory_order_acquire), snapshot);
}

void SerializationGraph::begin_writing(Tracked& writer, TransactionId id) {
  const std::lock_guard lock(mutex_);
  writer.writer = id;
  writer.number.store(raw(id), std::memory_order_relaxed);
  by_writer_.emplace(raw(id), &writer);
  oldest_writer_.store(by_writer_.begin()->first, std::memory_order_release);
}

Tracked* SerializationGraph::find_writer(TransactionId id) {
  const auto found = by_writer_.find(raw(id));
  return found == by_writer_.end() ? nullptr : found->second;
}

// ---- edges ----

// One of a kind between two is enough.
void SerializationGraph::add_edge(Tracked& from, Tracked& to, Dependency kind, const TableLocks& table,
                                  std::string_view key) {
  if (&from == &to) return;
  // Of the two lists one is mostly short.
  auto out = from.out.begin();
  auto in = to.in.begin();
  for (; out != from.out.end() && in != to.in.end(); ++out, ++in) {
    if ((out->to == &to && out->kind == kind) || (in->from == &from && in->kind == kind)) return;
  }
  Edge* edge = nullptr;
  if (spare_edges_.empty()) {
    edge = owned_edges_.emplace_back(std::make_unique<Edge>()).get();
  } else {
    edge = spare_edges_.back();
    spare_edges_.pop_back();
  }
  edge->from = &from;
  edge->to = &to;
  edge->kind = kind;
  edge->table = &table;
  edge->key = key;
  from.out.push_back(*edge);
  to.in.push_back(*edge);
  from.has_news.store(true, std::memory_order_relaxed);
  if (from.commit_ts != 0) to.has_news.store(true, std::memory_order_relaxed);
}

void SerializationGraph::remove_edge(Edge& edge) {
  edge.from->out.erase(edge.from->out.iterator_to(edge));
  edge.to->in.erase(edge.to->in.iterator_to(edge));
  spare_edges_.push_back(&edge);
}

void SerializationGraph::track_key(Tracked& reader, const KeyPlace& place) {
  (void)marks_.enter(reader, place, true, nullptr);
}

void SerializationGraph::read_from(Tracked& reader, TransactionId writer, const TableLocks& table,
                                   std::string_view key) {
  if (raw(writer) < oldest_writer()) return;
  const std::lock_guard lock(mutex_);
  if (Tracked* const from = find_writer(writer)) add_edge(*from, reader, Dependency::wr, table, key);
}

void SerializationGraph::read_under(Tracked& reader, TransactionId writer, std::uint64_t commit_ts,
                                    const TableLocks& table, std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (Tracked* const to = find_writer(writer)) {
    add_edge(reader, *to, Dependency::rw, table, key);
    return;
  }
  if (reader.out_unknown == 0 || commit_ts < reader.out_unknown) reader.out_unknown = commit_ts;
  reader.has_news.store(true, std::memory_order_relaxed);
}

bool SerializationGraph::is_read(const Tracked* writer, const KeyPlace& place) {
  bool is_read = false;
  const auto look = [&](Reader& reader) { is_read = is_read || &reader != writer; };
  marks_.visit_readers(place, look);
  place.locks.visit_tracking(place.key, look);
  return is_read;
}

// A mark is met under its bucket's mutex, or the table's: so its reader is one that was not given back yet.
// If it was taken out already it is nobody's predecessor any more.
void SerializationGraph::write(Tracked& writer, const KeyPlace& place, TransactionId over, bool erases) {
  const auto meet = [&](Reader& met) {
    auto& reader = static_cast<Tracked&>(met);
    if (&reader == &writer) return;
    const std::lock_guard lock(mutex_);
    if (reader.in_list.is_linked()) add_edge(reader, writer, Dependency::rw, place.locks, place.key);
  };
  marks_.visit_readers(place, meet);
  place.locks.visit_tracking(place.key, meet);
  const bool has_before = over != kNoTransaction && raw(over) >= oldest_writer();
  if (!has_before && (!erases || writer.has_erased)) return;
  const std::lock_guard lock(mutex_);
  if (erases && !std::exchange(writer.has_erased, true)) ++erasers_;
  if (!has_before) return;
  if (Tracked* const before = find_writer(over))
    add_edge(*before, writer, Dependency::ww, place.locks, place.key);
}

// ---- circles ----

// Whether `at`, which is committed and comes after `from`, may come before it, too, by way of somebody who is
// not known here. `has_in`: somebody committed comes before `from`.
bool SerializationGraph::leads_to(const Tracked& from, const Tracked& at, bool has_in,
                                  std::uint64_t traceless_ts) const {
  const bool is_seen = at.commit_ts <= from.snapshot;
  if (from.in_unknown) return true;
  if (at.out_unknown != 0 && (at.out_unknown <= from.snapshot || has_in)) return true;
  if (!at.is_serializable && (is_seen || has_in)) return true;
  if (at.commit_ts < from.bridged_until) return true;
  if (at.has_erased && at.commit_ts <= traceless_ts && (is_seen || has_in)) return true;
  const bool is_bridged =
      at.commit_ts < newest_untracked_.load(std::memory_order_acquire) || at.commit_ts <= newest_loose_;
  return is_bridged && has_in;
}

// Depth first from it, over those that have committed.
std::optional<std::string> SerializationGraph::search(Tracked& from, std::uint64_t traceless_ts) {
  const bool has_in = from.in_unknown || std::any_of(from.in.begin(), from.in.end(), [](const Edge& edge) {
                        return edge.from->commit_ts != 0;
                      });
  if (from.out_unknown != 0 && has_in) {
    return name_of(from) +
           " read what was written over by a transaction that is not known any more: run it again";
  }
  if (from.out.empty()) return std::nullopt;
  const std::uint64_t search = ++searches_;
  std::vector<Tracked::Out::iterator> path{from.out.begin()};
  std::vector<Tracked*> at{&from};
  from.seen_in = search;
  std::size_t visits = 0;
  const auto tell = [&](const std::string& end) {
    std::string text;
    for (std::size_t i = 0; i < path.size(); ++i) {
      const Edge& edge = *path[i];
      if (i > 0) text += ", ";
      text += name_of(*edge.from) + " comes before " + name_of(*edge.to) + ", which " +
              std::string(way_of(edge.kind));
    }
    return text + end;
  };
  while (!at.empty()) {
    if (path.back() == at.back()->out.end()) {
      at.pop_back();
      path.pop_back();
      if (!path.empty()) ++path.back();
      continue;
    }
    Tracked& next = *path.back()->to;
    if (&next == &from) return tell(": no serial order; run it again");
    if (next.commit_ts == 0 || next.seen_in == search) {
      ++path.back();
      continue;
    }
    next.seen_in = search;
    if (leads_to(from, next, has_in, traceless_ts) || (++visits > kVisitsMax && has_in)) {
      return tell(", and may come before " + name_of(from) + ": run it again");
    }
    at.push_back(&next);
    path.push_back(next.out.begin());
  }
  return std::nullopt;
}

std::optional<std::string> SerializationGraph::find_circle(Tracked& tracked, std::uint64_t traceless_ts) {
  if (!tracked.has_news.exchange(false, std::memory_order_relaxed)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return search(tracked, traceless_ts);
}

// ---- ends ----

std::optional<std::string> SerializationGraph::commit(Tracked& tracked, std::uint64_t commit_ts,
                                                      std::uint64_t traceless_ts) {
  const std::lock_guard lock(mutex_);
  if (tracked.is_serializable) {
    if (std::optional<std::string> circle = search(tracked, traceless_ts)) return circle;
  } else {
    newest_loose_ = std::max(newest_loose_, commit_ts);
  }
  tracked.commit_ts = commit_ts;
  return std::nullopt;
}

void SerializationGraph::commit_untracked(std::uint64_t commit_ts) noexcept {
  newest_untracked_.store(commit_ts, std::memory_order_release);
}

void SerializationGraph::forget_writer(Tracked& tracked) {
  if (tracked.writer == kNoTransaction) return;
  by_writer_.erase(raw(tracked.writer));
  oldest_writer_.store(by_writer_.empty() ? ~std::uint64_t{0} : by_writer_.begin()->first,
                       std::memory_order_release);
}

// It is in no list, and no edge leads to it or from it, from here on. Those it came before may be next.
void SerializationGraph::take_out(Tracked& tracked, std::vector<Tracked*>& gone) {
  std::vector<Tracked*> open{&tracked};
  while (!open.empty()) {
    Tracked& one = *open.back();
    open.pop_back();
    List& list = list_of(one);
    list.erase(list.iterator_to(one));
    if (one.has_erased) --erasers_;
    while (!one.in.empty()) remove_edge(one.in.front());
    while (!one.out.empty()) {
      Edge& edge = one.out.front();
      Tracked& next = *edge.to;
      if (one.in_unknown && one.commit_ts != 0) next.in_unknown = true;
      remove_edge(edge);
      if (next.is_settled && next.in.empty() && &next != &tracked) open.push_back(&next);
    }
    forget_writer(one);
    gone.push_back(&one);
  }
}

// Those that ended before everybody who is active began.
void SerializationGraph::settle(std::vector<Tracked*>& gone) {
  const std::uint64_t oldest = active_.empty() ? clock_ + 1 : active_.front().began;
  while (!committed_.empty() && committed_.front().ended < oldest) {
    Tracked& one = committed_.front();
    committed_.pop_front();
    one.is_settled = true;
    settled_.push_back(one);
    if (one.in.empty()) take_out(one, gone);
  }
}

std::uint64_t SerializationGraph::oldest_commit() const {
  std::uint64_t oldest = ~std::uint64_t{0};
  if (!settled_.empty()) oldest = settled_.front().commit_ts;
  if (!committed_.empty()) oldest = std::min(oldest, committed_.front().commit_ts);
  return oldest;
}

// Their marks go without the mutex.
void SerializationGraph::give_back(const std::vector<Tracked*>& gone) {
  if (gone.empty()) return;
  for (Tracked* tracked : gone) {
    marks_.release(*tracked);
    for (const HeldRange& range : tracked->ranges) range.table->untrack_range(*tracked, range.lo, range.hi);
    tracked->ranges.clear();
    tracked->bytes = tracked->bytes_told = 0;
  }
  {
    const std::lock_guard lock(mutex_);
    spare_.insert(spare_.end(), gone.begin(), gone.end());
  }
  tracked_.fetch_sub(gone.size(), std::memory_order_seq_cst);
}

void SerializationGraph::ended(Tracked& tracked, bool wrote) {
  std::vector<Tracked*> gone;
  {
    const std::lock_guard lock(mutex_);
    active_.erase(active_.iterator_to(tracked));
    // Nobody can read under it; and all that may come before it is known.
    const bool is_first = !wrote && tracked.in.empty() && tracked.is_serializable && !tracked.in_unknown &&
                          erasers_ == 0 && tracked.bridged_until <= oldest_commit();
    tracked.ended = ++clock_;
    committed_.push_back(tracked);
    if (is_first) take_out(tracked, gone);
    settle(gone);
  }
  give_back(gone);
}

void SerializationGraph::aborted(Tracked& tracked) {
  std::vector<Tracked*> gone;
  {
    const std::lock_guard lock(mutex_);
    take_out(tracked, gone);
    settle(gone);
  }
  give_back(gone);
}

void SerializationGraph::all_was_read() {
  const std::lock_guard lock(mutex_);
  for (Tracked& tracked : active_) {
    tracked.in_unknown = true;
    tracked.has_news.store(true, std::memory_order_relaxed);
  }
}

}  // namespace isolith::locking

#include "tests/txn/version_graph.h"

#include <algorithm>
#include <utility>

namespace isolith::testing {
namespace {

bool counts_wr(Isolation level) { return level != Isolation::read_uncommitted; }

bool counts_rw(Isolation level, bool by_range) {
  switch (level) {
    case Isolation::read_uncommitted:
    case Isolation::read_committed:
    case Isolation::snapshot:
      return false;
    case Isolation::repeatable_read:
      return !by_range;
    case Isolation::serializable_2pl:
    case Isolation::serializable_ssi:
    case Isolation::serial:
      return true;
  }
  return true;
}

struct Edge {
  std::uint32_t from;
  std::uint32_t to;
};

// The versions of one key.
struct KeyVersions {
  struct Written {
    std::uint64_t place;
    std::uint64_t version;
    std::uint32_t node;
  };
  std::vector<Written> in_order;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> places;  // version, place in `in_order`; by version

  void sort() {
    std::sort(in_order.begin(), in_order.end(),
              [](const auto& a, const auto& b) { return a.place < b.place; });
    for (std::uint32_t i = 0; i < in_order.size(); ++i) places.emplace_back(in_order[i].version, i);
    std::sort(places.begin(), places.end());
  }
  [[nodiscard]] std::uint32_t find(std::uint64_t version) const {  // UINT32_MAX: nobody wrote it
    const auto at = std::lower_bound(places.begin(), places.end(), std::pair(version, std::uint32_t{0}));
    return at != places.end() && at->first == version ? at->second : UINT32_MAX;
  }
};

class VersionGraph {
 public:
  VersionGraph(const std::vector<History>& histories, std::uint32_t keys, Promise promise)
      : promise_(promise), keys_(keys) {
    nodes_.push_back({});  // node 0 wrote the first version of each key
    for (KeyVersions& key : keys_) key.in_order.push_back({0, kFirstVersion, 0});
    for (const History& history : histories) {
      for (const History::Transaction& t : history.transactions()) {
        for (std::uint32_t i = 0; i < t.writes; ++i) {
          const VersionWrite& write = history.writes_of(t)[i];
          keys_[write.key].in_order.push_back(
              {write.place, write.version, static_cast<std::uint32_t>(nodes_.size())});
        }
        nodes_.push_back({&history, &t});
      }
    }
    for (KeyVersions& key : keys_) key.sort();
  }

  GraphReport check() {
    report_.transactions = nodes_.size() - 1;
    add_edges();
    report_.edges = edges_.size();
    std::sort(edges_.begin(), edges_.end(),
              [](const Edge& a, const Edge& b) { return std::pair(a.from, a.to) < std::pair(b.from, b.to); });
    first_edge_.assign(nodes_.size() + 1, 0);
    for (const Edge& edge : edges_) ++first_edge_[edge.from + 1];
    for (std::size_t i = 1; i < first_edge_.size(); ++i) first_edge_[i] += first_edge_[i - 1];
    find_components();
    return std::move(report_);
  }

 private:
  struct Node {
    const History* history = nullptr;
    const History::Transaction* transaction = nullptr;
  };

  void add_edge(std::uint32_t from, std::uint32_t to) {
    if (from != to) edges_.push_back({from, to});
  }

  void add_edges() {
    for (const KeyVersions& key : keys_) {
      for (std::size_t i = 1; i < key.in_order.size(); ++i)
        add_edge(key.in_order[i - 1].node, key.in_order[i].node);
    }
    for (std::uint32_t node = 1; node < nodes_.size(); ++node) {
      const auto& [history, transaction] = nodes_[node];
      if (!counts_wr(transaction->level)) continue;
      for (std::uint32_t i = 0; i < transaction->reads; ++i)
        add_read(node, history->reads_of(*transaction)[i]);
    }
  }

  void add_read(std::uint32_t node, const VersionRead& read) {
    const KeyVersions& key = keys_[read.key];
    const std::uint32_t at = key.find(read.version);
    if (at == UINT32_MAX) {
      report_.problem = name_of(node) + " read version " + std::to_string(read.version) + " of key " +
                        std::to_string(read.key) + ", which no committed transaction left";
      return;
    }
    add_edge(key.in_order[at].node, node);
    if (at + 1 == key.in_order.size()) return;
    const bool all = promise_ == Promise::serial_order;
    if (all || counts_rw(nodes_[node].transaction->level, read.by_range))
      add_edge(node, key.in_order[at + 1].node);
  }

  // Tarjan, "Depth-First Search and Linear Graph Algorithms" (1972), with a stack of its own.
  void find_components() {
    constexpr std::uint32_t kDone = UINT32_MAX;
    std::vector<std::uint32_t> number(nodes_.size(), 0);  // in the order of visits, from 1; kDone: taken out
    std::vector<std::uint32_t> low(nodes_.size(), 0);
    std::vector<std::uint32_t> next(first_edge_.begin(), first_edge_.end() - 1);
    std::vector<std::uint32_t> open;
    std::vector<std::uint32_t> path;
    std::uint32_t visits = 0;
    for (std::uint32_t root = 0; root < nodes_.size(); ++root) {
      if (number[root] != 0) continue;
      path.push_back(root);
      while (!path.empty()) {
        const std::uint32_t node = path.back();
        if (number[node] == 0) {
          number[node] = low[node] = ++visits;
          open.push_back(node);
        }
        if (next[node] < first_edge_[node + 1]) {
          const std::uint32_t to = edges_[next[node]++].to;
          if (number[to] == 0) path.push_back(to);
          if (number[to] != 0 && number[to] != kDone) low[node] = std::min(low[node], number[to]);
          continue;
        }
        path.pop_back();
        if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[node]);
        if (low[node] != number[node]) continue;
        const auto first = std::find(open.rbegin(), open.rend(), node).base() - 1;
        if (open.end() - first > 1 && ++report_.cycles == 1) report_.cycle = cycle_in({first, open.end()});
        for (auto it = first; it != open.end(); ++it) number[*it] = kDone;
        open.erase(first, open.end());
      }
    }
  }

  // A shortest one through its first member, breadth first.
  std::string cycle_in(std::vector<std::uint32_t> members) {
    const std::uint32_t start = members.front();
    std::sort(members.begin(), members.end());
    std::vector<std::uint32_t> before(members.size(), UINT32_MAX);
    const auto place_of = [&](std::uint32_t node) {
      const auto at = std::lower_bound(members.begin(), members.end(), node);
      return at != members.end() && *at == node ? static_cast<std::size_t>(at - members.begin())
                                                : members.size();
    };
    std::vector<std::uint32_t> queue{start};
    for (std::size_t i = 0; i < queue.size(); ++i) {
      for (std::uint32_t e = first_edge_[queue[i]]; e < first_edge_[queue[i] + 1]; ++e) {
        const std::size_t to = place_of(edges_[e].to);
        if (to == members.size() || before[to] != UINT32_MAX) continue;
        before[to] = queue[i];
        if (members[to] == start)
          return cycle_text(start, [&](std::uint32_t n) { return before[place_of(n)]; });
        queue.push_back(members[to]);
      }
    }
    return "";
  }

  template <typename Before>
  std::string cycle_text(std::uint32_t start, const Before& before) {
    std::string text = name_of(start);
    std::uint32_t node = start;
    do {
      const std::uint32_t to = node;
      node = before(node);
      text = name_of(node) + "\n  comes before the next one, which " + way(node, to) + "\n" + text;
    } while (node != start);
    return text;
  }

  // Why `from` comes before `to`.
  std::string way(std::uint32_t from, std::uint32_t to) const {
    std::string text;
    visit_reads(to, [&](const VersionRead& read, std::uint32_t at) {
      if (keys_[read.key].in_order[at].node == from) text += "read what it wrote: " + read_text(read);
    });
    visit_reads(from, [&](const VersionRead& read, std::uint32_t at) {
      const KeyVersions& key = keys_[read.key];
      if (at + 1 < key.in_order.size() && key.in_order[at + 1].node == to)
        text += "wrote over what it read: " + read_text(read);
    });
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const KeyVersions& key = keys_[i];
      for (std::size_t at = 1; at < key.in_order.size(); ++at) {
        if (key.in_order[at - 1].node == from && key.in_order[at].node == to)
          text += "wrote over what it wrote: key " + std::to_string(i) + "; ";
      }
    }
    return text;
  }

  template <typename Visit>
  void visit_reads(std::uint32_t node, const Visit& visit) const {
    const auto& [history, transaction] = nodes_[node];
    for (std::uint32_t i = 0; node != 0 && i < transaction->reads; ++i) {
      const VersionRead& read = history->reads_of(*transaction)[i];
      if (const std::uint32_t at = keys_[read.key].find(read.version); at != UINT32_MAX) visit(read, at);
    }
  }

  static std::string read_text(const VersionRead& read) {
    return "key " + std::to_string(read.key) + " version " + std::to_string(read.version) +
           (read.by_range ? " (not there, by a range); " : "; ");
  }

  std::string name_of(std::uint32_t node) const {
    if (node == 0) return "the beginning";
    const auto& [history, transaction] = nodes_[node];
    std::string text = std::to_string(transaction->number) + " (" +
                       std::string(to_string(transaction->level)) + ", " +
                       std::to_string(transaction->began) + " to " + std::to_string(transaction->ended) +
                       ", " + std::to_string(transaction->reads) + " reads)";
    for (std::uint32_t i = 0; i < transaction->writes; ++i) {
      const VersionWrite& write = history->writes_of(*transaction)[i];
      text += " wrote key " + std::to_string(write.key) + " version " + std::to_string(write.version);
    }
    return text;
  }

  const Promise promise_;
  std::vector<KeyVersions> keys_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;                // by `from`
  std::vector<std::uint32_t> first_edge_;  // of each node, and one more
  GraphReport report_;
};

}  // namespace

void History::add(Transaction transaction, const std::vector<VersionRead>& reads,
                  const std::vector<VersionWrite>& writes) {
  transaction.first_read = reads_.size();
  transaction.reads = static_cast<std::uint32_t>(reads.size());
  transaction.first_write = writes_.size();
  transaction.writes = static_cast<std::uint32_t>(writes.size());
  transactions_.push_back(transaction);
  reads_.insert(reads_.end(), reads.begin(), reads.end());
  writes_.insert(writes_.end(), writes.begin(), writes.end());
}

GraphReport check_history(const std::vector<History>& histories, std::uint32_t keys, Promise promise) {
  return VersionGraph(histories, keys, promise).check();
}

}  // namespace isolith::testing

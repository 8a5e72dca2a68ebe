// Breadth first search for cycles.
#include "anomalies/cycle_search.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

namespace isolith::anomalies {
namespace {

constexpr std::uint32_t kFar = UINT32_MAX;

// How good a way is: fewer edges first, then fewer of ranges.
struct Cost {
  std::uint32_t edges = kFar;
  std::uint32_t ranges = 0;

  [[nodiscard]] Cost with(const Edge& edge) const { return {edges + 1, ranges + (edge.of_range ? 1 : 0)}; }
  friend auto operator<=>(const Cost&, const Cost&) = default;
};

// The best ways from one node to all others.
class Search {
 public:
  Search(std::size_t nodes, std::span<const Edge> edges) : edges_(edges), first_(nodes + 1, 0) {
    for (const Edge& edge : edges) ++first_[edge.from + 1];
    for (std::size_t i = 0; i < nodes; ++i) first_[i + 1] += first_[i];
  }

  void run(std::uint32_t start, EdgeTest path) {
    costs_.assign(first_.size() - 1, Cost());
    last_edges_.assign(first_.size() - 1, nullptr);
    costs_[start] = {0, 0};
    queue_.assign(1, start);
    // A node's way is final when it is taken out: all that lead to it are one edge shorter and were before.
    for (std::size_t next = 0; next < queue_.size(); ++next) {
      const std::uint32_t node = queue_[next];
      for (std::size_t i = first_[node]; i < first_[node + 1]; ++i) {
        const Edge& edge = edges_[i];
        if (!path(edge)) continue;
        const Cost cost = costs_[node].with(edge);
        if (cost >= costs_[edge.to]) continue;
        if (costs_[edge.to].edges == kFar) queue_.push_back(edge.to);
        costs_[edge.to] = cost;
        last_edges_[edge.to] = &edge;
      }
    }
  }

  [[nodiscard]] Cost cost(std::uint32_t node) const { return costs_[node]; }

  [[nodiscard]] std::vector<Edge> way_to(std::uint32_t node) const {
    std::vector<Edge> way;
    for (const Edge* edge = last_edges_[node]; edge != nullptr; edge = last_edges_[edge->from]) {
      way.push_back(*edge);
    }
    std::reverse(way.begin(), way.end());
    return way;
  }

 private:
  std::span<const Edge> edges_;
  std::vector<std::size_t> first_;  // of each node: its first edge
  std::vector<Cost> costs_;
  std::vector<const Edge*> last_edges_;  // of the way to each node
  std::vector<std::uint32_t> queue_;
};

}  // namespace

std::vector<Edge> shortest_cycle(std::size_t nodes, std::span<const Edge> edges, EdgeTest path,
                                 EdgeTest closing) {
  std::vector<bool> is_closed_at(nodes, false);
  for (const Edge& edge : edges) {
    if (closing(edge)) is_closed_at[edge.to] = true;
  }
  Search search(nodes, edges);
  Cost best;
  std::vector<Edge> cycle;
  for (std::uint32_t start = 0; start < nodes; ++start) {
    if (!is_closed_at[start]) continue;
    search.run(start, path);
    for (const Edge& edge : edges) {
      if (edge.to != start || search.cost(edge.from).edges == kFar || !closing(edge)) continue;
      const Cost cost = search.cost(edge.from).with(edge);
      if (cost >= best) continue;
      best = cost;
      cycle = search.way_to(edge.from);
      cycle.push_back(edge);
    }
  }
  const auto first = std::min_element(cycle.begin(), cycle.end(),
                                      [](const Edge& a, const Edge& b) { return a.from < b.from; });
  std::rotate(cycle.begin(), first, cycle.end());
  return cycle;
}

}  // namespace isolith::anomalies

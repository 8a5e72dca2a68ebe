// The shortest cycle of a kind in a graph of dependencies.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "anomalies/dependency_graph.h"

namespace isolith::anomalies {

// Which edges a search may use.
using EdgeTest = bool (*)(const Edge& edge);

// The shortest cycle that has one edge of `closing` and for the rest edges of `path`; of several that with
// the fewest of ranges, then the first by its nodes. It begins at its smallest node. Empty: there is none.
// `edges` are sorted by `from`, no edge leads to its own node. Breadth first from each node.
std::vector<Edge> shortest_cycle(std::size_t nodes, std::span<const Edge> edges, EdgeTest path,
                                 EdgeTest closing);

}  // namespace isolith::anomalies

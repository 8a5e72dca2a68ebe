// Which cycle is found, in graphs that are written down.
#include "anomalies/cycle_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace isolith::anomalies {
namespace {

Edge rw(std::uint32_t from, std::uint32_t to, bool of_range = false) {
  return {from, to, EdgeKind::read_write, of_range, 0, "", 0, 0};
}
Edge ww(std::uint32_t from, std::uint32_t to) {
  return {from, to, EdgeKind::write_write, false, 0, "", 0, 0};
}

bool is_any(const Edge& /*edge*/) { return true; }
bool is_ww(const Edge& edge) { return edge.kind == EdgeKind::write_write; }
bool is_rw(const Edge& edge) { return edge.kind == EdgeKind::read_write; }

// "0 1 2": the nodes; with '*' behind one that an edge of a range leaves.
std::string cycle(std::size_t nodes, std::vector<Edge> edges, EdgeTest path, EdgeTest closing) {
  std::stable_sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.from < b.from; });
  std::string text;
  for (const Edge& edge : shortest_cycle(nodes, edges, path, closing)) {
    if (!text.empty()) text += ' ';
    text += std::to_string(edge.from);
    if (edge.of_range) text += '*';
  }
  return text;
}

TEST(CycleSearch, FindsNoneWhereThereIsNone) {
  EXPECT_EQ(cycle(0, {}, is_any, is_any), "");
  EXPECT_EQ(cycle(3, {rw(0, 1), rw(1, 2), rw(0, 2)}, is_any, is_any), "");
}

TEST(CycleSearch, FindsTheShortest) {
  EXPECT_EQ(cycle(4, {rw(0, 1), rw(1, 2), rw(2, 0), rw(3, 2), rw(2, 3)}, is_any, is_any), "2 3");
  EXPECT_EQ(cycle(4, {rw(0, 1), rw(1, 2), rw(2, 3), rw(3, 0), rw(1, 3)}, is_any, is_any), "0 1 3");
}

TEST(CycleSearch, PrefersEdgesOfRows) {
  EXPECT_EQ(cycle(2, {rw(0, 1), rw(0, 1, true), rw(1, 0, true), rw(1, 0)}, is_any, is_any), "0 1");
  EXPECT_EQ(cycle(3, {rw(0, 1, true), rw(1, 0), rw(2, 1), rw(1, 2)}, is_any, is_any), "1 2");
  EXPECT_EQ(cycle(4, {rw(0, 1, true), rw(0, 2), rw(1, 3), rw(2, 3), rw(3, 0)}, is_any, is_any), "0 2 3");
}

TEST(CycleSearch, PrefersAShortOneOfRangesToALongOneOfRows) {
  EXPECT_EQ(cycle(3, {rw(0, 1), rw(1, 2), rw(2, 0), rw(1, 0, true)}, is_any, is_any), "0 1*");
}

TEST(CycleSearch, UsesOneClosingEdge) {
  const std::vector<Edge> edges = {rw(0, 1), rw(1, 0), ww(1, 2), ww(2, 0)};
  EXPECT_EQ(cycle(3, edges, is_ww, is_rw), "0 1 2");
  EXPECT_EQ(cycle(3, edges, is_ww, is_ww), "");
}

TEST(CycleSearch, BeginsAtTheSmallestNode) {
  EXPECT_EQ(cycle(3, {ww(1, 0), rw(0, 2), ww(2, 1)}, is_ww, is_rw), "0 2 1");
}

}  // namespace
}  // namespace isolith::anomalies

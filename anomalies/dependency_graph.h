// DependencyGraph: who comes before whom in a run and why; the phenomenon that it shows, after Adya, "Weak
// Consistency: A Generalized Theory and Optimistic Implementations for Distributed Transactions" (1999).
//
// Rules (the whole of them: README-dependencies.md):
//   1. Nodes are transactions, by their place in `Run::transactions`. Cycles are of committed ones; the
//      others are there for G1a.
//   2. ww to the writer of the key's next version, wr from a version's writer to who read it, rw from a
//      reader to the writer of the next version; of a range also to the writer of a row that changes what it
//      gives.
//   3. Versions of a key are in the order in which they were written: where writers wait for each other, that
//      of the commits.
//   4. Where a run does not tell which version was seen (of a row that was not there), it is one with which
//      the run shows as little as can be.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "anomalies/run.h"
#include "anomalies/scenario.h"

namespace isolith::anomalies {

enum class EdgeKind : std::uint8_t { write_write, write_read, read_write };

struct Edge {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  EdgeKind kind = EdgeKind::write_write;
  bool of_range = false;  // rw or wr by what a range gives, not by a row that was read
  std::uint32_t table = 0;
  std::string key;
  std::uint32_t from_step = 0;  // of the read or write in `from`; from 1
  std::uint32_t to_step = 0;

  friend bool operator==(const Edge&, const Edge&) = default;
};

enum class Phenomenon : std::uint8_t {
  none,
  g0,        // a cycle of ww
  g1a,       // a committed transaction read what was aborted
  g1b,       // ... or what its writer replaced
  g1c,       // a cycle of ww and wr
  g_single,  // a cycle with one rw
  g2_item,   // a cycle with several rw, all of rows that were read
  g2,        // a cycle with several rw, of ranges too
};

// "G1a", "G-single", "G2-item"; empty for `none`.
std::string_view to_string(Phenomenon phenomenon) noexcept;
// "aborted read", "write skew": what people call it; empty for `none`. `explain` is more exact.
std::string_view common_name(Phenomenon phenomenon) noexcept;

struct Finding {
  Phenomenon phenomenon = Phenomenon::none;  // the strongest: the first in their order
  std::vector<Edge> cycle;                   // a shortest one; of g1a and g1b: the one wr edge
};

class DependencyGraph {
 public:
  DependencyGraph(const Scenario& scenario, const Run& run);

  // Between committed ones; by `from`, `to` and so on, each once.
  [[nodiscard]] const std::vector<Edge>& edges() const noexcept { return edges_; }

  [[nodiscard]] Finding find() const { return finding_; }

 private:
  std::vector<Edge> edges_;
  Finding finding_;
};

// "A comes before B, because A read doctors/bob (A1) before B changed it (B2); B comes before A, because ...:
// no serial order (a write skew)." Empty for `none`.
std::string explain(const Finding& finding, const Scenario& scenario, const Run& run);

}  // namespace isolith::anomalies

// What the dependency graph of a story has, as text.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <string>

#include "anomalies/dependency_graph.h"
#include "tests/anomalies/story.h"

namespace isolith::anomalies {

inline constexpr std::uint32_t kA = 0;
inline constexpr std::uint32_t kB = 1;
inline constexpr std::uint32_t kC = 2;

inline Phenomenon found(const Story& story) {
  return DependencyGraph(story.scenario, story.run).find().phenomenon;
}

inline std::string words(const Story& story) {
  const Finding finding = DependencyGraph(story.scenario, story.run).find();
  return std::string(to_string(finding.phenomenon)) + ": " + explain(finding, story.scenario, story.run);
}

// "A rw B x A1 B2; ...", with "range" before "rw".
inline std::string edges(const Story& story) {
  const DependencyGraph graph(story.scenario, story.run);
  std::string text;
  for (const Edge& edge : graph.edges()) {
    if (!text.empty()) text += "; ";
    const auto name = [&](std::uint32_t transaction) {
      return transaction_name(story.scenario, story.run, transaction);
    };
    text += name(edge.from) + (edge.of_range ? " range" : "");
    text += edge.kind == EdgeKind::write_write ? " ww " : edge.kind == EdgeKind::write_read ? " wr " : " rw ";
    text += name(edge.to) + " " + edge.key;
    text += " " + std::to_string(edge.from_step) + " " + std::to_string(edge.to_step);
  }
  return text;
}

}  // namespace isolith::anomalies

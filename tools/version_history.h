// VersionHistory: who wrote which version of a run, and how each stood at a moment; and the words for it.
//
// Moments are those of anomalies/run.h. Words name keys as short as they can be: "alice" where the scenario
// has one table, "doctors/alice" where it has several. Texts are printable: control characters are escaped.
//
// Threads: values; scenario and run outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "anomalies/run.h"
#include "anomalies/scenario.h"

namespace isolith::tools {

enum class VersionState : std::uint8_t { first_row, pending, committed, aborted, failed };

class VersionHistory {
 public:
  VersionHistory(const anomalies::Scenario& scenario, const anomalies::Run& run)
      : scenario_(scenario), run_(run) {}

  // Of the place in `Run::writes`, just before the event `moment`.
  [[nodiscard]] VersionState state(std::uint32_t write, std::uint32_t moment) const;

  // Whose version a transaction's write went over: the newest that was there and not undone; kNoWrite: none.
  [[nodiscard]] std::uint32_t replaced_by(std::uint32_t write) const;

  // A version of a key that `reader` did not get at `moment`, newer than the one it got (`seen`, or
  // kNoWrite): the newest committed one, else one that is pending. kNoWrite: there is none.
  [[nodiscard]] std::uint32_t not_seen(std::uint32_t table, const std::string& key, std::uint32_t seen,
                                       std::uint32_t reader, std::uint32_t moment) const;

  // The keys of the range that others than `reader` had written by then.
  [[nodiscard]] std::vector<std::string> keys_written(const anomalies::Target& target, std::uint32_t reader,
                                                      std::uint32_t moment) const;

  // "100", "\"on\"", "absent".
  [[nodiscard]] static std::string value_text(const std::string& stored);
  [[nodiscard]] static std::string value_text(const anomalies::Value& value);
  // Of a version: its value, or "erased".
  [[nodiscard]] std::string version_text(std::uint32_t write) const;
  [[nodiscard]] std::string key_text(std::uint32_t table, const std::string& key) const;
  // A session's name, with "'s second" where it has several transactions.
  [[nodiscard]] std::string owner(std::uint32_t transaction) const;

 private:
  // When its transaction committed; kNever: it did not, or not by `moment`. First rows: 0.
  [[nodiscard]] std::uint32_t committed_at(std::uint32_t write, std::uint32_t moment) const;

  const anomalies::Scenario& scenario_;
  const anomalies::Run& run_;
};

}  // namespace isolith::tools

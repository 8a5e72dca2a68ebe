// VersionOrder: the versions of each key in a run, in the order in which they were installed.
//
// Invariants:
//   1. A key's first version is its first row, or its absence at the start: so no key is without one.
//   2. Each committed transaction has at most one version of a key: the last of its writes that it kept.
//   3. They are in the order of those writes. Where writers of a key wait for each other that is the order of
//      their commits.
//
// Threads: values; scenario and run outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anomalies/run.h"
#include "anomalies/scenario.h"

namespace isolith::anomalies {

struct Version {
  std::uint32_t write = kNoWrite;              // none: absent from the start
  std::uint32_t transaction = kNoTransaction;  // of the first one: none
};

struct KeyVersions {
  std::uint32_t table = 0;
  std::string_view key;
  std::vector<Version> versions;
  std::vector<std::uint32_t> others;  // writes that nobody may depend on: replaced, undone, failed, aborted
};

class VersionOrder {
 public:
  VersionOrder(const Scenario& scenario, const Run& run);

  // By table and key: each key that was written or had a first row.
  [[nodiscard]] const std::vector<KeyVersions>& keys() const noexcept { return keys_; }
  // Null: it is not among them.
  [[nodiscard]] const KeyVersions* find(std::uint32_t table, std::string_view key) const;

  // The place of a write among the versions of its key; none: it is one of `others`.
  [[nodiscard]] std::optional<std::size_t> position(std::uint32_t write) const { return positions_[write]; }
  // The version that was committed when one of `others` was written.
  [[nodiscard]] std::size_t position_below(const KeyVersions& key, std::uint32_t write) const;

  // The row; none: absent.
  [[nodiscard]] const std::optional<std::string>& value(const Version& version) const;
  // When everybody could see it: the writer's commit.
  [[nodiscard]] std::uint32_t installed_at(const Version& version) const;
  // When it was there: dirty reads see it from then on.
  [[nodiscard]] std::uint32_t written_at(const Version& version) const;

  // Whether before this step the transaction had written the key, and not taken that back.
  [[nodiscard]] bool has_own(std::uint32_t transaction, const KeyVersions& key, std::uint32_t step) const;

 private:
  void order(KeyVersions& key) const;
  [[nodiscard]] std::uint32_t undone_in_step(const Write& write) const;

  const Scenario& scenario_;
  const Run& run_;
  std::vector<KeyVersions> keys_;
  std::vector<std::optional<std::size_t>> positions_;  // of each write
  std::vector<std::uint32_t> undone_in_;               // of each write: the step; kNever
};

}  // namespace isolith::anomalies

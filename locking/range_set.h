// RangeSet: which readers have read which parts of a table's key space, exactly (range_map.h).
//
// Threads: under the mutex of its table (table_locks.h, tracked_ranges.h).
#pragma once

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "locking/range_map.h"

namespace isolith::locking {

template <typename Reader>
class RangeSet {
 public:
  using Readers = boost::container::small_vector<Reader*, 2>;

  // [lo, hi); an absent `hi` is the table's end. Parts that the reader has already stay as they are.
  // Readers are kept in order, so that equal sets are equal lists.
  void add(Reader& reader, std::string_view lo, const std::optional<std::string>& hi) {
    map_.change(lo, hi, [&reader](Readers& readers) {
      const auto at = std::lower_bound(readers.begin(), readers.end(), &reader);
      if (at == readers.end() || *at != &reader) readers.insert(at, &reader);
    });
  }
  void remove(Reader& reader, std::string_view lo, const std::optional<std::string>& hi) {
    map_.change(lo, hi, [&reader](Readers& readers) {
      const auto at = std::lower_bound(readers.begin(), readers.end(), &reader);
      if (at != readers.end() && *at == &reader) readers.erase(at);
    });
  }

  [[nodiscard]] const Readers& readers_at(std::string_view key) const { return map_.at(key); }
  [[nodiscard]] bool empty() const noexcept { return map_.segments() == 1 && map_.at({}).empty(); }

  // `visit(const Reader&, const std::string& lo, const std::optional<std::string>& hi)` for each reader of
  // each segment.
  template <typename Visit>
  void visit(const Visit& visit) const {
    map_.visit([&](const Readers& readers, const std::string& lo, const std::optional<std::string>& hi) {
      for (const Reader* reader : readers) visit(*reader, lo, hi);
    });
  }

  [[nodiscard]] std::size_t segments() const noexcept { return map_.segments(); }

 private:
  RangeMap<Readers> map_;
};

}  // namespace isolith::locking

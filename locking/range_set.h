// RangeSet: which readers have read which parts of a table's key space, exactly.
//
// The key space is cut into segments at every end of a range; a segment has the readers of all ranges over
// it. So a key is covered by exactly those readers whose ranges contain it: no neighbour, page or gap is
// locked along with them.
//
// Invariants:
//   1. The first segment begins at the empty key; each reaches to the next one's beginning, the last to the
//      table's end.
//   2. No two neighbours have the same readers.
//
// Threads: under the mutex of its table (table_locks.h).
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace isolith::locking {

struct Reader;

class RangeSet {
 public:
  using Readers = boost::container::small_vector<Reader*, 2>;

  RangeSet() { segments_.emplace(std::string(), Readers()); }

  // [lo, hi); an absent `hi` is the table's end. Parts that the reader has already stay as they are.
  void add(Reader& reader, std::string_view lo, const std::optional<std::string>& hi);
  void remove(Reader& reader, std::string_view lo, const std::optional<std::string>& hi);

  [[nodiscard]] const Readers& readers_at(std::string_view key) const;
  [[nodiscard]] bool empty() const noexcept {
    return segments_.size() == 1 && segments_.begin()->second.empty();
  }
  // `visit(const Reader&, const std::string& lo, const std::optional<std::string>& hi)` for each reader of
  // each segment.
  template <typename Visit>
  void visit(const Visit& visit) const {
    for (auto segment = segments_.begin(); segment != segments_.end(); ++segment) {
      const auto next = std::next(segment);
      const std::optional<std::string> hi =
          next == segments_.end() ? std::nullopt : std::optional(next->first);
      for (const Reader* reader : segment->second) visit(*reader, segment->first, hi);
    }
  }

  [[nodiscard]] std::size_t segments() const noexcept { return segments_.size(); }

 private:
  using Segments = std::map<std::string, Readers, std::less<>>;

  Segments::iterator cut(std::string_view at);
  template <typename Change>
  void change_segments(std::string_view lo, const std::optional<std::string>& hi, const Change& change);

  Segments segments_;
};

}  // namespace isolith::locking

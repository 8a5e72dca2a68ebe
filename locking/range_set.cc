#include "locking/range_set.h"

#include <algorithm>
#include <iterator>

namespace isolith::locking {

// A segment begins at `at`; returns it.
RangeSet::Segments::iterator RangeSet::cut(std::string_view at) {
  auto next = segments_.upper_bound(at);
  const auto before = std::prev(next);
  if (before->first == at) return before;
  return segments_.emplace_hint(next, std::string(at), before->second);
}

template <typename Change>
void RangeSet::change_segments(std::string_view lo, const std::optional<std::string>& hi,
                               const Change& change) {
  if (hi && *hi <= lo) return;
  const auto first = cut(lo);
  const auto end = hi ? cut(*hi) : segments_.end();
  for (auto segment = first; segment != end; ++segment) change(segment->second);
  // Only at the two ends and in between may neighbours have become alike.
  auto segment = first == segments_.begin() ? first : std::prev(first);
  const auto last = end == segments_.end() ? end : std::next(end);
  while (segment != last) {
    const auto next = std::next(segment);
    if (next == last) break;
    if (next->second == segment->second) {
      segments_.erase(next);
    } else {
      segment = next;
    }
  }
}

// Readers are kept in order, so that equal sets are equal lists.
void RangeSet::add(Reader& reader, std::string_view lo, const std::optional<std::string>& hi) {
  change_segments(lo, hi, [&reader](Readers& readers) {
    const auto at = std::lower_bound(readers.begin(), readers.end(), &reader);
    if (at == readers.end() || *at != &reader) readers.insert(at, &reader);
  });
}

void RangeSet::remove(Reader& reader, std::string_view lo, const std::optional<std::string>& hi) {
  change_segments(lo, hi, [&reader](Readers& readers) {
    const auto at = std::lower_bound(readers.begin(), readers.end(), &reader);
    if (at != readers.end() && *at == &reader) readers.erase(at);
  });
}

const RangeSet::Readers& RangeSet::readers_at(std::string_view key) const {
  return std::prev(segments_.upper_bound(key))->second;
}

}  // namespace isolith::locking

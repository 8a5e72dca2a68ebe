// RangeMap: a value for every key of a table's key space, changed a range at a time.
//
// The key space is cut into segments at every end of a range; a segment has one value. So a value holds for
// exactly the keys of the ranges that it was given: no neighbour, page or gap comes along with them.
//
// Invariants:
//   1. The first segment begins at the empty key; each reaches to the next one's beginning, the last to the
//      table's end.
//   2. No two neighbours have the same value.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace isolith::locking {

template <typename Value>
class RangeMap {
 public:
  RangeMap() { segments_.emplace(std::string(), Value()); }

  // Calls `change(Value&)` for the segments of [lo, hi); an absent `hi` is the table's end.
  template <typename Change>
  void change(std::string_view lo, std::optional<std::string_view> hi, const Change& change) {
    if (hi && *hi <= lo) return;
    const auto first = cut(lo);
    const auto end = hi ? cut(*hi) : segments_.end();
    for (auto segment = first; segment != end; ++segment) change_value(segment->second, change);
    // Only at the two ends and in between may neighbours have become alike.
    join(first == segments_.begin() ? first : std::prev(first),
         end == segments_.end() ? end : std::next(end));
  }
  template <typename Change>
  void change_all(const Change& change) {
    for (auto& [lo, value] : segments_) change_value(value, change);
    join(segments_.begin(), segments_.end());
  }

  [[nodiscard]] const Value& at(std::string_view key) const {
    return std::prev(segments_.upper_bound(key))->second;
  }

  // `visit(const Value&, const std::string& lo, const std::optional<std::string>& hi)` for each segment.
  template <typename Visit>
  void visit(const Visit& visit) const {
    for (auto segment = segments_.begin(); segment != segments_.end(); ++segment) {
      const auto next = std::next(segment);
      visit(segment->second, segment->first,
            next == segments_.end() ? std::nullopt : std::optional(next->first));
    }
  }

  [[nodiscard]] std::size_t segments() const noexcept { return segments_.size(); }
  // What keys and values have beside their segments, in bytes: `Value::heap_bytes`, where there is one.
  [[nodiscard]] std::size_t heap_bytes() const noexcept { return heap_bytes_; }

 private:
  using Segments = std::map<std::string, Value, std::less<>>;

  static std::size_t heap_bytes_of(const Value& value) noexcept {
    if constexpr (requires { value.heap_bytes(); }) {
      return value.heap_bytes();
    } else {
      return 0;
    }
  }
  template <typename Change>
  void change_value(Value& value, const Change& change) {
    heap_bytes_ -= heap_bytes_of(value);
    change(value);
    heap_bytes_ += heap_bytes_of(value);
  }

  // A segment begins at `at`; returns it.
  typename Segments::iterator cut(std::string_view at) {
    auto next = segments_.upper_bound(at);
    const auto before = std::prev(next);
    if (before->first == at) return before;
    const auto segment = segments_.emplace_hint(next, std::string(at), before->second);
    heap_bytes_ += at.size() + heap_bytes_of(segment->second);
    return segment;
  }

  // Neighbours that are alike become one.
  void join(typename Segments::iterator segment, typename Segments::iterator last) {
    while (segment != last) {
      const auto next = std::next(segment);
      if (next == last) break;
      if (next->second == segment->second) {
        heap_bytes_ -= next->first.size() + heap_bytes_of(next->second);
        segments_.erase(next);
      } else {
        segment = next;
      }
    }
  }

  Segments segments_;
  std::size_t heap_bytes_ = 0;
};

}  // namespace isolith::locking

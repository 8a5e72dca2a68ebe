#include "locking/recent_commits.h"

#include <algorithm>
#include <utility>

namespace isolith::locking {
namespace {

struct Visit {
  const AccessSets* at = nullptr;
  std::size_t from = 0;  // the visit that led here
  WayBefore way;
};

void tell(const std::vector<Visit>& visits, std::size_t last, const WayBefore& back, Circle& circle) {
  std::vector<std::size_t> places;
  for (std::size_t at = last; at != 0; at = visits[at].from) places.push_back(at);
  places.push_back(0);
  std::reverse(places.begin(), places.end());
  for (std::size_t i = 0; i < places.size(); ++i) {
    circle.members.push_back(member_of(*visits[places[i]].at));
    const WayBefore& way = i + 1 < places.size() ? visits[places[i + 1]].way : back;
    circle.ways.push_back({way.kind, way.table, std::string(way.key), true});
  }
}

}  // namespace

void RecentCommits::make_next() {
  const std::lock_guard lock(latch_);
  next_ = (places_[place_behind(at_)] = std::make_unique<AccessSets>(room_)).get();
}

AccessSets* RecentCommits::oldest_with_room() noexcept {
  for (std::size_t at = place_behind(at_); at != at_; at = place_behind(at)) {
    if (places_[at] != nullptr && places_[at]->shared_bytes != 0) return places_[at].get();
  }
  return nullptr;
}

std::int64_t RecentCommits::room_of_others() const noexcept {
  std::int64_t bytes = 0;
  for (const std::unique_ptr<AccessSets>& sets : places_) {
    if (sets != nullptr && sets.get() != current_) bytes += sets->shared_bytes;
  }
  return bytes;
}

// With the latch also where it is not kept any more: who began to look before that may look still.
void RecentCommits::drop(AccessSets& sets) noexcept {
  {
    const std::lock_guard lock(latch_);
    if (sets.is_kept.load(std::memory_order_relaxed)) {
      raise_complete_after(sets.commit_ts);
      sets.is_kept.store(false, std::memory_order_release);
    }
  }
  sets.drop_room();
}

Circle::Member member_of(const AccessSets& sets) {
  return {sets.number, std::string(sets.level), sets.label, sets.commit_ts, true};
}

// Breadth first from it, so that the circle is a shortest one.
Search find_circle(const AccessSets& sets, const std::vector<const AccessSets*>& others, Circle& circle) {
  std::vector<Visit> visits{{&sets, 0, {}}};
  std::vector<const AccessSets*> left = others;
  for (std::size_t at = 0; at < visits.size(); ++at) {
    if (at > RecentCommits::kVisitsMax) return Search::too_many;
    const AccessSets& from = *visits[at].at;
    if (at > 0) {
      if (const auto back = comes_before(from, sets)) {
        tell(visits, at, *back, circle);
        return Search::circle;
      }
    }
    std::erase_if(left, [&](const AccessSets* to) {
      const auto way = comes_before(from, *to);
      if (way) visits.push_back({to, at, *way});
      return way.has_value();
    });
  }
  return visits.size() == 1 ? Search::before_nobody : Search::no_circle;
}

}  // namespace isolith::locking

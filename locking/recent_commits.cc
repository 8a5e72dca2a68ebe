#include "locking/recent_commits.h"

#include <algorithm>
#include <utility>

namespace isolith::locking {

Circle::Member member_of(const AccessSets& sets) {
  return {sets.number, sets.level, sets.label, sets.commit_ts, true};
}

boost::intrusive_ptr<AccessSets> RecentCommits::add(const boost::intrusive_ptr<AccessSets>& sets,
                                                    std::uint64_t& name) {
  const bool is_kept = sets->reads.size() + sets->ranges.size() + sets->writes.size() <= kAccessesMax;
  const std::lock_guard lock(mutex_);
  if (!is_kept) complete_after_ = std::max(complete_after_, sets->commit_ts);
  name = added_++;
  boost::intrusive_ptr<AccessSets> before = std::move(ring_[name % kSize]);
  if (before != nullptr) complete_after_ = std::max(complete_after_, before->commit_ts);
  if (is_kept) ring_[name % kSize] = sets;
  return before;
}

void RecentCommits::take_back(std::uint64_t name) {
  const std::lock_guard lock(mutex_);
  if (added_ - name <= kSize) ring_[name % kSize].reset();
}

void RecentCommits::note_unknown(std::uint64_t commit_ts) {
  const std::lock_guard lock(mutex_);
  complete_after_ = std::max(complete_after_, commit_ts);
}

std::uint64_t RecentCommits::complete_after() {
  const std::lock_guard lock(mutex_);
  return complete_after_;
}

void RecentCommits::tell(const std::vector<Visit>& visits, std::size_t last, const WayBefore& back,
                         Circle& circle) {
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

// Breadth first from it, so that the circle is a shortest one. At most kSize visits of kSize questions.
bool RecentCommits::closes_circle(const AccessSets& sets, Circle& circle) {
  const std::lock_guard lock(mutex_);
  std::vector<Visit> visits{{&sets, 0, {}}};
  std::array<bool, kSize> is_visited{};
  for (std::size_t at = 0; at < visits.size(); ++at) {
    const AccessSets& from = *visits[at].at;
    if (at > 0) {
      if (const auto back = comes_before(from, sets)) {
        tell(visits, at, *back, circle);
        return true;
      }
    }
    for (std::size_t i = 0; i < kSize; ++i) {
      const AccessSets* const to = ring_[i].get();
      if (to == nullptr || is_visited[i]) continue;
      if (const auto way = comes_before(from, *to)) {
        is_visited[i] = true;
        visits.push_back({to, at, *way});
      }
    }
  }
  return false;
}

}  // namespace isolith::locking

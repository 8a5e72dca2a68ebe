#include "pages/page_map.h"

#include <algorithm>

#include "base/check.h"

namespace isolith::pages {
namespace {

// A checkpoint's own pages look this far for a free id before they take a new one.
constexpr std::size_t kFreeIdsLookedAt = 64;

}  // namespace

PageMap::Entry& PageMap::entry(PageId id) {
  return chunks_[raw(id) / kMapFanout]->entries[raw(id) % kMapFanout];
}

const PageMap::Entry& PageMap::entry(PageId id) const {
  return chunks_[raw(id) / kMapFanout]->entries[raw(id) % kMapFanout];
}

void PageMap::ensure(PageId id) {
  while (chunks_.size() <= raw(id) / kMapFanout) chunks_.push_back(std::make_unique<Chunk>());
  if (allocated_.size() <= raw(id)) allocated_.resize(std::size_t{raw(id)} + 1);
}

void PageMap::note_change(PageId id, bool later) {
  (later ? chunk(id).changed_later : chunk(id).changed) = true;
}

// Frees `slot` unless one of the entry's images is there.
void PageMap::drop(const Entry& e, SlotId slot) {
  if (slot == kNoSlot || slot == e.current.slot || slot == e.checkpoint) return;
  if (is_captured(e) && slot == e.next.slot) return;
  slots_.release(slot);
}

// The image of the intervals before the checkpoint in progress is what `current` holds: keep it from being
// replaced.
void PageMap::capture(Entry& e) {
  if (active_ == 0 || is_captured(e)) return;
  e.next = e.current;
  e.next_of = active_;
}

PageId PageMap::allocate_id() {
  const std::lock_guard lock(mutex_);
  PageId id{id_count_};
  if (free_ids_.empty()) {
    ++id_count_;
  } else {
    id = free_ids_.back();
    free_ids_.pop_back();
  }
  return take_id(id);
}

PageId PageMap::allocate_checkpoint_id() {
  const std::lock_guard lock(mutex_);
  // Those that the last checkpoint's undo had were freed just before the instant: they are at the end.
  const std::size_t first = free_ids_.size() - std::min(free_ids_.size(), kFreeIdsLookedAt);
  for (std::size_t i = free_ids_.size(); i-- > first;) {
    const PageId id = free_ids_[i];
    if (is_captured(entry(id))) continue;
    free_ids_[i] = free_ids_.back();
    free_ids_.pop_back();
    return take_id(id);
  }
  return take_id(PageId{id_count_++});
}

PageId PageMap::take_id(PageId id) {
  ensure(id);
  allocated_[raw(id)] = true;
  ++pages_in_use_;
  return id;
}

void PageMap::free_id(PageId id) {
  const std::lock_guard lock(mutex_);
  CHECK(raw(id) < allocated_.size() && allocated_[raw(id)], "a page is freed once");
  Entry& e = entry(id);
  capture(e);
  const SlotId old = e.current.slot;
  e.current = {};
  drop(e, old);
  note_change(id, active_ != 0);
  allocated_[raw(id)] = false;
  --pages_in_use_;
  free_ids_.push_back(id);
}

std::uint32_t PageMap::id_count() const {
  const std::lock_guard lock(mutex_);
  return id_count_;
}

std::uint32_t PageMap::pages_in_use() const {
  const std::lock_guard lock(mutex_);
  return pages_in_use_;
}

bool PageMap::is_allocated(PageId id) const {
  const std::lock_guard lock(mutex_);
  return raw(id) < allocated_.size() && allocated_[raw(id)];
}

Location PageMap::current(PageId id) const {
  const std::lock_guard lock(mutex_);
  if (raw(id) >= allocated_.size() || !allocated_[raw(id)]) return {};
  return entry(id).current;
}

SlotId PageMap::allocate_slot() {
  const std::lock_guard lock(mutex_);
  return slots_.allocate();
}

void PageMap::release_slot(SlotId slot) {
  const std::lock_guard lock(mutex_);
  slots_.release(slot);
}

void PageMap::set_current(PageId id, const Location& location) {
  const std::lock_guard lock(mutex_);
  Entry& e = entry(id);
  const bool newer = active_ != 0 && location.version >= active_;
  if (newer) capture(e);
  const SlotId old = e.current.slot;
  e.current = location;
  drop(e, old);
  note_change(id, newer);
}

void PageMap::announce_preserved(PageId id) {
  const std::lock_guard lock(mutex_);
  if (active_ == 0) return;
  Entry& e = entry(id);
  DCHECK(!is_captured(e), "an image is preserved once");
  e.next = {};
  e.next_of = active_;
}

void PageMap::set_preserved(PageId id, const Location& location) {
  const std::lock_guard lock(mutex_);
  Entry& e = entry(id);
  if (!is_captured(e)) {
    slots_.release(location.slot);
    return;
  }
  CHECK(e.next.slot == kNoSlot, "a preserved image was announced");
  e.next = location;
  note_change(id, false);
}

void PageMap::begin_checkpoint(std::uint32_t number) {
  const std::lock_guard lock(mutex_);
  CHECK(active_ == 0, "one checkpoint at a time");
  active_ = number;
}

Location PageMap::image_for_checkpoint(PageId id) const {
  const std::lock_guard lock(mutex_);
  if (raw(id) / kMapFanout >= chunks_.size()) return {};
  return checkpoint_image(entry(id));
}

bool PageMap::move_checkpoint_image(PageId id, const Location& from, const Location& to) {
  const std::lock_guard lock(mutex_);
  Entry& e = entry(id);
  if (!(checkpoint_image(e) == from)) {
    slots_.release(to.slot);
    return false;
  }
  if (e.current == from) e.current = to;
  e.next = to;
  e.next_of = active_;
  // A reader may have asked for the old place a moment ago: it stays what it is until the publication.
  if (from.slot != e.checkpoint) moved_away_.push_back(from.slot);
  note_change(id, false);
  return true;
}

std::vector<PageId> PageMap::pages_behind(SlotId slot, std::size_t count_max) const {
  const std::lock_guard lock(mutex_);
  std::vector<PageId> found;
  for (std::uint32_t id = 1; id < id_count_ && found.size() < count_max; ++id) {
    if (raw(checkpoint_image(entry(PageId{id})).slot) >= raw(slot)) found.push_back(PageId{id});
  }
  return found;
}

std::vector<std::uint32_t> PageMap::changed_chunks() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint32_t> changed;
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    if (chunks_[i]->changed) changed.push_back(static_cast<std::uint32_t>(i));
  }
  return changed;
}

void PageMap::rewrite_chunk(std::uint32_t index) {
  const std::lock_guard lock(mutex_);
  chunks_[index]->changed = true;
}

void PageMap::publish_checkpoint(const std::vector<SlotId>& retired) {
  const std::lock_guard lock(mutex_);
  for (const auto& c : chunks_) {
    if (!c->changed && !c->changed_later) continue;
    for (Entry& e : c->entries) {
      const SlotId old = e.checkpoint;
      const SlotId published = checkpoint_image(e).slot;
      e.next_of = 0;
      e.checkpoint = published;
      if (old != published) drop(e, old);
    }
    c->changed = std::exchange(c->changed_later, false);
  }
  for (const SlotId slot : retired) slots_.release(slot);
  for (const SlotId slot : moved_away_) slots_.release(slot);
  moved_away_.clear();
  active_ = 0;
}

void PageMap::abandon_checkpoint(const std::vector<SlotId>& written) {
  const std::lock_guard lock(mutex_);
  for (const auto& c : chunks_) {
    if (!c->changed && !c->changed_later) continue;
    for (Entry& e : c->entries) {
      if (!is_captured(e)) continue;
      e.next_of = 0;
      drop(e, e.next.slot);
    }
    c->changed = true;
    c->changed_later = false;
  }
  for (const SlotId slot : written) slots_.release(slot);
  active_ = 0;  // moved_away_ waits for the next publication: a reader may still be at the old places
}

bool PageMap::restore(PageId id, const Location& location, std::uint32_t slot_limit) {
  const std::lock_guard lock(mutex_);
  ensure(id);
  if (location.slot == kNoSlot) return true;
  if (raw(location.slot) < kReservedSlots || raw(location.slot) >= slot_limit) return false;
  if (!slots_.mark(location.slot)) return false;
  Entry& e = entry(id);
  e.current = location;
  e.checkpoint = location.slot;
  allocated_[raw(id)] = true;
  ++pages_in_use_;
  return true;
}

bool PageMap::restore_map_slot(SlotId slot, std::uint32_t slot_limit) {
  const std::lock_guard lock(mutex_);
  return raw(slot) >= kReservedSlots && raw(slot) < slot_limit && slots_.mark(slot);
}

void PageMap::restore_done(std::uint32_t id_count) {
  const std::lock_guard lock(mutex_);
  id_count_ = std::max(id_count, std::uint32_t{1});
  ensure(PageId{id_count_ - 1});
  free_ids_.clear();
  for (std::uint32_t id = id_count_ - 1; id >= 1; --id) {
    if (!allocated_[id]) free_ids_.push_back(PageId{id});
  }
}

Status PageMap::with_slot_end(const std::function<Status(std::uint32_t)>& work) {
  const std::lock_guard lock(mutex_);
  return work(slots_.end());
}

std::uint32_t PageMap::slot_end() {
  const std::lock_guard lock(mutex_);
  return slots_.end();
}

std::uint32_t PageMap::slots_used() const {
  const std::lock_guard lock(mutex_);
  return slots_.used();
}

}  // namespace isolith::pages

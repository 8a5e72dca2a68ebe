// PageMap: where the image of each logical page is, now and in the checkpoints.
//
// For every page id there are up to three images in the data file:
//   current      the newest one written; what a cache miss reads
//   checkpoint   the one that the last published checkpoint refers to; never overwritten
//   next         the one that the checkpoint in progress will refer to, where that is not `current`
//
// Invariants:
//   1. A slot is free iff no page and no map page refers to it as any of the three, and it is not waiting for
//      the publication that drops its last reference.
//   2. While checkpoint n is in progress, `image_for_checkpoint(id)` is the page's last image of the
//      intervals before n, from the moment that this image is written on: a write of a newer one captures it
//      as `next` first.
//   3. Without a checkpoint in progress `next` means nothing.
//
// Threads: any; one mutex, held for the look-up only, never during input or output.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/ids.h"
#include "isolith/status.h"
#include "pages/slot_allocator.h"

namespace isolith::pages {

// An image in the data file. On disk in map pages: slot u32, CRC-32C u32, version u32.
struct Location {
  SlotId slot = kNoSlot;
  std::uint32_t crc = 0;
  std::uint32_t version = 0;

  friend bool operator==(const Location&, const Location&) = default;
};
inline constexpr std::size_t kLocationBytes = 12;
inline constexpr std::uint32_t kReservedSlots = 2;
inline constexpr unsigned kMapFanout = 681;  // locations that fit a map page

class PageMap {
 public:
  PageMap() : slots_(kReservedSlots) {}

  // ---- page ids ----

  PageId allocate_id();             // lowest numbers first where some were freed
  // One that the checkpoint in progress has no image of: what is written to it belongs to that checkpoint.
  PageId allocate_checkpoint_id();
  void free_id(PageId id);          // its images go when no checkpoint needs them
  [[nodiscard]] std::uint32_t id_count() const;      // ids ever given out, 0 included
  [[nodiscard]] std::uint32_t pages_in_use() const;
  [[nodiscard]] bool is_allocated(PageId id) const;

  // ---- images ----

  [[nodiscard]] Location current(PageId id) const;
  SlotId allocate_slot();
  void release_slot(SlotId slot);   // one that was allocated and never became an image

  // A page was written out; `location.version` is the interval of its last change.
  void set_current(PageId id, const Location& location);

  // A writer keeps the image of an older interval for the checkpoint: first announce, later set, once it is
  // written. The image is free at once where that checkpoint was given up meanwhile.
  void announce_preserved(PageId id);
  void set_preserved(PageId id, const Location& location);

  // ---- checkpoints ----

  // From now on intervals before `number` belong to checkpoint `number`, newer changes to the one after.
  void begin_checkpoint(std::uint32_t number);

  // The page's image in the checkpoint in progress; slot 0: none.
  [[nodiscard]] Location image_for_checkpoint(PageId id) const;

  // Moves a page's checkpoint image from `from` to `to`, unless it is elsewhere by now (then false, `to` is
  // released).
  bool move_checkpoint_image(PageId id, const Location& from, const Location& to);

  // Pages whose checkpoint image lies at or behind `slot`, at most `count_max`.
  [[nodiscard]] std::vector<PageId> pages_behind(SlotId slot, std::size_t count_max) const;

  // Map pages of level 0 that differ from the last published checkpoint.
  [[nodiscard]] std::vector<std::uint32_t> changed_chunks() const;
  // Has a map page of level 0 written again though nothing in it changed, so that it gets another slot.
  void rewrite_chunk(std::uint32_t index);

  // The checkpoint in progress is durable: what only the one before it needed is free. `retired` are its map
  // pages.
  void publish_checkpoint(const std::vector<SlotId>& retired);
  // It is given up: everything is as if it had not begun. `written` are map pages it wrote.
  void abandon_checkpoint(const std::vector<SlotId>& written);

  // ---- opening ----

  // A location that a map page refers to. False when its slot is taken already or out of `slot_limit`.
  bool restore(PageId id, const Location& location, std::uint32_t slot_limit);
  bool restore_map_slot(SlotId slot, std::uint32_t slot_limit);
  void restore_done(std::uint32_t id_count);  // ids without an image are free

  // ---- figures ----

  // Calls `work` with the end, while no slot can be given out.
  Status with_slot_end(const std::function<Status(std::uint32_t)>& work);
  [[nodiscard]] std::uint32_t slot_end();     // one past the highest slot in use
  [[nodiscard]] std::uint32_t slots_used() const;

 private:
  struct Entry {
    Location current;
    Location next;
    SlotId checkpoint = kNoSlot;
    std::uint32_t next_of = 0;      // the checkpoint that `next` is for; 0: of none
  };
  struct Chunk {
    Entry entries[kMapFanout];
    bool changed = false;           // for the checkpoint in progress, or the next one if none is
    bool changed_later = false;     // for the one after the checkpoint in progress
  };

  Entry& entry(PageId id);
  [[nodiscard]] const Entry& entry(PageId id) const;
  Chunk& chunk(PageId id) { return *chunks_[raw(id) / kMapFanout]; }
  void ensure(PageId id);
  PageId take_id(PageId id);
  void capture(Entry& e);
  void note_change(PageId id, bool later);
  [[nodiscard]] bool is_captured(const Entry& e) const { return active_ != 0 && e.next_of == active_; }
  [[nodiscard]] Location checkpoint_image(const Entry& e) const {
    return is_captured(e) ? e.next : e.current;
  }
  void drop(const Entry& e, SlotId slot);

  mutable std::mutex mutex_;
  SlotAllocator slots_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<PageId> free_ids_;
  std::vector<bool> allocated_;
  std::uint32_t id_count_ = 1;      // id 0 names no page
  std::uint32_t pages_in_use_ = 0;
  std::uint32_t active_ = 0;        // number of the checkpoint in progress; 0: none
  std::vector<SlotId> moved_away_;  // old places of moved images, freed with the publication
};

}  // namespace isolith::pages

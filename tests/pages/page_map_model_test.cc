// The page map under random use, as the cache and the checkpointer use it, against a model of the disk: what
// stands in each slot. A published checkpoint must stay whole whatever is written, a checkpoint in progress
// must have the pages of its instant, and no slot may be lost.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <vector>

#include "base/random.h"
#include "pages/page_map.h"
#include "tests/support/seed.h"

namespace isolith::pages {
namespace {

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {}

  void step() {
    switch (random_.below(8)) {
      case 0: allocate(); break;
      case 1: free_one(); break;
      case 2:
      case 3:
      case 4: change(); break;
      default: evict(); break;
    }
  }

  void begin() {
    map_.begin_checkpoint(++interval_);
    active_ = true;
    instant_.clear();
    for (const auto& [id, page] : pages_) instant_[id] = page.stamp;
  }

  // What the checkpointer does after the instant, with writers between its steps.
  void write_pages() {
    std::vector<PageId> ids;
    for (const auto& [id, page] : pages_) ids.push_back(id);
    for (const PageId id : ids) {
      if (random_.chance(1, 2)) step();
      const auto at = pages_.find(id);
      if (at != pages_.end() && at->second.dirty && at->second.version < interval_) write_out(id, at->second);
    }
    while (!preserved_.empty()) write_preserved();
  }

  void move_images() {
    for (const PageId id : map_.pages_behind(SlotId{map_.slots_used()}, 20)) {
      const Location from = map_.image_for_checkpoint(id);
      if (from.slot == kNoSlot) continue;
      const std::uint64_t stamp = disk_.at(from.slot);
      const SlotId slot = take_slot(stamp);
      if (random_.chance(1, 2)) step();
      map_.move_checkpoint_image(id, from, Location{slot, from.crc, from.version});
    }
  }

  void publish() {
    std::vector<SlotId> written;
    for (int i = 0; i < 3; ++i) written.push_back(take_slot(0));
    for (const auto& [id, stamp] : instant_) {
      const Location image = map_.image_for_checkpoint(id);
      ASSERT_NE(image.slot, kNoSlot) << "page " << raw(id);
      ASSERT_EQ(disk_.at(image.slot), stamp) << "page " << raw(id);
    }
    for (std::uint32_t id = 1; id < map_.id_count(); ++id) {
      if (instant_.count(PageId{id}) == 0) {
        ASSERT_EQ(map_.image_for_checkpoint(PageId{id}), Location{});
      }
    }
    std::map<PageId, SlotId> images;
    for (const auto& [id, stamp] : instant_) images[id] = map_.image_for_checkpoint(id).slot;
    map_.publish_checkpoint(map_slots_);
    published_ = std::move(images);
    published_stamps_ = instant_;
    map_slots_ = written;
    active_ = false;
  }

  void abandon() {
    std::vector<SlotId> written;
    for (int i = 0; i < 2; ++i) written.push_back(take_slot(0));
    preserved_.clear();
    map_.abandon_checkpoint(written);
    active_ = false;
  }

  // Everything that is to be kept is there, and everything else is free.
  void check() {
    for (const auto& [id, slot] : published_) ASSERT_EQ(disk_.at(slot), published_stamps_.at(id)) << raw(id);
    for (const auto& [id, page] : pages_) {
      const Location current = map_.current(id);
      ASSERT_EQ(current.slot != kNoSlot, page.written != 0);
      if (page.written != 0) {
        ASSERT_EQ(disk_.at(current.slot), page.written);
      }
    }
    ASSERT_EQ(map_.pages_in_use(), pages_.size());
  }

  void free_everything() {
    while (!pages_.empty()) free_one();
  }
  [[nodiscard]] std::uint32_t slots_used() const { return map_.slots_used(); }
  [[nodiscard]] std::size_t map_slots() const { return map_slots_.size(); }
  base::Random& random() { return random_; }

 private:
  struct Page {
    std::uint64_t stamp = 0;    // of its contents in memory
    std::uint64_t written = 0;  // of its newest image
    std::uint32_t version = 0;
    bool dirty = true;
  };
  struct Preserved {
    PageId id;
    std::uint64_t stamp;
  };

  // The slot for a write. No published page may be there.
  SlotId take_slot(std::uint64_t stamp) {
    const SlotId slot = map_.allocate_slot();
    for (const auto& [id, used] : published_) EXPECT_NE(used, slot) << "of the published page " << raw(id);
    for (const SlotId used : map_slots_) EXPECT_NE(used, slot) << "of a published map page";
    disk_[slot] = stamp;
    return slot;
  }

  PageId any_page() {
    const auto index = static_cast<std::ptrdiff_t>(random_.below(pages_.size()));
    return std::next(pages_.begin(), index)->first;
  }

  void allocate() {
    if (pages_.size() >= 1500) return;
    for (std::uint64_t i = random_.below(4); i > 0; --i) {
      pages_[map_.allocate_id()] = {++stamps_, 0, interval_, true};
    }
  }

  void touch(PageId id, Page& page) {
    if (page.version != interval_) {
      if (page.dirty && active_) {
        map_.announce_preserved(id);
        preserved_.push_back({id, page.stamp});
        if (random_.chance(1, 4)) write_preserved();
      }
      page.version = interval_;
    }
    page.dirty = true;
    page.stamp = ++stamps_;
  }

  void change() {
    if (pages_.empty()) return;
    const PageId id = any_page();
    touch(id, pages_.at(id));
  }

  void free_one() {
    if (pages_.empty()) return;
    const PageId id = any_page();
    touch(id, pages_.at(id));
    map_.free_id(id);
    pages_.erase(id);
  }

  void evict() {
    if (pages_.empty()) return;
    const PageId id = any_page();
    Page& page = pages_.at(id);
    if (page.dirty) write_out(id, page);
  }

  void write_out(PageId id, Page& page) {
    const SlotId slot = take_slot(page.stamp);
    map_.set_current(id, Location{slot, static_cast<std::uint32_t>(page.stamp), page.version});
    page.written = page.stamp;
    page.dirty = false;
  }

  void write_preserved() {
    const Preserved image = preserved_.back();
    preserved_.pop_back();
    const SlotId slot = take_slot(image.stamp);
    map_.set_preserved(image.id, Location{slot, static_cast<std::uint32_t>(image.stamp), interval_ - 1});
  }

  PageMap map_;
  base::Random random_;
  std::map<PageId, Page> pages_;
  std::map<SlotId, std::uint64_t> disk_;
  std::map<PageId, std::uint64_t> instant_;
  std::map<PageId, SlotId> published_;
  std::map<PageId, std::uint64_t> published_stamps_;
  std::vector<SlotId> map_slots_;
  std::vector<Preserved> preserved_;
  std::uint64_t stamps_ = 0;
  std::uint32_t interval_ = 1;
  bool active_ = false;
};

void use(Model& model, std::uint64_t steps_max) {
  for (std::uint64_t i = model.random().below(steps_max); i > 0; --i) {
    model.step();
    if (i % 32 == 0) model.check();
  }
}

TEST(PageMapModel, CheckpointsHoldTheirInstantAndNoSlotIsLost) {
  for (std::uint64_t round = 0; round < 30; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Model model(testing::test_seed() + round);
    for (int checkpoint = 0; checkpoint < 12; ++checkpoint) {
      use(model, 600);
      model.begin();
      use(model, 200);
      const bool gives_up = model.random().chance(1, 3);
      if (!gives_up || model.random().chance(1, 2)) {
        model.write_pages();
        if (model.random().chance(1, 2)) model.move_images();
        use(model, 100);
      }
      if (gives_up) {
        model.abandon();
      } else {
        model.publish();
      }
      model.check();
      if (::testing::Test::HasFailure()) return;
    }
    model.free_everything();
    for (int i = 0; i < 2; ++i) {
      model.begin();
      model.write_pages();
      model.publish();
    }
    ASSERT_EQ(model.slots_used(), kReservedSlots + model.map_slots());
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace isolith::pages

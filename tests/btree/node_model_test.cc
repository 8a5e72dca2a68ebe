// Node against std::map: chains of leaves and of inner nodes that split and merge, and searching between any
// fences.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "btree/node.h"
#include "tests/btree/node_pages.h"

namespace isolith::btree {
namespace {

using namespace node_pages;
using pages::kPageBytes;

rc::Gen<std::string> any_key() {
  using rc::gen::apply;
  using rc::gen::inRange;
  const auto hostile =
      rc::gen::resize(6, rc::gen::container<std::string>(rc::gen::element('\0', 'a', '\xFF')));
  const auto text = rc::gen::map(inRange(0, 4000), [](int number) {
    const std::string digits = std::to_string(number);
    return std::string("user/").append(8 - digits.size(), '0').append(digits);
  });
  const auto longest = apply(
      [](std::size_t size, const std::string& tail) {
        return std::string(size, 'a') + tail.substr(0, kKeyBytesMax - size);
      },
      inRange<std::size_t>(0, kKeyBytesMax + 1), hostile);
  return rc::gen::weightedOneOf<std::string>({{6, hostile}, {6, text}, {1, longest}});
}

struct Step {
  enum class Kind { put, put_appending, erase, look } kind = Kind::put;
  std::string key;
  std::size_t value_bytes = 0;
  std::uint64_t writer = 0;
};

void showValue(const Step& step, std::ostream& out) {
  out << "{" << static_cast<int>(step.kind) << ", key of " << step.key.size() << ", value of "
      << step.value_bytes << "}";
}

rc::Gen<std::vector<Step>> any_steps() {
  const auto step = rc::gen::build<Step>(
      rc::gen::set(&Step::kind, rc::gen::element(Step::Kind::put, Step::Kind::put, Step::Kind::put_appending,
                                                 Step::Kind::erase, Step::Kind::look)),
      rc::gen::set(&Step::key, any_key()),
      rc::gen::set(&Step::value_bytes, rc::gen::weightedOneOf<std::size_t>(
                                           {{6, rc::gen::inRange<std::size_t>(0, 60)},
                                            {1, rc::gen::inRange<std::size_t>(0, kInlineRowBytesMax + 1)}})),
      rc::gen::set(&Step::writer, rc::gen::inRange<std::uint64_t>(1, std::uint64_t{1} << 56)));
  return rc::gen::scale(6.0, rc::gen::container<std::vector<Step>>(step));
}

// Neighbouring nodes of one level, with the loop that the tree has around splits.
class Chain {
 public:
  explicit Chain(unsigned level) { nodes_.push_back(new_page(level, "", nullptr)); }

  std::size_t index(std::string_view key) {
    std::size_t at = 0;
    while (!nodes_[at]->node().covers(key)) ++at;
    return at;
  }
  Node& find(std::string_view key) { return nodes_[index(key)]->node(); }
  std::vector<std::unique_ptr<Page>>& nodes() { return nodes_; }

  // Splits until `change`, which gets the node that covers the key, succeeds.
  template <typename Change>
  void make_room(std::string_view key, bool appending, std::size_t row_bytes, Change change) {
    while (!change(find(key))) {
      const std::size_t at = index(key);
      Node& node = nodes_[at]->node();
      const unsigned before = node.count();
      const Node::Split split = node.choose_split(key, appending, row_bytes);
      auto left = std::make_unique<Page>();
      node.split_left_into(left->node(), split);
      check(left->node());
      check(node);
      RC_ASSERT(left->node().upper_fence() == split.separator && node.lower_fence() == split.separator);
      nodes_.insert(nodes_.begin() + static_cast<std::ptrdiff_t>(at), std::move(left));
      RC_ASSERT(find(key).count() < before);
    }
  }

  void merge_at(std::size_t at) {
    if (at == 0) return;
    Node& left = nodes_[at - 1]->node();
    Node& node = nodes_[at]->node();
    const std::string separator(node.lower_fence());
    if (!node.can_merge_left(left, separator)) return;
    node.merge_left(left, separator);
    check(node);
    RC_ASSERT(node.used_bytes() <= kPageBytes - kPageBytes / 8);
    nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(at) - 1);
  }

  static void check(const Node& node) {
    const char* wrong = node.check();
    if (wrong != nullptr) RC_FAIL(std::string(wrong));
  }

 private:
  std::vector<std::unique_ptr<Page>> nodes_;
};

struct Row {
  std::uint64_t writer;
  std::string value;
};
using Model = std::map<std::string, Row>;

void expect_same(Chain& chain, const Model& model) {
  auto expected = model.begin();
  for (const auto& page : chain.nodes()) {
    const Node& node = page->node();
    Chain::check(node);
    for (unsigned slot = 0; slot < node.count(); ++slot, ++expected) {
      RC_ASSERT(expected != model.end());
      RC_ASSERT(key_at(node, slot) == expected->first);
      RC_ASSERT(node.key_bytes(slot) == expected->first.size());
      RC_ASSERT(node.row(slot).value == expected->second.value);
      RC_ASSERT(raw(node.row(slot).writer) == expected->second.writer);
      RC_ASSERT(raw(node.newest_writer()) >= expected->second.writer);
      const Position at = node.lower_bound(expected->first);
      RC_ASSERT(at.found && at.slot == slot);
    }
  }
  RC_ASSERT(expected == model.end());
}

RC_GTEST_PROP(NodeModel, LeavesThatSplitAndMergeHoldWhatAMapHolds, ()) {
  Chain chain(0);
  Model model;
  for (const Step& step : *any_steps()) {
    const std::size_t value_bytes = std::min(step.value_bytes, kInlineRowBytesMax - step.key.size());
    const std::size_t at = chain.index(step.key);
    Node& node = chain.nodes()[at]->node();
    const Position position = node.lower_bound(step.key);
    RC_ASSERT(position.found == model.contains(step.key));
    if (step.kind == Step::Kind::erase) {
      if (!position.found) continue;
      node.remove_row(position.slot);
      model.erase(step.key);
      Chain::check(node);
      chain.merge_at(at);
      chain.merge_at(std::min(at + 1, chain.nodes().size() - 1));
    } else if (step.kind == Step::Kind::look) {
      const auto next = model.lower_bound(step.key);
      if (position.slot < node.count()) RC_ASSERT(key_at(node, position.slot) == next->first);
      if (position.slot > 0) RC_ASSERT(key_at(node, position.slot - 1) < step.key);
    } else {
      const std::string value = pattern(value_bytes, static_cast<unsigned>(step.writer));
      const bool appending = step.kind == Step::Kind::put_appending;
      chain.make_room(step.key, appending, step.key.size() + value.size(), [&](Node& leaf) {
        const Node before = leaf;
        const Position place = leaf.lower_bound(step.key);
        const bool room = place.found ? leaf.free_bytes() + leaf.row(place.slot).value.size() >= value.size()
                                      : leaf.has_room_for_row(step.key.size(), value.size());
        const bool done = put(leaf, step.key, value, step.writer);
        Chain::check(leaf);
        RC_ASSERT(done == room);
        if (!done) RC_ASSERT(std::memcmp(&before, &leaf, sizeof before) == 0);
        return done;
      });
      model[step.key] = {step.writer, value};
    }
  }
  expect_same(chain, model);
}

// Inner nodes: the model holds every separator, those that moved up too, with the child below it.
RC_GTEST_PROP(NodeModel, InnerNodesThatSplitAndMergeLeadWhereAMapLeads, ()) {
  Chain chain(1);
  constexpr PageId kLast{1'000'000};
  chain.find("").set_upper_child(kLast);
  std::map<std::string, PageId> model;
  std::uint32_t last_child = 0;
  for (const Step& step : *any_steps()) {
    const std::size_t at = chain.index(step.key);
    Node& node = chain.nodes()[at]->node();
    const Position position = node.lower_bound(step.key);
    if (step.kind == Step::Kind::look) {
      const auto next = model.upper_bound(step.key);
      unsigned slot = 0;
      RC_ASSERT(node.child_for(step.key, &slot) == (next == model.end() ? kLast : next->second));
      RC_ASSERT(node.child(slot) == node.child_for(step.key, &slot));
    } else if (step.kind == Step::Kind::erase) {
      if (!position.found) continue;
      node.remove_separator(position.slot);
      model.erase(step.key);
      Chain::check(node);
      chain.merge_at(at);
      chain.merge_at(std::min(at + 1, chain.nodes().size() - 1));
    } else if (model.contains(step.key)) {
      if (!position.found) continue;  // it moved up
      node.set_child(position.slot, PageId{++last_child});
      model[step.key] = PageId{last_child};
    } else if (!step.key.empty()) {
      const bool appending = step.kind == Step::Kind::put_appending;
      ++last_child;
      chain.make_room(step.key, appending, 0, [&](Node& inner) {
        const bool room = inner.has_room_for_separator(step.key.size());
        const bool done = inner.insert_separator(step.key, PageId{last_child});
        Chain::check(inner);
        RC_ASSERT(done == room);
        return done;
      });
      model[step.key] = PageId{last_child};
    }
  }
  for (const auto& [separator, child] : model) {
    unsigned slot = 0;
    const auto next = model.upper_bound(separator);
    RC_ASSERT(chain.find(separator).child_for(separator, &slot) ==
              (next == model.end() ? kLast : next->second));
  }
  std::vector<PageId> children;
  for (const auto& page : chain.nodes())
    for (unsigned slot = 0; slot <= page->node().count(); ++slot)
      children.push_back(page->node().child(slot));
  std::vector<PageId> expected;
  for (const auto& [separator, child] : model) expected.push_back(child);
  expected.push_back(kLast);
  RC_ASSERT(children == expected);
}

// Fences of all kinds, keys of all kinds, inside and outside.
RC_GTEST_PROP(NodeModel, LowerBoundAgreesWithASortedVector, ()) {
  std::string lower = *any_key();
  std::string upper = *any_key();
  RC_PRE(lower != upper);
  if (upper < lower) std::swap(lower, upper);
  const auto page = new_leaf(lower, &upper);
  Node& node = page->node();
  std::map<std::string, int> keys;
  for (const std::string& key : *rc::gen::container<std::vector<std::string>>(any_key())) {
    const std::string inside = lower + key;
    if (inside.size() > kKeyBytesMax || !node.covers(inside)) continue;
    if (put(node, inside, "")) keys[inside] = 1;
    if (node.covers(key) && put(node, key, "")) keys[key] = 1;
  }
  Chain::check(node);
  RC_ASSERT(node.count() == keys.size());
  for (const std::string& key : *rc::gen::container<std::vector<std::string>>(any_key())) {
    for (const std::string& asked : {key, lower + key, upper + key, lower, upper}) {
      const auto expected = static_cast<unsigned>(std::distance(keys.begin(), keys.lower_bound(asked)));
      const Position at = node.lower_bound(asked);
      RC_ASSERT(at.slot == expected);
      RC_ASSERT(at.found == keys.contains(asked));
    }
  }
}

}  // namespace
}  // namespace isolith::btree

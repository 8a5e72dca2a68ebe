// Pages with nodes, for the tests of Node. Each is allocated with exactly its bytes, so that the address
// sanitizer sees every read outside.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "btree/node.h"

namespace isolith::btree::node_pages {

struct alignas(64) Page {
  char bytes[pages::kPageBytes];
  Node& node() { return *Node::at(bytes); }
};

inline std::unique_ptr<Page> new_page(unsigned level, std::string_view lower, const std::string* upper) {
  auto page = std::make_unique<Page>();
  std::memset(page->bytes, 0xA5, pages::kPageBytes);
  const std::string_view view = upper == nullptr ? std::string_view{} : *upper;
  page->node().format(level, lower, upper == nullptr ? nullptr : &view);
  return page;
}

inline std::unique_ptr<Page> new_leaf(std::string_view lower = "", const std::string* upper = nullptr) {
  return new_page(0, lower, upper);
}

inline bool put(Node& node, std::string_view key, std::string_view value, std::uint64_t writer = 1,
                RowFlags flags = RowFlags::none) {
  const Position at = node.lower_bound(key);
  if (at.found) return node.update_row(at.slot, TransactionId{writer}, flags, value);
  return node.insert_row(at.slot, key, TransactionId{writer}, flags, value);
}

inline std::string key_at(const Node& node, unsigned slot) {
  std::string key;
  node.append_key(slot, key);
  return key;
}

inline std::string pattern(std::size_t size, unsigned salt) {
  std::string value(size, '\0');
  for (std::size_t at = 0; at < size; ++at) value[at] = static_cast<char>(salt + at * 7);
  return value;
}

}  // namespace isolith::btree::node_pages

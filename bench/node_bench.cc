// One page: searching it hot and cold, inserting, and copying its rows out.
//
// "Cold" takes one of 20,000 leaves at random, 160 MB in huge pages, as the page cache has them; "prefetched"
// asks for the first lines of the page before searching it, as the tree does on its way down.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "btree/node.h"

namespace isolith::btree {
namespace {

using pages::kPageBytes;

constexpr std::size_t kLeaves = 20'000;
constexpr std::size_t kRowsPerLeaf = 45;  // seven tenths full, as after random inserts
constexpr std::size_t kKeyBytes = 16;
const std::string kValue(100, 'v');

std::string random_key(std::uint64_t leaf, std::mt19937_64& random) {
  // Leaf n of all holds the keys that begin with n's share of the 64-bit numbers.
  const std::uint64_t share = ~std::uint64_t{0} / kLeaves;
  std::string key(kKeyBytes, '\0');
  base::store(key.data(), __builtin_bswap64(leaf * share + random() % share));
  base::store(key.data() + 8, random());
  return key;
}

// Leaves with random keys, evenly spread over the range of all keys.
class Leaves {
 public:
  static Leaves& all() {
    static Leaves leaves;
    return leaves;
  }

  [[nodiscard]] Node& leaf(std::size_t index) const { return *Node::at(memory_ + index * kPageBytes); }
  [[nodiscard]] const std::string& key(std::size_t index, std::size_t row) const {
    return keys_[index * kRowsPerLeaf + row];
  }

 private:
  Leaves() {
    const std::size_t alignment = std::size_t{1} << 21;
    const std::size_t bytes = kLeaves * kPageBytes + alignment;
    void* raw = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) std::abort();
    const auto address = reinterpret_cast<std::uintptr_t>(raw);
    memory_ = static_cast<char*>(raw) + (alignment - address % alignment) % alignment;
    madvise(memory_, kLeaves * kPageBytes, MADV_HUGEPAGE);
    std::mt19937_64 random(1);
    for (std::size_t index = 0; index < kLeaves; ++index) fill(index, random);
  }

  void fill(std::size_t index, std::mt19937_64& random) {
    const std::uint64_t share = ~std::uint64_t{0} / kLeaves;
    std::string lower(8, '\0');
    std::string upper(8, '\0');
    base::store(lower.data(), __builtin_bswap64(index * share));
    base::store(upper.data(), __builtin_bswap64((index + 1) * share));
    const std::string_view bound = upper;
    leaf(index).format(0, lower, &bound);
    for (std::size_t row = 0; row < kRowsPerLeaf; ++row) {
      keys_.push_back(random_key(index, random));
      const Position at = leaf(index).lower_bound(keys_.back());
      leaf(index).insert_row(at.slot, keys_.back(), TransactionId{1}, RowFlags::none, kValue);
    }
  }

  char* memory_ = nullptr;
  std::vector<std::string> keys_;
};

// Which leaf and key come next, drawn before the measurement.
struct Draw {
  const Node* leaf;
  char key[kKeyBytes];
};
std::vector<Draw> draw(std::size_t leaves) {
  std::mt19937_64 random(2);
  std::vector<Draw> draws(std::size_t{1} << 16);
  for (Draw& next : draws) {
    const std::size_t index = random() % leaves;
    next.leaf = &Leaves::all().leaf(index);
    std::memcpy(next.key, Leaves::all().key(index, random() % kRowsPerLeaf).data(), kKeyBytes);
  }
  return draws;
}

void search(benchmark::State& state, std::size_t leaves, std::size_t prefetched_lines) {
  const std::vector<Draw> draws = draw(leaves);
  std::size_t at = 0;
  std::uint64_t sum = 0;
  for (auto step : state) {
    // The answer leads to the next key, as in a tree: look-ups do not overlap.
    const Draw& next = draws[(at++ + (sum & 1)) & (draws.size() - 1)];
    for (std::size_t line = 0; line < prefetched_lines; ++line)
      __builtin_prefetch(reinterpret_cast<const char*>(next.leaf) + line * 64);
    const Position position = next.leaf->lower_bound({next.key, kKeyBytes});
    if (!position.found) state.SkipWithError("a key was not found");
    sum += position.slot;
  }
  benchmark::DoNotOptimize(sum);
}
void lower_bound_hot(benchmark::State& state) { search(state, 1, 0); }
void lower_bound_cold(benchmark::State& state) { search(state, kLeaves, 0); }
void lower_bound_cold_prefetched(benchmark::State& state) { search(state, kLeaves, 10); }
BENCHMARK(lower_bound_hot);
BENCHMARK(lower_bound_cold);
BENCHMARK(lower_bound_cold_prefetched);

// Takes a row out of a leaf of 50 and puts it in again; the search is not in it.
void insert_and_remove(benchmark::State& state) {
  Node& leaf = Leaves::all().leaf(7);
  std::vector<std::uint64_t> memory(kPageBytes / sizeof(std::uint64_t));
  std::memcpy(memory.data(), &leaf, kPageBytes);
  Node& copy = *Node::at(memory.data());
  std::mt19937_64 random(3);
  std::vector<std::pair<unsigned, std::string>> rows;
  for (std::size_t row = 0; row < 1024; ++row) {
    const std::string& key = Leaves::all().key(7, random() % kRowsPerLeaf);
    rows.emplace_back(copy.lower_bound(key).slot, key);
  }
  std::size_t at = 0;
  for (auto step : state) {
    const auto& [slot, key] = rows[at++ % rows.size()];
    copy.remove_row(slot);
    benchmark::DoNotOptimize(copy.insert_row(slot, key, TransactionId{1}, RowFlags::none, kValue));
  }
}
BENCHMARK(insert_and_remove);

// Fills a page with rows in random order, searching included; per row.
void fill_page(benchmark::State& state) {
  std::vector<std::uint64_t> memory(kPageBytes / sizeof(std::uint64_t));
  Node& node = *Node::at(memory.data());
  for (auto step : state) {
    node.format(0, "", nullptr);
    for (std::size_t row = 0; row < kRowsPerLeaf; ++row) {
      const std::string& key = Leaves::all().key(9, row);
      const Position at = node.lower_bound(key);
      benchmark::DoNotOptimize(node.insert_row(at.slot, key, TransactionId{1}, RowFlags::none, kValue));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRowsPerLeaf));
}
BENCHMARK(fill_page);

void update_in_place(benchmark::State& state) {
  Node& leaf = Leaves::all().leaf(11);
  unsigned slot = 0;
  for (auto step : state) {
    benchmark::DoNotOptimize(leaf.update_row(slot, TransactionId{1}, RowFlags::none, kValue));
    slot = slot + 1 == leaf.count() ? 0 : slot + 1;
  }
}
BENCHMARK(update_in_place);

// A cursor's copy of rows out of the leaf: keys and values into one buffer; per row.
void scan(benchmark::State& state, std::size_t leaves) {
  std::vector<char> buffer(2 * kPageBytes);
  std::size_t index = 0;
  for (auto step : state) {
    const Node& leaf = Leaves::all().leaf(index);
    char* to = buffer.data();
    for (unsigned slot = 0; slot < leaf.count(); ++slot) {
      to += leaf.copy_key(slot, to);
      const RowView row = leaf.row(slot);
      std::memcpy(to, row.value.data(), row.value.size());
      to += row.value.size();
    }
    benchmark::DoNotOptimize(buffer.data());
    benchmark::ClobberMemory();
    index = (index + 7919) % leaves;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRowsPerLeaf));
}
void scan_hot(benchmark::State& state) { scan(state, 1); }
void scan_cold(benchmark::State& state) { scan(state, kLeaves); }
BENCHMARK(scan_hot);
BENCHMARK(scan_cold);

void split_and_merge(benchmark::State& state) {
  std::vector<std::uint64_t> memory(2 * kPageBytes / sizeof(std::uint64_t));
  Node& node = *Node::at(memory.data());
  Node& left = *Node::at(memory.data() + kPageBytes / sizeof(std::uint64_t));
  std::memcpy(&node, &Leaves::all().leaf(5), kPageBytes);
  const std::string& key = Leaves::all().key(5, 0);
  for (auto step : state) {
    const Node::Split split = node.choose_split(key, false, kKeyBytes + kValue.size());
    node.split_left_into(left, split);
    node.merge_left(left, split.separator);
  }
}
BENCHMARK(split_and_merge);

}  // namespace
}  // namespace isolith::btree

BENCHMARK_MAIN();

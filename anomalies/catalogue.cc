// The catalogue's texts, which the build puts into one file (catalogue.cmake).
#include "anomalies/catalogue.h"

#include <algorithm>
#include <array>

namespace isolith::anomalies {
namespace {

constexpr auto kEntries = std::to_array<CatalogueEntry>({
#include "anomalies/catalogue_entries.inc"
});

static_assert(std::ranges::is_sorted(kEntries, {}, &CatalogueEntry::name));

}  // namespace

std::span<const CatalogueEntry> catalogue() { return kEntries; }

const CatalogueEntry* find_in_catalogue(std::string_view name) {
  const auto* const found = std::ranges::lower_bound(kEntries, name, {}, &CatalogueEntry::name);
  return found != kEntries.end() && found->name == name ? found : nullptr;
}

}  // namespace isolith::anomalies

// The catalogue: the scenarios that come with isolith (anomalies/catalogue/*.scenario), in the program.
//
// Threads: any.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "anomalies/scenario.h"

namespace isolith::anomalies {

struct CatalogueEntry {
  std::string_view name;  // of the file, without its ending: "g2_item"
  std::string_view text;
};

// By name of the file.
std::span<const CatalogueEntry> catalogue();

// Null: there is none of that name.
const CatalogueEntry* find_in_catalogue(std::string_view name);

}  // namespace isolith::anomalies

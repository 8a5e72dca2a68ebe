// Scenarios drawn from a seed, as the text of a file: what a test prints of one, anyone can run again.
#pragma once

#include <cstdint>
#include <string>

namespace isolith::anomalies {

// Two or three sessions on a few keys, with at most `orders_max` orders. The same text for the same seed.
std::string draw_scenario(std::uint64_t seed, std::uint64_t orders_max);

}  // namespace isolith::anomalies

// The seed of a random test: printed when it is drawn, and given again in the variable ISOLITH_TEST_SEED.
#pragma once

#include <cstdint>

namespace isolith::testing {

// The same number in the whole process: ISOLITH_TEST_SEED (decimal, or 0x and hexadecimal) where it is set,
// otherwise a new one for each run. Printed on the first call.
std::uint64_t test_seed();

}  // namespace isolith::testing

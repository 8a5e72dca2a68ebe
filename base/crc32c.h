// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), as in RFC 3720 B.4 and SSE 4.2's crc32 instruction.
//
// Threads: pure functions; the CPU is asked once, at the first call.
#pragma once

#include <cstddef>
#include <cstdint>

namespace isolith::base {

// The checksum of `size` bytes that follow bytes whose checksum is `seed` (0 for none):
// crc32c(b, n, crc32c(a, m)) is the checksum of a then b.
std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t seed = 0) noexcept;

// The same by tables, for CPUs without the instruction and to test the other against.
std::uint32_t crc32c_portable(const void* data, std::size_t size, std::uint32_t seed = 0) noexcept;

// Whether `crc32c` uses the CPU's instruction.
bool crc32c_is_accelerated() noexcept;

}  // namespace isolith::base

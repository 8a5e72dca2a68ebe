// Values as keys: encodings whose order as bytes is the order of the values, in place of comparators.
//
// Encodings are put one after another to make the key of a tuple; tuples then lie in the order of their first
// part, then of their second, and so on. No encoding is a prefix of another one of the same type, so no part
// can reach into the next. The key says nothing of its types: read it with the calls that mirror how it was
// written.
//
//   std::string key;
//   isolith::append_key_string(key, country);
//   isolith::append_key_i64(key, -42);
//   std::string_view rest = key;
//   bool ok = isolith::take_key_string(rest, country) && isolith::take_key_i64(rest, number) && rest.empty();
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace isolith {

// 8 bytes, big-endian. i64: the same with the sign bit turned over.
void append_key_u64(std::string& key, std::uint64_t value);
void append_key_i64(std::string& key, std::int64_t value);

// 8 bytes: the bits big-endian, the sign bit turned over where it is 0, all bits where it is 1. The order is
// IEEE 754's totalOrder: -NaN, -infinity, ..., -0.0, +0.0, ..., infinity, NaN. Every bit pattern comes back
// as it was.
void append_key_double(std::string& key, double value);

// The bytes, each 0x00 as 0x00 0xFF, then 0x00 0x01: any bytes may be in it (CockroachDB, pkg/util/encoding;
// FoundationDB's tuple layer does likewise). At most twice the size and 2.
void append_key_string(std::string& key, std::string_view value);

// Take one value off the front of `key`. False, with `key` and `value` as they were, where none is there in
// full.
[[nodiscard]] bool take_key_u64(std::string_view& key, std::uint64_t& value) noexcept;
[[nodiscard]] bool take_key_i64(std::string_view& key, std::int64_t& value) noexcept;
[[nodiscard]] bool take_key_double(std::string_view& key, double& value) noexcept;
[[nodiscard]] bool take_key_string(std::string_view& key, std::string& value);

// The least key above all keys that begin with `prefix`, for the end of a KeyRange; nothing where there is
// none (`prefix` is empty or all 0xFF): the end of the table.
[[nodiscard]] std::optional<std::string> key_prefix_end(std::string_view prefix);

}  // namespace isolith

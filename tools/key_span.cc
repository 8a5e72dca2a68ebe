#include "tools/key_span.h"

#include <fmt/format.h>

#include <utility>

#include "tools/command.h"
#include "tools/escape.h"

namespace isolith::tools {

void KeySpan::add_options(CLI::App& command) {
  command.add_option("--lo", lo_text_, "From this key on, itself included")->type_name("KEY");
  command.add_option("--hi", hi_text_, "Up to this key, itself not included")->type_name("KEY");
  CLI::Option* prefix = command.add_option("--prefix", prefix_text_, "The keys that begin with this");
  prefix->type_name("PREFIX")->excludes("--lo")->excludes("--hi");
}

Status KeySpan::resolve(bool escaped) {
  if (prefix_text_) {
    Result<std::string> prefix = argument_bytes(*prefix_text_, escaped);
    if (!prefix.ok()) return prefix.status();
    lo_ = *prefix;
    hi_ = end_of_prefix(*std::move(prefix));
    return {};
  }
  Result<std::string> lo = argument_bytes(lo_text_.value_or(""), escaped);
  if (!lo.ok()) return lo.status();
  lo_ = *std::move(lo);
  hi_.reset();
  if (!hi_text_) return {};
  Result<std::string> hi = argument_bytes(*hi_text_, escaped);
  if (!hi.ok()) return hi.status();
  hi_ = *std::move(hi);
  if (lo_ <= *hi_) return {};
  return {StatusCode::invalid_argument, fmt::format("--lo {} comes after --hi {}", quote(lo_), quote(*hi_))};
}

KeyRange KeySpan::range() const noexcept {
  KeyRange range{lo_, std::nullopt};
  if (hi_) range.hi = *hi_;
  return range;
}

std::optional<std::string> end_of_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace isolith::tools

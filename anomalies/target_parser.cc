// Reading keys and ranges.
#include <string>
#include <utility>
#include <vector>

#include "anomalies/expression_parser.h"

namespace isolith::anomalies {
namespace {

bool unknown_table(LineReader& line, Place place, const Scenario& scenario, std::string_view name) {
  std::vector<std::string_view> tables;
  for (const TableScript& table : scenario.tables) tables.push_back(table.name);
  const std::string otherwise = "the tables are " + listed(tables, "none so far") + "; write `table " +
                                std::string(name) + "` above for an empty one";
  return line.wrong_at(place, "there is no table " + quoted(name) + " above this line" +
                                  did_you_mean(name, tables, otherwise));
}

bool read_table(LineReader& line, const Scenario& scenario, std::uint32_t& table) {
  const Place place = line.place();
  const std::string_view name = line.peek_name();
  if (name.empty())
    return line.wrong("a table was expected, not " + line.excerpt() + "; write TABLE or TABLE/KEY");
  for (table = 0; table < scenario.tables.size(); ++table) {
    if (scenario.tables[table].name != name) continue;
    line.take_name();
    return true;
  }
  return unknown_table(line, place, scenario, name);
}

// The smallest text above all that begin with `prefix`, which is UTF-8 and so has no byte 0xFF.
std::string above_prefix(std::string prefix) {
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

bool read_upper_end(LineReader& line, Place place, Target& target) {
  if (line.follows(".")) return line.wrong("three points stand here; a range has two: FROM..TO");
  if (!line.no_key_follows()) {
    std::string hi;
    if (!line.read_key(hi)) return false;
    target.hi = std::move(hi);
  }
  if (!target.hi || target.lo < *target.hi) return true;
  return line.wrong_at(place,
                       "this range is empty; the smaller key comes first, and the second one is not in it");
}

// Behind the '/'.
bool read_keys(LineReader& line, Target& target) {
  const Place place = line.place_here();
  if (line.follows(" ") || line.follows("\t")) {
    return line.wrong_at(place, "a blank stands behind the /; write TABLE/KEY without");
  }
  target.is_range = true;
  if (line.take_following("*")) return true;
  if (line.take_following("..")) return read_upper_end(line, place, target);
  if (!line.read_key(target.lo)) return false;
  if (line.take_following("*")) {
    target.hi = above_prefix(target.lo);
    return true;
  }
  if (line.take_following("..")) return read_upper_end(line, place, target);
  if (line.sees("..")) return line.wrong("a blank stands before the `..`; write FROM..TO without");
  target.is_range = false;
  return true;
}

bool check_kind(LineReader& line, Place place, std::string_view reader, TargetKind kind, Target& target) {
  if (kind == TargetKind::range && !target.is_range) {
    target.is_range = true;
    target.hi = target.lo + '\0';
  }
  if (kind != TargetKind::key || !target.is_range) return true;
  std::string text = quoted(reader) + " needs one key; write TABLE/KEY";
  if (reader == "erase") text += ", or erase_range for more";
  if (reader == "put" || reader == "insert") text += ", or update for all rows that are there";
  if (reader.starts_with("get")) text += ", or scan for more";
  return line.wrong_at(place, std::move(text));
}

}  // namespace

bool read_target(LineReader& line, const Scenario& scenario, std::string_view reader, TargetKind kind,
                 Target& target) {
  const Place place = line.place();
  if (!read_table(line, scenario, target.table)) return false;
  target.is_range = true;
  if (line.take_following("/")) {
    if (!read_keys(line, target)) return false;
  } else if (line.sees("/")) {
    return line.wrong("a blank stands before the /; write TABLE/KEY without");
  }
  return check_kind(line, place, reader, kind, target);
}

}  // namespace isolith::anomalies

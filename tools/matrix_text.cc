#include "tools/matrix_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tools/escape.h"
#include "tools/text_layout.h"

namespace isolith::tools {

using anomalies::Cell;
using anomalies::EngineLevel;
using anomalies::MatrixRow;
using anomalies::Verdict;
using nlohmann::ordered_json;

namespace {

constexpr std::size_t kCellWidth = 11;
constexpr std::size_t kTitleWidthMin = 12;

bool happens(const Cell& cell) { return cell.status.ok() && cell.verdict == Verdict::happens; }

bool is_expected(const Cell& cell) { return cell.status.ok() && cell.unmet.empty(); }

std::string_view word_of(const Cell& cell) {
  if (!cell.status.ok()) return "not run";
  switch (cell.verdict) {
    case Verdict::happens:
      return "happens";
    case Verdict::waiting:
      return "waits";
    case Verdict::aborting:
      return "aborts";
    case Verdict::snapshot:
      return "reads";
  }
  return "";
}

std::string coloured(const Palette& palette, const Cell& cell, std::string_view text) {
  if (!cell.status.ok()) return palette.faint(text);
  switch (cell.verdict) {
    case Verdict::happens:
      return palette.bold(palette.red(text));
    case Verdict::waiting:
      return palette.yellow(text);
    case Verdict::aborting:
      return palette.blue(text);
    case Verdict::snapshot:
      return palette.green(text);
  }
  return std::string(text);
}

// At which levels it happens, a bit for each.
std::vector<bool> pattern_of(const MatrixRow& row) {
  std::vector<bool> pattern;
  for (const Cell& cell : row.cells) pattern.push_back(happens(cell));
  return pattern;
}

bool was_run(const MatrixRow& row) {
  return std::any_of(row.cells.begin(), row.cells.end(), [](const Cell& cell) { return cell.status.ok(); });
}

bool is_same_group(const MatrixRow& left, const MatrixRow& right) {
  return was_run(left) == was_run(right) && pattern_of(left) == pattern_of(right);
}

// The rows by group, each group by name.
std::vector<const MatrixRow*> grouped(const MatrixReport& report) {
  std::vector<const MatrixRow*> rows;
  for (const MatrixRow& row : report.rows) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(), [](const MatrixRow* left, const MatrixRow* right) {
    const std::vector<bool> left_pattern = pattern_of(*left);
    const std::vector<bool> right_pattern = pattern_of(*right);
    const auto left_count = std::count(left_pattern.begin(), left_pattern.end(), true);
    const auto right_count = std::count(right_pattern.begin(), right_pattern.end(), true);
    if (was_run(*left) != was_run(*right)) return was_run(*left);
    return left_count != right_count ? left_count < right_count : left_pattern > right_pattern;
  });
  return rows;
}

std::string group_title(const MatrixReport& report, const MatrixRow& row) {
  if (!was_run(row)) return "cannot be run here";
  const std::vector<bool> pattern = pattern_of(row);
  const auto count = static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), true));
  if (count == 0) return "prevented at every level";
  if (count == pattern.size()) return pattern.size() == 1 ? "happens" : "happens at every level";
  std::string names;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i]) names += (names.empty() ? "" : ", ") + report.levels[i].name;
  }
  return "happens at " + names;
}

// "read_uncommitted" in lines that fit into a cell.
std::vector<std::string> head_lines(const std::string& level) {
  std::vector<std::string> lines{1};
  std::size_t begin = 0;
  while (begin < level.size()) {
    const std::size_t end = std::min(level.find('_', begin), level.size() - 1) + 1;
    const std::string part = level.substr(begin, end - begin);
    if (!lines.back().empty() && lines.back().size() + part.size() > kCellWidth) lines.emplace_back();
    lines.back() += part;
    begin = end;
  }
  return lines;
}

// Where what stands, for the text.
struct Columns {
  std::size_t name = 0;
  std::size_t title = 0;  // 0: there is no room for titles
};

Columns columns_of(const MatrixReport& report, const Look& look) {
  Columns columns;
  std::size_t title = 0;
  for (const MatrixRow& row : report.rows) {
    columns.name = std::max(columns.name, display_width(row.name));
    title = std::max(title, display_width(row.title));
  }
  const std::size_t used = 2 + columns.name + 2 + report.levels.size() * (kCellWidth + 1);
  const std::size_t left = look.width > used ? look.width - used : 0;
  if (left >= kTitleWidthMin + 2) columns.title = std::min(title, left - 2);
  return columns;
}

std::string head_text(const MatrixReport& report, const Look& look, const Columns& columns) {
  std::vector<std::vector<std::string>> heads;
  std::size_t height = 1;
  for (const EngineLevel& level : report.levels) {
    heads.push_back(head_lines(level.name));
    height = std::max(height, heads.back().size());
  }
  const std::size_t left = 2 + columns.name + 2 + (columns.title == 0 ? 0 : columns.title + 2);
  std::string text;
  for (std::size_t line = 0; line < height; ++line) {
    text += std::string(left, ' ');
    for (const std::vector<std::string>& head : heads) {
      const std::size_t first = height - head.size();  // lower lines are filled first
      text += look.palette.bold(pad(line < first ? "" : head[line - first], kCellWidth)) + " ";
    }
    while (text.ends_with(' ')) text.pop_back();
    text += '\n';
  }
  return text;
}

std::string row_text(const MatrixRow& row, const Look& look, const Columns& columns) {
  const std::string_view mark = look.unicode ? "…" : "...";
  std::string text = "  " + pad(row.name, columns.name) + "  ";
  if (columns.title > 0) {
    text += look.palette.faint(pad(shorten(printable(row.title), columns.title, mark), columns.title)) + "  ";
  }
  for (const Cell& cell : row.cells) {
    const std::string word = std::string(word_of(cell)) + (is_expected(cell) ? "" : " (!)");
    text += coloured(look.palette, cell, pad(word, kCellWidth)) + " ";
  }
  while (text.ends_with(' ')) text.pop_back();
  return text + '\n';
}

std::string legend_text(const Palette& palette) {
  return "\n  " + palette.bold(palette.red(pad("happens", 9))) +
         "some order of the steps shows the anomaly\n  " + palette.yellow(pad("waits", 9)) +
         "prevented: somebody has to wait, and nobody fails\n  " + palette.blue(pad("aborts", 9)) +
         "prevented: somebody fails with a conflict, and may run again\n  " + palette.green(pad("reads", 9)) +
         "prevented: nobody waits or fails; what is read is sound as it is\n";
}

std::string levels_text(const MatrixReport& report, const Look& look) {
  std::size_t width = 0;
  for (const EngineLevel& level : report.levels) width = std::max(width, level.name.size());
  std::string text = fmt::format("\n  {} {} says of its levels:\n", report.engine, report.version);
  const std::size_t left = width + 6;
  for (const EngineLevel& level : report.levels) {
    std::string head = "    " + look.palette.bold(pad(level.name, width)) + "  ";
    for (const std::string& line :
         wrap(printable(level.claim), look.width > left + 20 ? look.width - left : 20)) {
      text += head + line + "\n";
      head.assign(left, ' ');
    }
  }
  return text;
}

std::string surprises_text(const MatrixReport& report, const Look& look) {
  std::string text;
  for (const MatrixRow& row : report.rows) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const Cell& cell = row.cells[i];
      const std::string where = fmt::format("  {} at {}: ", row.name, report.levels[i].name);
      if (!cell.status.ok()) text += where + printable(cell.status.message()) + "\n";
      for (const anomalies::Unmet& unmet : cell.unmet) {
        text +=
            look.palette.red(where + fmt::format("line {}: {}", unmet.place.line, printable(unmet.text))) +
            "\n";
      }
    }
  }
  return text.empty() ? text : "\n" + text;
}

std::uint64_t runs_of(const MatrixReport& report) {
  std::uint64_t runs = 0;
  for (const MatrixRow& row : report.rows) {
    for (const Cell& cell : row.cells) runs += cell.runs;
  }
  return runs;
}

// "|" ends a cell of a table.
std::string for_table(std::string_view text) {
  std::string safe;
  for (const char c : printable(text)) safe += c == '|' ? std::string("\\|") : std::string(1, c);
  return safe;
}

std::string_view markdown_word(const Cell& cell) { return happens(cell) ? "**happens**" : word_of(cell); }

}  // namespace

bool MatrixReport::is_expected() const {
  return std::all_of(rows.begin(), rows.end(), [](const MatrixRow& row) {
    return std::all_of(row.cells.begin(), row.cells.end(),
                       [](const Cell& cell) { return tools::is_expected(cell); });
  });
}

std::string matrix_text(const MatrixReport& report, const Look& look) {
  const Columns columns = columns_of(report, look);
  std::string text =
      look.palette.bold(fmt::format("What may happen at the levels of {} {}", report.engine, report.version));
  const auto counted = [](std::size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  text += fmt::format("\n{} at {}, {} runs in {}, just now\n\n", counted(report.rows.size(), "scenario"),
                      counted(report.levels.size(), "level"), with_separators(runs_of(report)),
                      readable_seconds(report.seconds));
  text += head_text(report, look, columns);
  const MatrixRow* last = nullptr;
  for (const MatrixRow* row : grouped(report)) {
    if (last == nullptr || !is_same_group(*row, *last)) {
      text += (last == nullptr ? "" : "\n") + look.palette.faint(group_title(report, *row)) + "\n";
    }
    text += row_text(*row, look, columns);
    last = row;
  }
  text += legend_text(look.palette) + levels_text(report, look) + surprises_text(report, look);
  const std::string hint =
      "'isolith run NAME' shows one of them step by step, 'isolith explore NAME' in every order.\n";
  if (report.engine != "isolith") return text + "\n" + hint;
  const std::string_view expected = report.is_expected()
                                        ? "Every cell is what its scenario expects."
                                        : "Cells with (!) are not what their scenarios expect.";
  return text + "\n" + dress(look.palette, report.is_expected() ? Tone::good : Tone::bad, expected) + "\n" +
         hint;
}

std::string matrix_markdown(const MatrixReport& report) {
  std::string text = "| |";
  std::string rule = "|---|";
  for (const EngineLevel& level : report.levels) {
    text += fmt::format(" `{}` |", level.name);
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  std::vector<std::pair<std::string, std::string>> lines;  // cells, titles
  for (const MatrixRow* row : grouped(report)) {
    std::string cells;
    for (const Cell& cell : row->cells) cells += fmt::format(" {} |", markdown_word(cell));
    const auto same =
        std::find_if(lines.begin(), lines.end(), [&cells](const auto& line) { return line.first == cells; });
    if (same == lines.end()) {
      lines.emplace_back(cells, for_table(row->title));
    } else {
      same->second += " · " + for_table(row->title);
    }
  }
  for (const auto& [cells, titles] : lines) text += fmt::format("| {} |{}\n", titles, cells);
  return text +
         "\n**happens**: some order of the steps shows the anomaly. Prevented otherwise: somebody *waits*; "
         "somebody "
         "*aborts* with a\nconflict; or neither, since what everybody *reads* is sound as it is.\n";
}

ordered_json matrix_json(const MatrixReport& report) {
  ordered_json json;
  json["engine"] = report.engine;
  json["version"] = report.version;
  json["seconds"] = report.seconds;
  json["as_expected"] = report.is_expected();
  json["levels"] = ordered_json::array();
  for (const EngineLevel& level : report.levels)
    json["levels"].push_back({{"name", level.name}, {"claim", level.claim}});
  json["entries"] = ordered_json::array();
  for (const MatrixRow& row : report.rows) {
    ordered_json entry = {{"name", row.name}, {"title", row.title}, {"shows", row.shows}};
    entry["cells"] = ordered_json::array();
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const Cell& cell = row.cells[i];
      ordered_json seen;
      seen["level"] = report.levels[i].name;
      if (cell.status.ok()) {
        seen["verdict"] = to_string(cell.verdict);
      } else {
        seen["verdict"] = nullptr;
        seen["error"] = printable(cell.status.to_string());
      }
      seen["runs"] = cell.runs;
      seen["showing"] = cell.showing;
      seen["order"] = cell.order.empty() ? ordered_json(nullptr) : ordered_json(cell.order);
      seen["unmet"] = ordered_json::array();
      for (const anomalies::Unmet& unmet : cell.unmet) {
        seen["unmet"].push_back(
            {{"line", unmet.place.line}, {"column", unmet.place.column}, {"text", printable(unmet.text)}});
      }
      entry["cells"].push_back(std::move(seen));
    }
    json["entries"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace isolith::tools

#include "tools/scenario_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "anomalies/catalogue.h"
#include "anomalies/execution.h"
#include "anomalies/scenario_lexer.h"
#include "anomalies/scenario_parser.h"
#include "tools/escape.h"
#include "tools/terminal.h"

namespace isolith::tools {
namespace {

constexpr std::string_view kEnding = ".scenario";

Status cannot_read(std::string_view name) {
  return {StatusCode::io_error,
          fmt::format("cannot read {}: {}", quote(name), std::generic_category().message(errno)), errno};
}

// All there is, but no more than a scenario may have and a byte: then it is too long.
Status read_all(int descriptor, const std::string& name, std::string& text) {
  constexpr std::size_t kEnough = anomalies::kMaxScenarioBytes + 1;
  text.resize(kEnough);
  std::size_t size = 0;
  while (size < kEnough) {
    const ::ssize_t got = ::read(descriptor, text.data() + size, kEnough - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(name);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  if (size < kEnough) return {};
  return {StatusCode::too_large, fmt::format("{} is too long: a scenario has at most {} bytes", quote(name),
                                             with_separators(anomalies::kMaxScenarioBytes))};
}

Status read_file(const std::string& path, std::string& text) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return cannot_read(path);
  Status status = read_all(descriptor, path, text);
  ::close(descriptor);
  return status;
}

// "dir/g0.scenario" -> "g0".
std::string_view base_name(std::string_view source) {
  source.remove_prefix(std::min(source.rfind('/') + 1, source.size()));
  if (source.ends_with(kEnding)) source.remove_suffix(kEnding.size());
  return source;
}

// "12:3: ..."
bool starts_with_place(std::string_view text) {
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

Status no_such(const std::string& source) {
  std::vector<std::string_view> names;
  for (const anomalies::CatalogueEntry& entry : anomalies::catalogue()) names.push_back(entry.name);
  const std::string_view meant = anomalies::closest(base_name(source), names);
  std::string text =
      fmt::format("there is neither a file {} nor a scenario of that name in the catalogue", quote(source));
  text += meant.empty() ? std::string("; 'isolith anomalies --list' lists it")
                        : fmt::format("; did you mean {}?", meant);
  return {StatusCode::not_found, std::move(text)};
}

Status read_source(const std::string& source, std::string& name, std::string& text) {
  name = source;
  if (source == "-") {
    name = "standard input";
    return read_all(STDIN_FILENO, name, text);
  }
  struct ::stat file {};
  const bool is_there = ::stat(source.c_str(), &file) == 0;
  if (is_there && !S_ISDIR(file.st_mode)) return read_file(source, text);
  const bool is_absent = !is_there && (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG);
  if (!is_there && !is_absent) return cannot_read(source);
  if (const anomalies::CatalogueEntry* entry = anomalies::find_in_catalogue(source)) {
    text = entry->text;
    return {};
  }
  if (!is_there) return no_such(source);
  return {StatusCode::invalid_argument,
          fmt::format("{} is a directory; a scenario is a file", quote(source))};
}

}  // namespace

Status load_scenario(const std::string& source, LoadedScenario& loaded) {
  std::string text;
  if (Status status = read_source(source, loaded.name, text); !status.ok()) return status;
  Result<anomalies::Scenario> parsed = anomalies::parse_scenario(text, loaded.name);
  if (!parsed.ok()) return std::move(parsed).status();
  loaded.scenario = *std::move(parsed);
  return {};
}

Status load_entry(const anomalies::CatalogueEntry& entry, LoadedScenario& loaded) {
  loaded.name = entry.name;
  Result<anomalies::Scenario> parsed = anomalies::parse_scenario(entry.text, entry.name);
  if (!parsed.ok()) return std::move(parsed).status();
  loaded.scenario = *std::move(parsed);
  return {};
}

Status check_file_levels(const LoadedScenario& loaded, ChosenEngine& chosen) {
  if (chosen.isolith() == nullptr) return {};  // `Execution::prepare` checks those of sessions
  return anomalies::check_levels(loaded.scenario, chosen.engine());
}

ExitCode fail_to_load(const Status& status) { return fail(ExitCode::error, status.message()); }

ExitCode fail_to_choose(const Status& status) {
  if (!status.is(StatusCode::invalid_argument)) return fail(status, "--engine");
  return fail(ExitCode::usage, fmt::format("--engine: {}; and isolith itself", status.message()));
}

ExitCode fail_in_scenario(const LoadedScenario& loaded, const Status& status) {
  const bool has_message = !status.message().empty();
  const std::string_view text = has_message ? status.message() : to_string(status.code());
  return fail(ExitCode::error, fmt::format("{}:{}{}", loaded.name, starts_with_place(text) ? "" : " ", text));
}

}  // namespace isolith::tools

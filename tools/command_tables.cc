// `isolith tables`: the names of the tables.
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/command.h"
#include "tools/escape.h"
#include "tools/output.h"

namespace isolith::tools {
namespace {

struct TablesOptions {
  std::string directory;
  bool json = false;
};

ExitCode run_tables(const TablesOptions& options) {
  Result<Database> database = open_for_reading(options.directory);
  if (!database.ok()) return fail_to_open(database.status(), options.directory);
  const Result<std::vector<std::string>> names = database->tables();
  if (!names.ok()) return fail(names.status(), "cannot list the tables");

  Output output(STDOUT_FILENO);
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const std::string& name : *names) list.push_back(escape(name));
    output.write(list.dump(2) + "\n");
  } else {
    for (const std::string& name : *names) output.write(escape(name) + "\n");
  }
  return finish(output);
}

}  // namespace

void add_tables_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<TablesOptions>();
  CLI::App* command = app.add_subcommand("tables", "Print the names of the tables, one a line, escaped");
  add_directory(*command, options->directory);
  command->add_flag("--json", options->json, "A JSON array of strings");
  command->footer("Example:\n  isolith tables accounts.isolith");
  command->callback([options, &run] { run = [options] { return run_tables(*options); }; });
}

}  // namespace isolith::tools

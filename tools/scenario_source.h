// A scenario that a command line names: a file, an entry of the catalogue, or standard input.
//
// Threads: one at a time.
#pragma once

#include <string>

#include "anomalies/catalogue.h"
#include "anomalies/scenario.h"
#include "isolith/status.h"
#include "tools/chosen_engine.h"
#include "tools/command.h"

namespace isolith::tools {

struct LoadedScenario {
  std::string name;  // as messages have it: the file, or "doctors_on_call", or "standard input"
  anomalies::Scenario scenario;
};

// `source` is a path, a name of the catalogue, or "-". A file wins over an entry of the same name, an entry
// over a directory. Errors are one line: what cannot be read and why, what names are alike, or the place in
// the text and what to write there.
Status load_scenario(const std::string& source, LoadedScenario& loaded);

// An entry of the catalogue.
Status load_entry(const anomalies::CatalogueEntry& entry, LoadedScenario& loaded);

// Whether the engine has the levels that the file names: all of them of isolith, those of sessions of others.
Status check_file_levels(const LoadedScenario& loaded, ChosenEngine& chosen);

// Print what is wrong.
ExitCode fail_to_load(const Status& status);
ExitCode fail_to_choose(const Status& status);  // an engine
// While it ran: with the file's name in front of a place in it.
ExitCode fail_in_scenario(const LoadedScenario& loaded, const Status& status);

}  // namespace isolith::tools

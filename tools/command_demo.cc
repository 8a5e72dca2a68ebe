// `isolith demo`: real data goes in, a process that works on it is killed, and everything acknowledged is
// still there.
//
//   Load     three files of the Unicode Character Database, and counts (tools/demo_data.h)
//   Work     a second process moves counts about from several threads, and is killed in the middle
//            (tools/demo_worker.h, tools/demo_process.h)
//   Recover  the database is opened again, and says what it did
//   Check    what must hold is checked (tools/demo_check.h)
//
// The seed decides what the transactions move and at which commit the kill comes; how the threads interleave
// is up to the machine.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "tools/command.h"
#include "tools/demo_check.h"
#include "tools/demo_data.h"
#include "tools/demo_process.h"
#include "tools/demo_worker.h"
#include "tools/output.h"
#include "tools/terminal.h"
#include "tools/work_directory.h"

namespace isolith::tools {
namespace {

constexpr std::uint64_t kKillAtCommitMin = 3000;
constexpr std::uint64_t kKillAtCommitMax = 9000;

struct DemoOptions {
  std::optional<std::string> directory;
  bool keep = false;
  double seconds_max = 5;
  std::optional<std::uint64_t> seed;
  std::string data = "/usr/share/unicode";
};

// The four parts of the demo, each of which prints its section of the report.
class Demo {
 public:
  Demo(Output& output, DemoOptions options, std::uint64_t seed, std::string directory)
      : output_(output), options_(std::move(options)), seed_(seed), directory_(std::move(directory)) {}

  Status run(DemoData data);

 private:
  Status load(const DemoData& data);
  Status load_table(Database& database, const DemoTable& table, std::uint64_t& bytes);
  Result<DemoRun> work();
  Result<Database> recover();
  Status check(Database& database, DemoData& data, const DemoRun& run);

  void section(std::string_view title, std::string_view remark) {
    output_.write(
        fmt::format("\n{}  {}\n", palette_.bold(fmt::format("{:<8}", title)), palette_.faint(remark)));
  }
  void figure(std::string_view title, std::string_view value, std::string_view remark = "") {
    output_.write(fmt::format("  {:<26} {:>14}{}{}\n", title, value, remark.empty() ? "" : "  ", remark));
    output_.flush();
  }
  void verdict(std::string_view title, const std::vector<std::string>& problems, std::string_view remark);

  Output& output_;
  Palette palette_{STDOUT_FILENO};
  DemoOptions options_;
  std::uint64_t seed_;
  std::string directory_;
  std::string first_problem_;
};

void Demo::verdict(std::string_view title, const std::vector<std::string>& problems,
                   std::string_view remark) {
  const std::string word = problems.empty() ? palette_.green("ok    ") : palette_.red("FAILED");
  output_.write(fmt::format("  {}  {:<18} {}\n", word, title, remark));
  for (const std::string& problem : problems) output_.write(fmt::format("          {}\n", problem));
  output_.flush();
  if (first_problem_.empty() && !problems.empty()) first_problem_ = problems.front();
}

Status Demo::load_table(Database& database, const DemoTable& table, std::uint64_t& bytes) {
  constexpr std::size_t kBatchRows = 2000;
  const Result<Table> handle = database.ensure_table(table.name);
  if (!handle.ok()) return handle.status();
  for (std::size_t begin = 0; begin < table.rows.size(); begin += kBatchRows) {
    const std::size_t end = std::min(begin + kBatchRows, table.rows.size());
    std::uint64_t batch_bytes = 0;
    const Status status = run_transaction(database, [&](Transaction& transaction) -> Status {
      batch_bytes = 0;
      for (std::size_t index = begin; index < end; ++index) {
        const DemoRow& row = table.rows[index];
        const std::string value = encode_demo_value(row.count, row.text);
        if (Status put = transaction.put(*handle, row.key, value); !put.ok()) return put;
        batch_bytes += row.key.size() + value.size();
      }
      return {};
    });
    if (!status.ok()) return status;
    bytes += batch_bytes;
  }
  return {};
}

Status Demo::load(const DemoData& data) {
  section("Load", fmt::format("{} -> {}", options_.data, directory_));
  const auto begin = std::chrono::steady_clock::now();
  Result<Database> database = Database::open(directory_);
  if (!database.ok()) return database.status();
  std::uint64_t rows = 0;
  std::uint64_t total_bytes = 0;
  for (const DemoTable& table : data.tables) {
    std::uint64_t bytes = 0;
    if (Status status = load_table(*database, table, bytes); !status.ok()) return status;
    figure(table.name, with_separators(table.rows.size()),
           fmt::format("rows  {:>10}  {}", readable_bytes(bytes), table.source));
    rows += table.rows.size();
    total_bytes += bytes;
  }
  if (const Result<Table> journal = database->ensure_table(kJournalTable); !journal.ok())
    return journal.status();
  if (Status status = database->close(); !status.ok()) return status;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  figure("together", with_separators(rows),
         fmt::format("rows  {:>10}  in {}", readable_bytes(total_bytes), readable_seconds(seconds)));
  return {};
}

Result<DemoRun> Demo::work() {
  section("Work", fmt::format("{} writers at sync durability and {} readers, in a process of their own",
                              kDemoWriters, kDemoReaders));
  DemoPlan plan{directory_, seed_, 0, options_.seconds_max};
  plan.kill_at_commit = kKillAtCommitMin + std::mt19937_64(seed_)() % (kKillAtCommitMax - kKillAtCommitMin);
  Result<DemoRun> run = run_and_kill(plan);
  if (!run.ok()) return run;
  const double per_second = static_cast<double>(run->commits) / std::max(run->seconds, 1e-6);
  figure("commits acknowledged", with_separators(run->commits),
         fmt::format("in {}, {} a second", readable_seconds(run->seconds),
                     with_separators(static_cast<std::uint64_t>(per_second))));
  figure("run again after conflicts", with_separators(run->runs_again));
  figure("totals read by cursors", with_separators(run->sums_checked), "each of them right");
  figure("rows read meanwhile", with_separators(run->rows_read));
  figure(
      "killed", "SIGKILL",
      fmt::format("process {}, {}", run->process,
                  run->killed_by_count
                      ? fmt::format("at commit {} as the seed has it", with_separators(plan.kill_at_commit))
                      : fmt::format("when its {:g} seconds were over", options_.seconds_max)));
  return run;
}

Result<Database> Demo::recover() {
  section("Recover", "the newest whole checkpoint, and the log after it");
  Options options;
  options.create_if_missing = false;
  Result<Database> database = Database::open(directory_, options);
  if (!database.ok()) return database;
  const RecoveryReport& report = database->recovery();
  figure("checkpoint", fmt::format("no. {}", report.checkpoint_number),
         fmt::format("{} operations in progress undone", with_separators(report.undone_operations)));
  figure("log replayed", readable_bytes(report.replayed_log_bytes),
         fmt::format("{} transactions, {} operations", with_separators(report.replayed_transactions),
                     with_separators(report.replayed_operations)));
  figure("torn end of the log", readable_bytes(report.torn_tail_bytes), "written and never acknowledged");
  figure("time", readable_seconds(report.seconds));
  return database;
}

Status Demo::check(Database& database, DemoData& data, const DemoRun& run) {
  section("Check", "the files and the journal tell what every row must be");
  const Result<DemoFindings> found = check_demo(database, data, run.last_acknowledged);
  if (!found.ok()) return found.status();
  verdict("acknowledged", found->journal_problems,
          fmt::format("{} of {} commits are there, and {} that came in after the last word",
                      with_separators(found->acknowledged_found), with_separators(run.commits),
                      with_separators(found->later_commits)));
  verdict("every row", found->row_problems,
          fmt::format("{} rows: text as in the files, count as in the journal",
                      with_separators(found->rows_compared)));
  verdict("totals", found->total_problems,
          fmt::format("{} among the loaded tables, {} in categories", with_separators(found->loaded_total),
                      with_separators(found->categories_total)));
  verdict("every page", found->verify.problems,
          fmt::format("{} pages, {} tables, {} rows", with_separators(found->verify.pages),
                      with_separators(found->verify.tables), with_separators(found->verify.rows)));
  if (first_problem_.empty()) return {};
  return {StatusCode::corruption, first_problem_};
}

Status Demo::run(DemoData data) {
  output_.write(fmt::format("{}  {}\n", palette_.bold(fmt::format("isolith {} demo", version_string())),
                            palette_.faint(fmt::format("seed {}", seed_))));
  if (Status status = load(data); !status.ok()) return status;
  const Result<DemoRun> run = work();
  if (!run.ok()) return run.status();
  Result<Database> database = recover();
  if (!database.ok()) return database.status();
  if (Status status = check(*database, data, *run); !status.ok()) return status;
  return database->close();
}

ExitCode run_demo(const DemoOptions& options) {
  Result<DemoData> data = read_demo_data(options.data);
  if (!data.ok()) {
    return fail(ExitCode::error,
                fmt::format("{} (the demo needs the files of Debian's package unicode-data: apt-get "
                            "install unicode-data, or say where they are with --data)",
                            data.status().message()));
  }
  WorkDirectory directory;
  if (const Status status = directory.make("isolith-demo", options.directory); !status.ok()) {
    return fail(ExitCode::error, status.message());
  }
  if (options.keep) directory.keep();
  const std::uint64_t seed = options.seed ? *options.seed : std::random_device{}();

  Output output(STDOUT_FILENO);
  const Status status = Demo(output, options, seed, directory.path()).run(*std::move(data));
  if (!status.ok()) directory.keep();  // for a closer look
  const std::string_view reason = status.message().empty() ? to_string(status.code()) : status.message();
  output.write("\n");
  if (options.keep || !status.ok()) output.write(fmt::format("kept: {}\n", directory.path()));
  output.write(status.ok() ? "demo: ok\n" : fmt::format("demo: FAILED: {}\n", reason));
  const ExitCode code = finish(output);
  return status.ok() ? code : ExitCode::not_found;
}

// Not for people: the process that the demo kills.
void add_demo_worker_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<DemoWorkerOptions>();
  CLI::App* command = app.add_subcommand("demo-worker", "The process that the demo kills")->group("");
  command->add_option("--dir", options->directory)->required();
  command->add_option("--seed", options->seed)->required();
  command->add_option("--descriptor", options->descriptor)->required();
  command->callback([options, &run] { run = [options]() -> ExitCode { run_demo_worker(*options); }; });
}

}  // namespace

void add_demo_command(CLI::App& app, Command& run) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App* command =
      app.add_subcommand("demo", "Load real data, kill a process at work, and check what is left");
  command
      ->add_option("--dir", options->directory,
                   "Where the database goes, absent or empty; otherwise a new one in "
                   "$TMPDIR or /tmp")
      ->type_name("DIR");
  command->add_flag("--keep", options->keep, "Leave the database there");
  command->add_option("--seconds", options->seconds_max, "Work for this long at most")
      ->check(CLI::Range(0.1, 3600.0))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--seed", options->seed,
                   "What is moved and at which commit the kill comes; otherwise random")
      ->check(whole_number)
      ->type_name("S");
  command->add_option("--data", options->data, "The files of Debian's package unicode-data")
      ->type_name("DIR")
      ->capture_default_str();
  command->footer(
      "Ends with 'demo: ok' and exit code 0, or with 'demo: FAILED: why' and exit code 1.\n\n"
      "Example:\n  isolith demo --seed 7 --keep --dir demo.isolith\n  isolith scan demo.isolith journal "
      "--limit 5");
  command->callback([options, &run] { run = [options] { return run_demo(*options); }; });
  add_demo_worker_command(app, run);
}

}  // namespace isolith::tools

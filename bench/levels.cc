#include "bench/levels.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>
#include <utility>

namespace isolith::bench {
namespace {

using Clock = std::chrono::steady_clock;

Durability durability_of(std::string_view name) {
  if (name == "none") return Durability::none;
  return name == "sync" ? Durability::sync : Durability::async;
}

Database open(const Place& place, const ScratchDirectory* directory, Options options) {
  options.default_durability = durability_of(place.durability);
  Result<Database> database = directory != nullptr ? Database::open(directory->path() + "/bench", options)
                                                   : Database::open_in_memory(options);
  require_ok(database.status(), "opening the database");
  return *std::move(database);
}

std::string level_problem(const std::string& name) {
  return parse_isolation(name) ? std::string() : "no isolation level is called " + name;
}

double per_cpu_second(const Run& run) { return static_cast<double>(run.counts.commits) / run.cpu_seconds; }
double per_wall_second(const Run& run) { return static_cast<double>(run.counts.commits) / run.wall_seconds; }

std::vector<double> each(const std::vector<Run>& runs, double (*speed)(const Run&)) {
  std::vector<double> speeds;
  for (const Run& run : runs) speeds.push_back(speed(run));
  return speeds;
}

// Round by round.
std::vector<double> ratios(const std::vector<Run>& runs, const std::vector<Run>& first,
                           double (*speed)(const Run&)) {
  std::vector<double> quotients;
  for (std::size_t round = 0; round < runs.size(); ++round)
    quotients.push_back(speed(runs[round]) / speed(first[round]));
  return quotients;
}

struct Verdict {
  std::uint64_t anomalies = 0;
  std::string broken;
};

Verdict verdict_of(const std::vector<Run>& runs) {
  Verdict verdict;
  for (const Run& run : runs) {
    verdict.anomalies += run.anomalies;
    if (verdict.broken.empty()) verdict.broken = run.broken;
  }
  return verdict;
}

// False where the level breaks its promise.
bool print_level(std::string_view name, const std::vector<Run>& runs, const std::vector<Run>& first) {
  Counts sum;
  for (const Run& run : runs) {
    sum.commits += run.counts.commits;
    sum.conflicts += run.counts.conflicts;
  }
  const std::vector<double> cpu = ratios(runs, first, per_cpu_second);
  const auto [least, most] = std::minmax_element(cpu.begin(), cpu.end());
  const Verdict verdict = verdict_of(runs);
  const Isolation level = *parse_isolation(name);
  const bool kept = (verdict.broken.empty() || !keeps_updates(level)) &&
                    (verdict.anomalies == 0 || !is_serializable(level));
  std::printf("%-18s %12.0f %12.0f  %6.3f (%.3f to %.3f)  %6.3f  %8.4f %%  %9llu  %s%s\n",
              std::string(name).c_str(), median(each(runs, per_cpu_second)),
              median(each(runs, per_wall_second)), median(cpu), *least, *most,
              median(ratios(runs, first, per_wall_second)),
              100.0 * static_cast<double>(sum.conflicts) /
                  static_cast<double>(std::max<std::uint64_t>(sum.commits + sum.conflicts, 1)),
              static_cast<unsigned long long>(verdict.anomalies),
              verdict.broken.empty() ? "holds" : verdict.broken.c_str(), kept ? "" : "  PROMISE BROKEN");
  return kept;
}

}  // namespace

void Place::add_to(CLI::App& app) {
  app.add_option("--directory", directory, "a database on disk below this directory, instead of in memory");
  app.add_option("--durability", durability, "of commits, with --directory")
      ->check(CLI::IsMember({"sync", "async", "none"}))
      ->capture_default_str();
}

PlacedDatabase::PlacedDatabase(const Place& place, const Options& options)
    : directory_(place.directory.empty() ? nullptr : std::make_unique<ScratchDirectory>(place.directory)),
      database_(open(place, directory_.get(), options)) {}

void LevelOptions::add_to(CLI::App& app) {
  place.add_to(app);
  app.add_option("--levels", levels, "which levels, with commas between; ratios are to the first")
      ->delimiter(',')
      ->check(CLI::Validator([](std::string& name) { return level_problem(name); }, "LEVEL"))
      ->capture_default_str();
  app.add_option("--threads", threads, "how many threads, one table each, with commas between")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--rounds", rounds, "how often each level runs")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--seconds", seconds, "how long each time")
      ->check(CLI::Range(0.001, 86'400.0))
      ->capture_default_str();
  app.add_flag("--undeclared", undeclared, "programs that only read do not say so when they begin");
  app.add_flag("--for-update", for_update, "what will be written is read with its write lock");
  app.add_option("--seed", seed, "where the random numbers begin")->capture_default_str();
}

Run run_threads(int threads, double seconds, const Work& work) {
  std::atomic<bool> stop{false};
  std::vector<Counts> counts(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  const CpuSeconds cpu = CpuSeconds::now();
  const Clock::time_point begin = Clock::now();
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] { counts[static_cast<std::size_t>(thread)] = work(thread, stop); });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop.store(true);
  for (std::thread& thread : running) thread.join();
  Run run;
  run.wall_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  run.cpu_seconds = (CpuSeconds::now() - cpu).process;
  for (const Counts& each_thread : counts) {
    run.counts.commits += each_thread.commits;
    run.counts.conflicts += each_thread.conflicts;
  }
  return run;
}

bool keeps_updates(Isolation level) noexcept {
  return level != Isolation::read_uncommitted && level != Isolation::read_committed;
}

bool is_serializable(Isolation level) noexcept {
  return level == Isolation::serializable_ssi || level == Isolation::serializable_2pl ||
         level == Isolation::serial;
}

bool compare_levels(const LevelOptions& options, const std::string& title, const Cell& cell) {
  const std::size_t levels = options.levels.size();
  std::vector<std::vector<Run>> runs(levels);
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < levels; ++i) {
      // Another one begins each round: what a run leaves behind meets each level alike.
      const std::size_t which = (i + static_cast<std::size_t>(round)) % levels;
      runs[which].push_back(cell(*parse_isolation(options.levels[which]), round));
    }
  }
  std::printf("\n%s; %d rounds of %g s a level, medians\n", title.c_str(), options.rounds, options.seconds);
  std::printf("%-18s %12s %12s  %-24s  %6s  %10s  %9s  %s\n", "level", "txn/cpu-s", "txn/s",
              ("of " + options.levels.front() + ", cpu").c_str(), "wall", "conflicts", "anomalies", "sums");
  bool kept = true;
  for (std::size_t i = 0; i < levels; ++i)
    kept = print_level(options.levels[i], runs[i], runs.front()) && kept;
  std::fflush(stdout);
  return kept;
}

}  // namespace isolith::bench

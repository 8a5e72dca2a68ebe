#include "tests/crash/crash_story.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace isolith::crash {
namespace {

constexpr const char* kPath = "database";
constexpr unsigned kCallsBetweenLooks = 40;

std::string verify(Database& database) {
  const Result<VerifyReport> report = database.verify();
  if (!report.ok()) return "verify: " + report.status().to_string();
  return report->problems.empty() ? std::string() : "verify finds: " + report->problems.front();
}

}  // namespace

Options small_options(base::SimulatedDisk& disk) {
  Options options;
  options.cache_bytes = std::size_t{1} << 20;
  options.log_segment_bytes = std::uint64_t{256} << 10;
  options.checkpoint_log_bytes = std::uint64_t{1} << 20;
  options.async_interval_ms = 1;
  options.snapshots.version_bytes = std::uint64_t{32} << 10;
  options.file_system = &disk;
  return options;
}

CrashStory::CrashStory(const StoryOptions& options)
    : options_(options),
      random_(options.seed),
      ledger_(options.workers),
      disk_(std::make_unique<base::SimulatedDisk>()),
      point_random_(options.seed ^ 0x5eed) {
  for (unsigned i = 0; i < options.workers; ++i) {
    WorkerOptions worker;
    worker.number = i;
    worker.seed = random_.next();
    worker.keys_max = options.keys_max;
    worker.large_per_mille = options.large_per_mille;
    workers_.emplace_back(ledger_, worker);
  }
}

std::string CrashStory::run() {
  for (unsigned life = 0; life < options_.lives; ++life) {
    std::string problem = live();
    disk_->on_change({});
    if (!problem.empty()) {
      return "seed " + std::to_string(options_.seed) + ", life " + std::to_string(life) + ": " + problem;
    }
  }
  return {};
}

// Called after each change of the disk, in the thread that made it.
void CrashStory::take_point(std::uint64_t change) {
  const std::lock_guard lock(points_mutex_);
  if (!point_random_.chance(1, one_in_) || points_.size() >= 8) return;
  Point point;
  point.change = change;
  point.acknowledged = ledger_.acknowledged();  // before the disk is copied
  point.disk = disk_->crash(point_random_.next());
  points_.push_back(std::move(point));
}

std::string CrashStory::look_at_points() {
  std::vector<Point> points;
  {
    const std::lock_guard lock(points_mutex_);
    points.swap(points_);
  }
  for (const Point& point : points) {
    ++states_;
    std::string problem = look_at(point);
    if (!problem.empty()) return "after change " + std::to_string(point.change) + ": " + problem;
  }
  return {};
}

std::string CrashStory::look_at(const Point& point) {
  std::uint64_t number = 0;
  {
    Result<Database> database = Database::open(kPath, small_options(*point.disk));
    if (!database.ok()) return "open: " + database.status().to_string();
    const Result<std::uint64_t> commits = commits_in(*database);
    if (!commits.ok()) return "order: " + commits.status().to_string();
    number = *commits;
    if (number < point.acknowledged || number > ledger_.issued()) {
      return "there are " + std::to_string(number) + " commits; acknowledged were " +
             std::to_string(point.acknowledged) + " of " + std::to_string(ledger_.issued());
    }
    std::string problem = compare(*database, ledger_.state(number), number);
    if (problem.empty()) problem = verify(*database);
    if (!problem.empty()) return problem + " (" + std::to_string(number) + " commits)";
    if (random_.chance(2, 3)) return {};
    Part changed = *ledger_.state(number).front();
    problem = write_again(*database, changed);
    if (!problem.empty()) return "writing again: " + problem;
    std::vector<const Part*> parts = ledger_.state(number);
    parts.front() = &changed;
    std::unique_ptr<base::SimulatedDisk> crashed;
    if (random_.chance(1, 2)) {
      crashed = point.disk->crash(random_.next());
    } else if (const Status status = database->close(); !status.ok()) {
      return "close: " + status.to_string();
    }
    base::SimulatedDisk& disk = crashed != nullptr ? *crashed : *point.disk;
    Result<Database> again = Database::open(kPath, small_options(disk));
    if (!again.ok()) return "open again: " + again.status().to_string();
    problem = compare(*again, parts, number);
    if (problem.empty()) problem = verify(*again);
    if (!problem.empty()) return "opened again: " + problem;
  }
  return {};
}

// Still a database like any other: it takes writes and keeps them.
std::string CrashStory::write_again(Database& database, Part& part) {
  Result<Transaction> transaction = database.begin(Isolation::read_committed);
  if (!transaction.ok()) return transaction.status().to_string();
  for (const char* name : {"shared0", "written again"}) {
    const Result<Table> table = transaction->ensure_table(name);
    if (!table.ok()) return table.status().to_string();
    for (std::uint64_t i = 0; i < 30; ++i) {
      const std::string key = std::to_string(100000 + random_.below(options_.keys_max)) + 'a';
      const std::string value(i == 7 ? 50'000 : random_.below(1500), static_cast<char>('0' + i));
      if (const Status status = transaction->put(*table, key, value); !status.ok()) return status.to_string();
      part[name][key] = fingerprint_of(value);
    }
  }
  const Status status = transaction->commit();
  return status.ok() ? std::string() : status.to_string();
}

// The calls of the workers in turn, in an order of the seed; now and then the points on the way are looked
// at.
std::string CrashStory::work(Database& database) {
  for (unsigned call = 0; call < options_.calls; ++call) {
    Worker& worker = workers_[random_.below(workers_.size())];
    std::string problem = worker.step(database);
    if (problem.empty() && call % kCallsBetweenLooks == 0) problem = look_at_points();
    if (!problem.empty()) return problem;
  }
  return look_at_points();
}

std::string CrashStory::work_in_threads(Database& database) {
  const unsigned rounds = options_.calls / kCallsBetweenLooks / 2;
  for (unsigned round = 0; round < rounds; ++round) {
    std::vector<std::string> problems(workers_.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      threads.emplace_back([this, i, &database, &problems] {
        for (unsigned call = 0; call < 2 * kCallsBetweenLooks / workers_.size() && problems[i].empty();
             ++call) {
          problems[i] = workers_[i].step(database);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::string& problem : problems) {
      if (!problem.empty()) return problem;
    }
    std::string problem = look_at_points();
    if (!problem.empty()) return problem;
  }
  return look_at_points();
}

// From one opening to the end of the process. What the disk is like then is the next life's business.
std::string CrashStory::live() {
  disk_->on_change([this](std::uint64_t change) { take_point(change); });
  const std::uint64_t changes_before = disk_->change_count();
  {
    Result<Database> database = Database::open(kPath, small_options(*disk_));
    if (!database.ok()) return "open: " + database.status().to_string();
    const Result<std::uint64_t> commits = commits_in(*database);
    if (!commits.ok()) return "order: " + commits.status().to_string();
    if (*commits < ledger_.acknowledged() || *commits > ledger_.issued()) {
      return std::to_string(*commits) + " commits are left; acknowledged were " +
             std::to_string(ledger_.acknowledged()) + " of " + std::to_string(ledger_.issued());
    }
    // Crashes while it was being opened: nothing has been added since.
    std::string problem = look_at_points();
    if (!problem.empty()) return "crash while opening: " + problem;
    ledger_.survive(*commits);
    problem = compare(*database, ledger_.state(*commits), *commits);
    if (problem.empty()) problem = verify(*database);
    if (problem.empty() && *commits == 0) problem = Worker::set_up(*database, ledger_);
    if (!problem.empty()) return problem;
    const std::vector<const Part*> parts = ledger_.state(ledger_.issued());
    for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i].restart(*parts[i]);
    problem = options_.threads ? work_in_threads(*database) : work(*database);
    if (!problem.empty()) return problem;
    // The next life is like this one: so many changes give about the wanted number of states.
    {
      const std::lock_guard lock(points_mutex_);
      const std::uint64_t changes = disk_->change_count() - changes_before;
      one_in_ = std::max<std::uint64_t>(1, changes / options_.states_per_life);
    }
    if (random_.chance(1, 2)) {
      std::unique_ptr<base::SimulatedDisk> crashed = disk_->crash(random_.next());
      disk_->on_change({});
      for (Worker& worker : workers_) worker.restart({});
      (void)database->close().ok();
      points_.clear();  // of a story that did not happen
      disk_ = std::move(crashed);
    } else {
      // Closing aborts what is in progress, and keeps every commit: none is in doubt here.
      const Status status = database->close();
      if (!status.ok()) return "close: " + status.to_string();
      ledger_.acknowledge(ledger_.issued());
      for (Worker& worker : workers_) worker.restart({});
      problem = look_at_points();
      if (!problem.empty()) return "crash while closing: " + problem;
    }
  }
  return {};
}

}  // namespace isolith::crash

// Micro-benchmarks of the log: append alone and with group commit, reading back, and the search behind a torn
// tail.
//
// ISOLITH_BENCH_DIRECTORY says where the files go (default: the system's folder for temporary files): the
// figures of the durable ones are those of its disk.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/check.h"
#include "base/crc32c.h"
#include "wal/log_reader.h"
#include "wal/log_writer.h"

namespace isolith::wal {
namespace {

constexpr std::uint64_t kDatabaseId = 42;
constexpr std::uint64_t kReleaseEvery = 4096;

// A log in a directory of its own, with the commit mutex that a database would have.
class BenchLog {
 public:
  BenchLog() {
    const char* parent = std::getenv("ISOLITH_BENCH_DIRECTORY");
    directory_ = (parent != nullptr ? std::string(parent) : std::filesystem::temp_directory_path().string()) +
                 "/isolith-wal-bench-XXXXXX";
    CHECK(mkdtemp(directory_.data()) != nullptr, "a directory for the log can be made");
    LogWriterOptions options;
    options.file_system = &base::posix_file_system();
    options.directory = directory_;
    options.database_id = kDatabaseId;
    options.segment_bytes = std::uint64_t{16} << 20;
    auto opened = LogWriter::open(options, Lsn{}, Timestamp{});
    CHECK(opened.ok(), "the log can be opened");
    writer_ = std::move(*opened);
  }
  ~BenchLog() {
    writer_.reset();
    std::filesystem::remove_all(directory_);
  }
  BenchLog(const BenchLog&) = delete;
  BenchLog& operator=(const BenchLog&) = delete;

  Lsn commit(const std::string& payload) {
    const std::uint32_t crc = base::crc32c(payload.data(), payload.size());
    const std::lock_guard lock(mutex_);
    ++number_;
    const Result<Lsn> end =
        writer_->append(UnitKind::commit, Timestamp{number_}, TransactionId{number_}, payload, crc);
    CHECK(end.ok(), "a unit is appended");
    if (number_ % kReleaseEvery == 0) CHECK(writer_->release_before(writer_->durable_lsn()).ok(), "released");
    return *end;
  }

  [[nodiscard]] LogWriter& writer() noexcept { return *writer_; }
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

 private:
  std::string directory_;
  std::unique_ptr<LogWriter> writer_;
  std::mutex mutex_;
  std::uint64_t number_ = 0;
};

std::unique_ptr<BenchLog> shared_log;

void make_shared_log(const benchmark::State&) { shared_log = std::make_unique<BenchLog>(); }
void drop_shared_log(const benchmark::State&) { shared_log.reset(); }

void append_async(benchmark::State& state) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(shared_log->commit(payload));
    shared_log->writer().request_async();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(append_async)
    ->Setup(make_shared_log)
    ->Teardown(drop_shared_log)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10000)
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime();

void append_durable(benchmark::State& state) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    const Lsn end = shared_log->commit(payload);
    CHECK(shared_log->writer().make_durable(end, kNoTransaction).ok(), "a group becomes durable");
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    state.counters["syncs"] = benchmark::Counter(static_cast<double>(shared_log->writer().sync_count()),
                                                 benchmark::Counter::kIsRate);
  }
}
BENCHMARK(append_durable)
    ->Setup(make_shared_log)
    ->Teardown(drop_shared_log)
    ->Arg(100)
    ->Threads(1)
    ->Threads(4)
    ->Threads(16)
    ->Threads(64)
    ->UseRealTime();

// 64 MiB of units, read from its beginning to its end; what follows is searched for a proof, too.
void read_back(benchmark::State& state) {
  BenchLog log;
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  for (std::uint64_t number = 1; raw(log.writer().appended_lsn()) < (std::uint64_t{64} << 20); ++number) {
    const std::uint32_t crc = base::crc32c(payload.data(), payload.size());
    CHECK(log.writer().append(UnitKind::commit, Timestamp{number}, TransactionId{1}, payload, crc).ok(),
          "appended");
  }
  CHECK(log.writer().make_durable(log.writer().appended_lsn(), kNoTransaction).ok(), "durable");
  std::int64_t units = 0;
  for (auto _ : state) {
    auto reader = LogReader::open({&base::posix_file_system(), log.directory(), kDatabaseId, Lsn{}}, Lsn{});
    CHECK(reader.ok(), "the log can be read");
    Unit unit;
    while (*(*reader)->next(unit)) ++units;
  }
  state.SetItemsProcessed(units);
  state.SetBytesProcessed(state.iterations() * (std::int64_t{64} << 20));
}
BENCHMARK(read_back)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isolith::wal

BENCHMARK_MAIN();

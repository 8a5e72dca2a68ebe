#include "tools/demo_worker.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "isolith/isolith.h"
#include "tools/demo_data.h"

namespace isolith::tools {
namespace {

struct WorkTable {
  std::string name;
  Table table;
  std::vector<std::string> keys;
};

// A row by its table and its place in it.
struct RowAt {
  std::size_t table = 0;
  std::size_t row = 0;
  friend bool operator==(const RowAt&, const RowAt&) = default;
};

struct PlannedMove {
  RowAt from;
  RowAt to;
  std::uint64_t amount_max = 0;
};

class Worker {
 public:
  Worker(Database& database, const DemoWorkerOptions& options) : database_(database), options_(options) {}

  Status prepare();
  void write_forever(std::uint32_t writer);
  void read_forever(std::uint32_t reader);
  [[noreturn]] void fail(std::string_view text) { end_with_failure(options_.descriptor, text); }

  [[noreturn]] static void end_with_failure(int descriptor, std::string_view text);
  static void send(int descriptor, const DemoMessage& message);

 private:
  using Random = std::mt19937_64;

  std::vector<PlannedMove> plan_moves(Random& random) const;
  RowAt draw_row(Random& random, std::size_t first_table, std::size_t end_table) const;
  Result<DemoMove> move_count(Transaction& transaction, const PlannedMove& move) const;
  Status apply(Transaction& transaction, const std::vector<PlannedMove>& moves, const std::string& key) const;
  Result<std::uint64_t> sum_categories();
  Status read_random_rows(Random& random);

  Database& database_;
  DemoWorkerOptions options_;
  std::array<WorkTable, kDemoTables> tables_;
  Table journal_;
  std::uint64_t categories_total_ = 0;
  std::atomic<std::uint64_t> runs_again_{0};
  std::atomic<std::uint64_t> sums_checked_{0};
  std::atomic<std::uint64_t> rows_read_{0};
};

void Worker::send(int descriptor, const DemoMessage& message) {
  for (;;) {
    if (::write(descriptor, &message, sizeof(message)) == static_cast<::ssize_t>(sizeof(message))) return;
    if (errno != EINTR) ::_exit(1);  // nobody reads: the demo was stopped
  }
}

void Worker::end_with_failure(int descriptor, std::string_view text) {
  DemoMessage message;
  message.kind = DemoMessageKind::failed;
  text.copy(message.text, sizeof(message.text) - 1);
  send(descriptor, message);
  ::_exit(1);
}

Status Worker::prepare() {
  constexpr std::array<std::string_view, kDemoTables> kNames{"characters", "collation", "names",
                                                             "categories"};
  Result<Transaction> transaction = database_.begin();
  if (!transaction.ok()) return transaction.status();
  for (std::size_t index = 0; index < kDemoTables; ++index) {
    WorkTable& work = tables_[index];
    work.name = kNames[index];
    const Result<Table> table = transaction->open_table(work.name);
    if (!table.ok()) return table.status();
    work.table = *table;
    Result<Cursor> cursor = transaction->cursor(work.table);
    if (!cursor.ok()) return cursor.status();
    for (cursor->seek_first(); cursor->valid(); cursor->next()) work.keys.emplace_back(cursor->key());
    if (!cursor->status().ok()) return cursor->status();
    if (work.keys.size() < 2)
      return {StatusCode::not_found, fmt::format("table '{}' has no rows", work.name)};
  }
  const Result<Table> journal = transaction->open_table(kJournalTable);
  if (!journal.ok()) return journal.status();
  journal_ = *journal;
  if (Status status = transaction->commit(); !status.ok()) return status;
  const Result<std::uint64_t> total = sum_categories();
  if (!total.ok()) return total.status();
  categories_total_ = *total;
  return {};
}

RowAt Worker::draw_row(Random& random, std::size_t first_table, std::size_t end_table) const {
  const std::size_t table = first_table + random() % (end_table - first_table);
  return {table, random() % tables_[table].keys.size()};
}

// One to three moves, all among the loaded tables or all within `categories`, whose rows are few and fought
// over.
std::vector<PlannedMove> Worker::plan_moves(Random& random) const {
  constexpr std::uint64_t kMovesMax = 3;
  constexpr std::uint64_t kAmountMax = 20;
  const bool among_loaded = random() % 2 == 0;
  const std::size_t first_table = among_loaded ? std::size_t{0} : std::size_t{DemoTableIndex::categories};
  const std::size_t end_table = among_loaded ? kLoadedTables : kDemoTables;
  std::vector<PlannedMove> moves(1 + random() % kMovesMax);
  for (PlannedMove& move : moves) {
    move.from = draw_row(random, first_table, end_table);
    do {
      move.to = draw_row(random, first_table, end_table);
    } while (move.to == move.from);
    move.amount_max = 1 + random() % kAmountMax;
  }
  return moves;
}

// Moves what is there, up to the planned amount.
Result<DemoMove> Worker::move_count(Transaction& transaction, const PlannedMove& move) const {
  const WorkTable& from_table = tables_[move.from.table];
  const WorkTable& to_table = tables_[move.to.table];
  const std::string& from_key = from_table.keys[move.from.row];
  const std::string& to_key = to_table.keys[move.to.row];
  std::string from_value;
  std::string to_value;
  Status status = transaction.get_for_update(from_table.table, from_key, from_value);
  if (status.ok()) status = transaction.get_for_update(to_table.table, to_key, to_value);
  if (!status.ok()) return status;

  std::uint64_t from_count = 0;
  std::uint64_t to_count = 0;
  std::string_view from_text;
  std::string_view to_text;
  if (!decode_demo_value(from_value, from_count, from_text) ||
      !decode_demo_value(to_value, to_count, to_text)) {
    return Status(StatusCode::corruption, fmt::format("'{}' or '{}' has no count", from_key, to_key));
  }
  const std::uint64_t amount = std::min(move.amount_max, from_count);
  status = transaction.put(from_table.table, from_key, encode_demo_value(from_count - amount, from_text));
  if (status.ok()) {
    status = transaction.put(to_table.table, to_key, encode_demo_value(to_count + amount, to_text));
  }
  if (!status.ok()) return status;
  return DemoMove{from_table.name, from_key, to_table.name, to_key, amount};
}

Status Worker::apply(Transaction& transaction, const std::vector<PlannedMove>& moves,
                     const std::string& key) const {
  std::vector<DemoMove> done;
  for (const PlannedMove& move : moves) {
    Result<DemoMove> moved = move_count(transaction, move);
    if (!moved.ok()) return moved.status();
    done.push_back(*std::move(moved));
    std::this_thread::yield();  // others get to run while locks are held: conflicts also on few cores
  }
  return transaction.insert(journal_, key, encode_journal_value(done));
}

void Worker::write_forever(std::uint32_t writer) {
  Random random(options_.seed * 1000 + writer);
  TransactionOptions options(Isolation::read_committed);
  options.durability = Durability::sync;
  DemoMessage message;
  message.writer = writer;
  for (;;) {
    message.sequence += 1;
    const std::vector<PlannedMove> moves = plan_moves(random);
    const std::string key = encode_journal_key({writer, message.sequence});
    std::uint64_t runs = 0;
    const auto body = [&](Transaction& transaction) {
      runs += 1;
      return apply(transaction, moves, key);
    };
    const Status status = run_transaction(database_, body, options);
    if (!status.ok()) fail(fmt::format("writer {}: {}", writer, status.to_string()));
    message.runs_again = runs_again_.fetch_add(runs - 1) + runs - 1;
    message.sums_checked = sums_checked_.load();
    message.rows_read = rows_read_.load();
    send(options_.descriptor, message);
  }
}

Result<std::uint64_t> Worker::sum_categories() {
  TransactionOptions options(Isolation::read_committed);
  options.read_only = true;
  options.durability = Durability::async;  // nobody is told what was read, so it need not be durable
  Result<Transaction> transaction = database_.begin(options);
  if (!transaction.ok()) return transaction.status();
  Result<Cursor> cursor = transaction->cursor(tables_[DemoTableIndex::categories].table);
  if (!cursor.ok()) return cursor.status();
  std::uint64_t sum = 0;
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    std::uint64_t count = 0;
    std::string_view text;
    if (!decode_demo_value(cursor->value(), count, text)) {
      return Status(StatusCode::corruption, fmt::format("category '{}' has no count", cursor->key()));
    }
    sum += count;
    rows_read_.fetch_add(1, std::memory_order_relaxed);
  }
  if (!cursor->status().ok()) return cursor->status();
  return sum;
}

Status Worker::read_random_rows(Random& random) {
  constexpr int kRows = 20;
  TransactionOptions options(Isolation::read_committed);
  options.read_only = true;
  options.durability = Durability::async;
  Result<Transaction> transaction = database_.begin(options);
  if (!transaction.ok()) return transaction.status();
  std::string value;
  for (int index = 0; index < kRows; ++index) {
    const RowAt at = draw_row(random, 0, kLoadedTables);
    const WorkTable& work = tables_[at.table];
    if (Status status = transaction->get(work.table, work.keys[at.row], value); !status.ok()) return status;
    std::uint64_t count = 0;
    std::string_view text;
    if (!decode_demo_value(value, count, text)) {
      return {StatusCode::corruption, fmt::format("'{}' in '{}' has no count", work.keys[at.row], work.name)};
    }
    rows_read_.fetch_add(1, std::memory_order_relaxed);
  }
  return transaction->commit();
}

void Worker::read_forever(std::uint32_t reader) {
  Random random(options_.seed * 1000 + 500 + reader);
  for (;;) {
    const Result<std::uint64_t> sum = sum_categories();
    if (!sum.ok()) fail(fmt::format("reader {}: {}", reader, sum.status().to_string()));
    if (*sum != categories_total_) {
      fail(fmt::format("reader {}: one cursor saw a total of {}, not {}", reader, *sum, categories_total_));
    }
    sums_checked_.fetch_add(1, std::memory_order_relaxed);
    const Status status = read_random_rows(random);
    if (!status.ok()) fail(fmt::format("reader {}: {}", reader, status.to_string()));
  }
}

}  // namespace

void run_demo_worker(const DemoWorkerOptions& options) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // who stops the demo stops this, too
  Options database_options;
  database_options.create_if_missing = false;
  database_options.checkpoint_log_bytes = std::uint64_t{1} << 20;  // several checkpoints before the kill
  Result<Database> database = Database::open(options.directory, database_options);
  if (!database.ok()) Worker::end_with_failure(options.descriptor, database.status().to_string());

  Worker worker(*database, options);
  if (const Status status = worker.prepare(); !status.ok()) worker.fail(status.to_string());
  std::vector<std::thread> threads;
  for (std::uint32_t writer = 0; writer < kDemoWriters; ++writer) {
    threads.emplace_back([&worker, writer] { worker.write_forever(writer); });
  }
  for (std::uint32_t reader = 0; reader < kDemoReaders; ++reader) {
    threads.emplace_back([&worker, reader] { worker.read_forever(reader); });
  }
  for (std::thread& thread : threads) thread.join();
  ::_exit(1);  // not reached: the threads never end
}

}  // namespace isolith::tools

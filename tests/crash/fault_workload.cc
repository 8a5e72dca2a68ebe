#include "tests/crash/fault_workload.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "tests/crash/worker.h"

namespace isolith::crash {
namespace {

constexpr const char* kRows = "rows";
constexpr const char* kLarge = "large";
constexpr const char* kShort = "short";  // a table that is dropped and made again

// Keys of the worker 0 (tests/crash/worker.h), in an order that is not theirs.
std::string key_of(unsigned index) { return std::to_string(100000 + index * 389 % 997) + 'a'; }

std::string text_of(unsigned index, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (index * 7 + i + i / 97) % 26);
  return text;
}

std::string verify(Database& database) {
  const Result<VerifyReport> report = database.verify();
  if (!report.ok()) return "verify: " + report.status().to_string();
  return report->problems.empty() ? std::string() : "verify finds: " + report->problems.front();
}

std::string write_again(Database& database, Part& part) {
  Result<Transaction> transaction = database.begin();
  if (!transaction.ok()) return "begin: " + transaction.status().to_string();
  for (const char* name : {kRows, "written again"}) {
    const Result<Table> table = transaction->ensure_table(name);
    if (!table.ok()) return "writing again: " + table.status().to_string();
    for (unsigned i = 0; i < 40; ++i) {
      const std::string text = text_of(i, i == 9 ? 50'000 : 600);
      const Status status = transaction->put(*table, key_of(i * 5), text);
      if (!status.ok()) return "writing again: " + status.to_string();
      part[name][key_of(i * 5)] = fingerprint_of(text);
    }
  }
  const Result<Table> meta = transaction->ensure_table("meta");
  if (!meta.ok()) return "writing again: " + meta.status().to_string();
  std::string order;
  if (transaction->get(*meta, "order", order).is(StatusCode::not_found)) {
    const Status status = transaction->put(*meta, "order", "1");
    if (!status.ok()) return "writing again: " + status.to_string();
  }
  const Status status = transaction->commit();
  return status.ok() ? std::string() : "writing again: " + status.to_string();
}

}  // namespace

Options small_database(base::SimulatedDisk& disk) {
  Options options;
  options.cache_bytes = std::size_t{1} << 20;
  options.log_segment_bytes = std::uint64_t{256} << 10;
  options.checkpoint_log_bytes = std::uint64_t{1} << 20;
  options.async_interval_ms = 1;
  options.file_system = &disk;
  return options;
}

bool is_disk_failure(const Status& status) {
  return status.is(StatusCode::io_error) || status.is(StatusCode::no_space) ||
         (status.is(StatusCode::read_only) && !status.message().empty());
}

// A transaction beside a model of its rows. Calls after its end do nothing.
class FaultWorkload::Work {
 public:
  Work(FaultWorkload& workload, Transaction transaction)
      : workload_(workload), transaction_(std::move(transaction)), rows_(workload.committed_) {}

  Transaction& transaction() noexcept { return transaction_; }
  [[nodiscard]] const Part& rows() const noexcept { return rows_; }

  // Nothing where the transaction is over, the table is not there, or the disk failed.
  std::optional<Table> table(const char* name) {
    if (!transaction_.active()) return std::nullopt;
    const Result<Table> table = transaction_.open_table(name);
    if (table.status().is(StatusCode::not_found) && !rows_.contains(name)) return std::nullopt;
    if (!workload_.good(table.status(), "open_table")) return std::nullopt;
    if (!rows_.contains(name)) workload_.problem_ = std::string("a table came back: ") + name;
    return *table;
  }

  // The row that counts the commits is not of the model.
  std::optional<Table> meta_table() {
    if (!transaction_.active()) return std::nullopt;
    const Result<Table> table = transaction_.ensure_table("meta");
    return workload_.good(table.status(), "ensure_table") ? std::optional<Table>(*table) : std::nullopt;
  }

  void make_table(const char* name) {
    if (!transaction_.active() || rows_.contains(name)) return;
    if (workload_.good(transaction_.create_table(name).status(), "create_table")) rows_[name];
  }

  void drop_table(const char* name) {
    const std::optional<Table> t = table(name);
    if (t && workload_.good(transaction_.drop_table(*t), "drop_table")) rows_.erase(name);
  }

  bool put(const char* name, const std::string& key, const std::string& text) {
    const std::optional<Table> t = table(name);
    if (!t || !workload_.good(transaction_.put(*t, key, text), "put")) return false;
    rows_[name][key] = fingerprint_of(text);
    return true;
  }

  void append(const char* name, const std::string& key, std::string& text, const std::string& piece) {
    const std::optional<Table> t = table(name);
    if (!t || !workload_.good(transaction_.append(*t, key, piece), "append")) return;
    text += piece;
    rows_[name][key] = fingerprint_of(text);
  }

  void erase(const char* name, const std::string& key) {
    const std::optional<Table> t = table(name);
    if (!t || !rows_[name].contains(key)) return;
    if (workload_.good(transaction_.erase(*t, key), "erase")) rows_[name].erase(key);
  }

  void erase_range(const char* name, const std::string& lo, const std::string& hi) {
    const std::optional<Table> t = table(name);
    if (!t) return;
    const Result<std::uint64_t> erased = transaction_.erase_range(*t, {lo, hi});
    if (!workload_.good(erased.status(), "erase_range")) return;
    Rows& rows = rows_[name];
    const auto first = rows.lower_bound(lo);
    const auto last = rows.lower_bound(hi);
    if (*erased != static_cast<std::uint64_t>(std::distance(first, last))) {
      workload_.problem_ = "erase_range erased another number of rows";
    }
    rows.erase(first, last);
  }

  // Rolls back what `body` does.
  void take_back(const std::function<void()>& body) {
    if (!transaction_.active()) return;
    const Result<Savepoint> savepoint = transaction_.savepoint();
    const bool made = workload_.good(savepoint.status(), "savepoint");
    Part before = rows_;
    body();
    if (!made || !transaction_.active()) return;
    if (workload_.good(transaction_.rollback_to(*savepoint), "rollback_to")) rows_ = std::move(before);
  }

  // Every row of a table, by a cursor and the first ones one by one.
  void read(const char* name) {
    const std::optional<Table> t = table(name);
    if (!t) return;
    const Rows& rows = rows_[name];
    Result<Cursor> cursor = transaction_.cursor(*t);
    if (!workload_.good(cursor.status(), "cursor")) return;
    auto expected = rows.begin();
    for (cursor->seek_first(); cursor->valid(); cursor->next(), ++expected) {
      const std::string key(cursor->key());
      const Fingerprint found = fingerprint_of(cursor->value());
      if (!cursor->valid()) break;
      if (expected == rows.end() || key != expected->first || found != expected->second) {
        workload_.problem_ = std::string("a cursor shows a wrong row of ") + name + ": " + key;
        return;
      }
    }
    if (!workload_.good(cursor->status(), "scan")) return;
    if (expected != rows.end()) workload_.problem_ = std::string("a cursor misses rows of ") + name;
  }

  void get(const char* name, const std::string& key) {
    const std::optional<Table> t = table(name);
    if (!t) return;
    std::string text;
    const Status status = transaction_.get(*t, key, text);
    const Rows& rows = rows_[name];
    const auto expected = rows.find(key);
    const bool there = expected != rows.end();
    if (status.is(StatusCode::not_found) && !there) return;
    if (!workload_.good(status, "get")) return;
    if (!there || fingerprint_of(text) != expected->second) workload_.problem_ = "get answers a wrong value";
  }

 private:
  FaultWorkload& workload_;
  Transaction transaction_;
  Part rows_;
};

FaultWorkload::FaultWorkload(base::SimulatedDisk& disk, std::uint64_t seed, bool crashes)
    : disk_(disk), random_(seed), takes_crashes_(crashes), ledger_(1) {}

// ---- answers ----

// Whether the call did what it should. A failure that a failing disk does not explain is a problem.
bool FaultWorkload::good(const Status& status, const char* call) {
  look_for_fault();
  if (status.ok()) return true;
  if (status.is(StatusCode::no_space)) ++no_space_answers_;
  if (problem_.empty() && !is_disk_failure(status)) problem_ = std::string(call) + ": " + status.to_string();
  return false;
}

void FaultWorkload::look_for_fault() {
  if (fault_seen_ || !disk_.fault_happened()) return;
  fault_seen_ = true;
  take_crash("at the fault");
}

void FaultWorkload::take_crash(const char* when) {
  if (!takes_crashes_) return;
  const std::uint64_t acknowledged = ledger_.acknowledged();  // before the disk is copied
  crashed_.push_back({disk_.crash(random_.next()), acknowledged, when});
}

// ---- transactions ----

void FaultWorkload::transact(Durability durability, const std::function<void(Work&)>& body) {
  if (!database_ || lost_ || !problem_.empty()) return;
  TransactionOptions options;
  options.durability = durability;
  Result<Transaction> transaction = database_->begin(options);
  if (!good(transaction.status(), "begin")) return;
  Work work(*this, *std::move(transaction));
  body(work);
  if (problem_.empty()) commit(work, durability);
}

void FaultWorkload::commit(Work& work, Durability durability) {
  Transaction& transaction = work.transaction();
  const std::optional<Table> meta = work.meta_table();
  if (!meta) return;
  std::string order = "0";
  const Status got = transaction.get_for_update(*meta, "order", order);
  if (!got.is(StatusCode::not_found) && !good(got, "get_for_update order")) return;
  std::uint64_t number = 0;
  std::from_chars(order.data(), order.data() + order.size(), number);
  ++number;
  if (!good(transaction.put(*meta, "order", std::to_string(number)), "put order")) return;
  ledger_.issue(number, 0, work.rows());
  const Status status = transaction.commit();
  if (good(status, "commit")) {
    if (log_failed_) problem_ = "a commit was answered with ok after one whose sync failed";
    committed_ = work.rows();
    newest_ = number;
    if (durability == Durability::sync) ledger_.acknowledge(number);
    return;
  }
  if (status.is(StatusCode::no_space)) {
    ledger_.withdraw(number);  // nothing was appended
    return;
  }
  find_out();
}

// After a commit in doubt: what the database shows is the state before it or after it.
void FaultWorkload::find_out() {
  for (int i = 0; i < 3 && problem_.empty(); ++i) {
    const Result<std::uint64_t> number = commits_in(*database_);
    if (!good(number.status(), "the number of commits")) continue;
    if (*number + 1 < ledger_.issued() || *number > ledger_.issued()) {
      problem_ = "after a commit in doubt there are " + std::to_string(*number) + " commits of " +
                 std::to_string(ledger_.issued());
      return;
    }
    committed_ = *ledger_.state(*number).front();
    // It went into the log, and its sync failed.
    log_failed_ = log_failed_ || *number == ledger_.issued();
    if (*number == ledger_.issued()) ++failed_sync_commits_;
    return;
  }
  lost_ = true;
}

void FaultWorkload::read_all() {
  if (!database_ || lost_ || !problem_.empty()) return;
  TransactionOptions options;
  options.durability = Durability::none;
  Result<Transaction> transaction = database_->begin(options);
  if (!good(transaction.status(), "begin")) return;
  Work work(*this, *std::move(transaction));
  for (const char* name : {kRows, kLarge, kShort}) work.read(name);
  for (unsigned i = 0; i < 8; ++i) work.get(kRows, key_of(i * 61));
}

void FaultWorkload::checkpoint() {
  if (database_ && good(database_->checkpoint(), "checkpoint")) ledger_.acknowledge(newest_);
}

void FaultWorkload::sync() {
  if (database_ && good(database_->sync(), "sync")) ledger_.acknowledge(newest_);
}

void FaultWorkload::close() {
  if (database_ && good(database_->close(), "close")) ledger_.acknowledge(newest_);
}

// ---- lives ----

void FaultWorkload::open() {
  log_failed_ = false;
  lost_ = false;
  newest_ = 0;
  for (int i = 0; i < 2 && problem_.empty(); ++i) {
    database_.reset();
    Result<Database> database = Database::open(kDatabase, small_database(disk_));
    if (!good(database.status(), "open")) continue;
    database_.emplace(*std::move(database));
    const Result<std::uint64_t> number = commits_in(*database_);
    if (!good(number.status(), "the number of commits")) continue;
    if (*number < ledger_.acknowledged() || *number > ledger_.issued()) {
      problem_ = "opened again, there are " + std::to_string(*number) + " commits; acknowledged were " +
                 std::to_string(ledger_.acknowledged()) + " of " + std::to_string(ledger_.issued());
      return;
    }
    ledger_.survive(*number);  // recovery has made them durable
    newest_ = *number;
    committed_ = *ledger_.state(*number).front();
    return;
  }
  database_.reset();
}

std::string FaultWorkload::end_life() {
  if (fault_seen_) take_crash("at the end of a life");
  if (random_.chance(3, 4)) close();
  database_.reset();  // closes, too, and tells nobody how it went
  look_for_fault();
  return std::exchange(problem_, {});
}

void FaultWorkload::make_tables() {
  transact(Durability::sync, [](Work& work) {
    for (const char* name : {kRows, kLarge, kShort}) work.make_table(name);
  });
}

void FaultWorkload::fill(unsigned part, Durability durability) {
  transact(durability, [part](Work& work) {
    for (unsigned i = part * 70; i < (part + 1) * 70; ++i) {
      work.put(kRows, key_of(i), text_of(i, 700 + i % 5 * 150));
      if (i % 6 == 0) work.put(kShort, key_of(i), text_of(i, 40));
      if (i % 35 == 0) work.put(kLarge, key_of(i), text_of(i, 90'000));
    }
  });
}

void FaultWorkload::append_and_roll_back() {
  transact(Durability::sync, [this](Work& work) {
    std::string text = text_of(1, 20'000);
    if (work.put(kLarge, key_of(1), text)) {
      for (unsigned i = 0; i < 3; ++i) work.append(kLarge, key_of(1), text, text_of(i, 30'000));
    }
    checkpoint();  // of a transaction in progress
    std::string grown = text_of(2, 3'000);
    const bool put = work.put(kLarge, key_of(2), grown);
    work.take_back([&] {
      work.erase_range(kRows, "1001", "1004");
      work.put(kLarge, key_of(0), text_of(9, 40'000));
      std::string kept = grown;
      if (put) work.append(kLarge, key_of(2), kept, text_of(3, 20'000));
      work.make_table("passing");
      work.drop_table(kShort);
      checkpoint();
      work.read(kLarge);  // the rows that are taken back leave the cache, which holds them clean
    });
    for (unsigned i = 0; i < 30; ++i) work.erase(kRows, key_of(i * 3));
  });
  // One that is given up, with much to take back.
  if (!database_ || lost_ || !problem_.empty()) return;
  Result<Transaction> transaction = database_->begin();
  if (!good(transaction.status(), "begin")) return;
  Work work(*this, *std::move(transaction));
  work.erase_range(kRows, "1005", "1008");
  for (unsigned i = 0; i < 40; ++i) work.put(kRows, key_of(500 + i), text_of(i, 900));
  work.put(kLarge, key_of(3), text_of(3, 60'000));
  checkpoint();
  work.read(kLarge);
  if (work.transaction().active()) good(work.transaction().abort(), "abort");
}

void FaultWorkload::shrink() {
  transact(Durability::async, [](Work& work) {
    work.erase_range(kRows, "1002", "1006");
    for (unsigned i = 0; i < 60; ++i) work.erase(kRows, key_of(i * 2));
  });
  transact(Durability::sync, [](Work& work) {
    work.drop_table(kShort);
    work.erase(kLarge, key_of(0));
    work.put(kLarge, key_of(35), text_of(4, 70'000));
  });
}

std::string FaultWorkload::first_life() {
  open();
  make_tables();
  fill(0, Durability::async);
  fill(1, Durability::sync);
  checkpoint();
  fill(2, Durability::none);
  sync();
  append_and_roll_back();
  fill(3, Durability::sync);
  read_all();
  return end_life();
}

std::string FaultWorkload::second_life() {
  open();
  if (committed_.empty()) make_tables();
  read_all();
  shrink();
  // More than the cache holds, so that free slots are written to.
  transact(Durability::async, [](Work& work) {
    for (unsigned i = 0; i < 6; ++i) work.put(kLarge, key_of(i * 35), text_of(i, 100'000));
  });
  if (fault_seen_) take_crash("after a later opening and before its first checkpoint");
  checkpoint();
  transact(Durability::sync, [](Work& work) {
    work.make_table(kShort);
    work.put(kShort, key_of(7), text_of(7, 2'000));
  });
  read_all();
  return end_life();
}

// ---- afterwards ----

std::string FaultWorkload::look_at(base::SimulatedDisk& disk, std::uint64_t acknowledged) {
  std::string problem;
  std::uint64_t number = 0;
  Part part;
  {
    Result<Database> database = Database::open(kDatabase, small_database(disk));
    if (!database.ok()) return "open: " + database.status().to_string();
    const Result<std::uint64_t> commits = commits_in(*database);
    if (!commits.ok()) return "the number of commits: " + commits.status().to_string();
    number = *commits;
    if (number < acknowledged || number > ledger_.issued()) {
      return "there are " + std::to_string(number) + " commits; acknowledged were " +
             std::to_string(acknowledged) + " of " + std::to_string(ledger_.issued());
    }
    part = *ledger_.state(number).front();
    problem = compare(*database, {&part}, number);
    if (problem.empty()) problem = verify(*database);
    if (problem.empty()) problem = write_again(*database, part);
    if (!problem.empty()) return problem + " (" + std::to_string(number) + " commits)";
    if (const Status status = database->close(); !status.ok()) return "close: " + status.to_string();
  }
  const std::unique_ptr<base::SimulatedDisk> crashed = disk.crash(random_.next());
  Result<Database> again = Database::open(kDatabase, small_database(*crashed));
  if (!again.ok()) return "open after writing again: " + again.status().to_string();
  problem = compare(*again, {&part}, std::max<std::uint64_t>(number, 1));
  if (problem.empty()) problem = verify(*again);
  return problem.empty() ? problem : "after writing again: " + problem;
}

}  // namespace isolith::crash

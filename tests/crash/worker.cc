#include "tests/crash/worker.h"

#include <algorithm>
#include <charconv>

namespace isolith::crash {
namespace {

constexpr const char* kSharedTables[] = {"shared0", "shared1"};
constexpr unsigned kOwnTables = 3;

std::string own_table(unsigned worker, std::uint64_t index) {
  return "own" + std::to_string(worker) + "." + std::to_string(index);
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string describe(const std::string& table, const std::string& key) {
  return table + "/" + (key.size() > 24 ? key.substr(0, 24) + "..." : key);
}

// Failures that a failing disk explains.
bool is_disk_failure(const Status& status) {
  return status.is(StatusCode::io_error) || status.is(StatusCode::no_space) ||
         status.is(StatusCode::read_only);
}

}  // namespace

Worker::Worker(Ledger& ledger, const WorkerOptions& options)
    : ledger_(ledger), options_(options), random_(options.seed) {
  for (const char* name : kSharedTables) committed_[name];
}

std::string Worker::set_up(Database& database, Ledger& ledger) {
  Result<Transaction> transaction = database.begin();
  if (!transaction.ok()) return transaction.status().to_string();
  for (const char* name : {kSharedTables[0], kSharedTables[1], "meta"}) {
    const Result<Table> table = transaction->create_table(name);
    if (!table.ok()) return table.status().to_string();
    if (name != std::string_view("meta")) continue;
    if (const Status status = transaction->put(*table, "order", "1"); !status.ok()) return status.to_string();
  }
  Part part;
  for (const char* name : kSharedTables) part[name];
  ledger.issue_all(1, part);
  const Status status = transaction->commit();
  if (!status.ok()) return status.to_string();
  ledger.acknowledge(1);
  return {};
}

void Worker::restart(const Part& part) {
  transaction_.reset();
  reader_.reset();
  savepoints_.clear();
  committed_ = part;
  newest_ = 0;
}

std::string Worker::judge(const Status& status, const char* call) {
  if (transaction_ && !transaction_->active()) {
    transaction_.reset();
    savepoints_.clear();
  }
  if (options_.tolerant && is_disk_failure(status)) return {};
  return std::string(call) + ": " + status.to_string();
}

std::string Worker::step(Database& database) {
  if (!transaction_) return between(database);
  if (calls_left_ == 0) return finish();
  --calls_left_;
  return operate();
}

std::string Worker::between(Database& database) {
  switch (random_.below(16)) {
    case 0: {
      if (!options_.checkpoints) return begin(database);
      const Status status = database.checkpoint();
      if (!status.ok()) return judge(status, "checkpoint");
      ledger_.acknowledge(newest_);
      return {};
    }
    case 1: {
      const Status status = database.sync();
      if (!status.ok()) return judge(status, "sync");
      ledger_.acknowledge(newest_);
      return {};
    }
    case 2: return look(database);
    case 3:
    case 4: return look_back(database);
    default: return begin(database);
  }
}

// What a reader at `sync` has seen must survive once its commit has answered.
std::string Worker::look(Database& database) {
  Result<Transaction> reader = database.begin();
  if (!reader.ok()) return reader.status().to_string();
  const Result<Table> meta = reader->open_table("meta");
  if (!meta.ok()) return judge(meta.status(), "open_table meta");
  const Result<std::string> order = reader->get(*meta, "order");
  if (!order.ok()) return judge(order.status(), "get order");
  if (const Status status = reader->commit(); !status.ok()) return judge(status, "commit of a reader");
  ledger_.acknowledge(number_of(*order));
  return {};
}

// A reader that stays: whatever is committed, collected and spilled since, it sees what was there when it
// began.
std::string Worker::look_back(Database& database) {
  if (!reader_) {
    if (commit_failed_) return {};  // in doubt
    TransactionOptions options(Isolation::snapshot);
    options.read_only = true;
    Result<Transaction> reader = database.begin(options);
    if (!reader.ok()) return judge(reader.status(), "begin a reader");
    reader_.emplace(*std::move(reader));
    read_ = committed_;
    return {};
  }
  std::string value;
  for (int i = 0; i < 20; ++i) {
    const auto& [name, rows] =
        *std::next(read_.begin(), static_cast<std::ptrdiff_t>(random_.below(read_.size())));
    const std::string key = random_key();
    const auto expected = rows.find(key);
    const Result<Table> table = reader_->open_table(name);
    if (!table.ok()) return judge(table.status(), "open_table of a reader");
    const Status status = reader_->get(*table, key, value);
    if (status.is(StatusCode::not_found) && expected == rows.end()) continue;
    if (!status.ok()) return judge(status, "get of a reader");
    if (expected == rows.end()) return describe(name, key) + " is not in the reader's snapshot";
    if (fingerprint_of(value) != expected->second) return describe(name, key) + " changed under a reader";
  }
  if (random_.chance(1, 4)) reader_.reset();
  return {};
}

std::string Worker::begin(Database& database) {
  TransactionOptions options(random_.chance(1, 4) ? Isolation::read_uncommitted : Isolation::read_committed);
  constexpr Durability kDurabilities[] = {Durability::sync, Durability::async, Durability::none};
  durability_ = kDurabilities[random_.below(3)];
  options.durability = durability_;
  Result<Transaction> transaction = database.begin(options);
  if (!transaction.ok()) return judge(transaction.status(), "begin");
  transaction_.emplace(*std::move(transaction));
  view_ = {committed_, {}};
  savepoints_.clear();
  calls_left_ = static_cast<unsigned>(random_.below(random_.chance(1, 8) ? 60 : 12)) + 1;
  ++transactions_;
  return {};
}

std::string Worker::finish() {
  if (!random_.chance(1, 6)) return commit();
  Status status;
  if (random_.chance(1, 2)) status = transaction_->abort();
  transaction_.reset();
  savepoints_.clear();
  return status.ok() ? std::string() : judge(status, "abort");
}

std::string Worker::commit() {
  Result<Table> meta = transaction_->open_table("meta");
  if (!meta.ok()) return judge(meta.status(), "open_table meta");
  const Result<std::string> order = transaction_->get_for_update(*meta, "order");
  if (!order.ok()) return judge(order.status(), "get_for_update order");
  const std::uint64_t number = number_of(*order) + 1;
  if (const Status status = transaction_->put(*meta, "order", std::to_string(number)); !status.ok()) {
    return judge(status, "put order");
  }
  ledger_.issue(number, options_.number, view_.rows);
  const Status status = transaction_->commit();
  transaction_.reset();
  savepoints_.clear();
  if (!status.ok()) {
    if (!status.is(StatusCode::io_error) && !status.is(StatusCode::read_only)) ledger_.withdraw(number);
    commit_failed_ = commit_failed_ || !status.is(StatusCode::no_space);
    return judge(status, "commit");
  }
  if (commit_failed_ && durability_ == Durability::sync) return "a commit was acknowledged after one failed";
  committed_ = view_.rows;
  newest_ = number;
  if (durability_ == Durability::sync) ledger_.acknowledge(number);
  return {};
}

std::string Worker::operate() {
  switch (random_.below(20)) {
    case 0: return change_tables();
    case 1: return use_savepoint();
    case 2: return erase_some();
    case 3: return scan_one();
    case 4:
    case 5: return append_one();
    case 6:
    case 7: return read_one();
    default: return write_one();
  }
}

std::string Worker::random_table() {
  const std::uint64_t index = random_.below(view_.rows.size());
  return std::next(view_.rows.begin(), static_cast<std::ptrdiff_t>(index))->first;
}

// Keys of all workers lie side by side.
std::string Worker::random_key() {
  const std::uint64_t id = random_.below(options_.keys_max);
  std::string key = std::to_string(100000 + id) + static_cast<char>('a' + options_.number);
  if (id % 41 == 0) key.append(300 + id % 1700, 'k');
  return key;
}

std::string Worker::random_value() {
  std::uint64_t size = random_.below(120);
  if (random_.chance(options_.large_per_mille, 1000)) {
    size = 10'000 + random_.below(random_.chance(1, 4) ? 290'000 : 30'000);
  } else if (random_.chance(1, 4)) {
    size = random_.below(2000);
  } else if (random_.chance(1, 12)) {
    size = random_.below(9000);
  }
  std::string value(size, '\0');
  const std::uint64_t word = random_.next();
  for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<char>((word >> (i % 8 * 8)) + i / 512);
  return value;
}

std::optional<Table> Worker::open(const std::string& name, std::string& problem) {
  Result<Table> table = transaction_->open_table(name);
  if (table.ok()) return *table;
  problem = judge(table.status(), "open_table");
  return std::nullopt;
}

std::string Worker::write_one() {
  const std::string name = random_table();
  std::string problem;
  const std::optional<Table> table = open(name, problem);
  if (!table) return problem;
  const std::string key = random_key();
  Rows& rows = view_.rows[name];
  const bool there = rows.contains(key);
  // Long stretches of growing and of shrinking, so that the trees split and merge.
  if (random_.chance(transactions_ / 30 % 2 == 1 ? 7 : 2, 10)) {
    const Status status = transaction_->erase(*table, key);
    if (status.is(StatusCode::not_found) && !there) return {};
    if (!status.ok() || !there) return judge(status, "erase");
    rows.erase(key);
    view_.texts.erase({name, key});
    return {};
  }
  const bool inserts = random_.chance(1, 4);
  const std::string value = random_value();
  const Status status =
      inserts ? transaction_->insert(*table, key, value) : transaction_->put(*table, key, value);
  if (inserts && there && status.is(StatusCode::already_exists)) return {};
  if (!status.ok() || (inserts && there)) return judge(status, inserts ? "insert" : "put");
  rows[key] = fingerprint_of(value);
  view_.texts[{name, key}] = value;
  return {};
}

std::string Worker::append_one() {
  if (view_.texts.empty()) return write_one();
  const std::uint64_t index = random_.below(view_.texts.size());
  auto& [place, text] = *std::next(view_.texts.begin(), static_cast<std::ptrdiff_t>(index));
  std::string problem;
  const std::optional<Table> table = open(place.first, problem);
  if (!table) return problem;
  const std::string piece = random_value();
  const Status status = transaction_->append(*table, place.second, piece);
  if (!status.ok()) return judge(status, "append");
  text += piece;
  view_.rows[place.first][place.second] = fingerprint_of(text);
  return {};
}

std::string Worker::read_one() {
  const std::string name = random_table();
  std::string problem;
  const std::optional<Table> table = open(name, problem);
  if (!table) return problem;
  const std::string key = random_key();
  std::string value;
  const Status status = random_.chance(1, 3) ? transaction_->get_for_update(*table, key, value)
                                             : transaction_->get(*table, key, value);
  const Rows& rows = view_.rows[name];
  const auto expected = rows.find(key);
  if (status.is(StatusCode::not_found)) {
    return expected == rows.end() ? std::string() : describe(name, key) + " is not found";
  }
  if (!status.ok()) return judge(status, "get");
  if (expected == rows.end()) return describe(name, key) + " should not be there";
  return fingerprint_of(value) == expected->second ? std::string()
                                                   : describe(name, key) + " has a wrong value";
}

std::string Worker::scan_one() {
  const std::string name = random_table();
  std::string problem;
  const std::optional<Table> table = open(name, problem);
  if (!table) return problem;
  Result<Cursor> cursor = transaction_->cursor(*table);
  if (!cursor.ok()) return judge(cursor.status(), "cursor");
  const Rows& rows = view_.rows[name];
  std::size_t seen = 0;
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    const std::string key(cursor->key());
    if (key[6] != static_cast<char>('a' + options_.number)) continue;
    const auto expected = rows.find(key);
    if (expected == rows.end()) return "a scan shows " + describe(name, key);
    const Fingerprint found = fingerprint_of(cursor->value());
    if (!cursor->valid()) break;
    if (found != expected->second) return "a scan shows a wrong value of " + describe(name, key);
    ++seen;
  }
  if (!cursor->status().ok()) return judge(Status(cursor->status().code()), "scan");
  return seen == rows.size() ? std::string() : "a scan of " + name + " misses rows";
}

// A range of an own table, or of one key.
std::string Worker::erase_some() {
  const std::string name = random_table();
  std::string problem;
  const std::optional<Table> table = open(name, problem);
  if (!table) return problem;
  std::string lo = random_key();
  std::string hi = name.starts_with("own") ? random_key() : lo + '\0';
  if (hi < lo) std::swap(lo, hi);
  const Result<std::uint64_t> erased = transaction_->erase_range(*table, {lo, hi});
  if (!erased.ok()) return judge(erased.status(), "erase_range");
  Rows& rows = view_.rows[name];
  const auto first = rows.lower_bound(lo);
  const auto last = rows.lower_bound(hi);
  const auto expected = static_cast<std::uint64_t>(std::distance(first, last));
  if (*erased != expected) {
    return "erase_range of " + name + " erased " + std::to_string(*erased) + " of " +
           std::to_string(expected);
  }
  for (auto row = first; row != last; ++row) view_.texts.erase({name, row->first});
  rows.erase(first, last);
  return {};
}

std::string Worker::change_tables() {
  const std::string name = own_table(options_.number, random_.below(kOwnTables));
  const auto at = view_.rows.find(name);
  if (at == view_.rows.end()) {
    const Result<Table> made =
        random_.chance(1, 2) ? transaction_->create_table(name) : transaction_->ensure_table(name);
    if (!made.ok()) return judge(made.status(), "create_table");
    view_.rows[name];
    return {};
  }
  if (random_.chance(1, 4)) {
    const Result<Table> made = transaction_->create_table(name);
    return made.status().is(StatusCode::already_exists) ? std::string()
                                                        : judge(made.status(), "create_table again");
  }
  std::string problem;
  const std::optional<Table> table = open(name, problem);
  if (!table) return problem;
  const Status status = transaction_->drop_table(*table);
  if (!status.ok()) return judge(status, "drop_table");
  view_.rows.erase(at);
  std::erase_if(view_.texts, [&](const auto& text) { return text.first.first == name; });
  return {};
}

std::string Worker::use_savepoint() {
  if (savepoints_.empty() || (savepoints_.size() < 3 && random_.chance(1, 2))) {
    const Result<Savepoint> savepoint = transaction_->savepoint();
    if (!savepoint.ok()) return judge(savepoint.status(), "savepoint");
    savepoints_.emplace_back(*savepoint, view_);
    calls_left_ += 6;
    return {};
  }
  const std::size_t index = random_.below(savepoints_.size());
  const Status status = transaction_->rollback_to(savepoints_[index].first);
  if (!status.ok()) return judge(status, "rollback_to");
  view_ = savepoints_[index].second;
  savepoints_.resize(index + 1);
  return {};
}

Result<std::uint64_t> commits_in(Database& database) {
  const Result<std::vector<std::string>> names = database.tables();
  if (!names.ok()) return Status(names.status().code(), std::string(names.status().message()));
  if (names->empty()) return std::uint64_t{0};
  Result<Transaction> transaction = database.begin();
  if (!transaction.ok()) return std::move(transaction).status();
  const Result<Table> meta = transaction->open_table("meta");
  if (!meta.ok()) return Status(StatusCode::internal, "there are tables, but no meta");
  std::string order;
  if (Status status = transaction->get(*meta, "order", order); !status.ok()) return status;
  return number_of(order);
}

std::string compare(Database& database, const std::vector<const Part*>& parts, std::uint64_t number) {
  std::map<std::string, std::size_t> expected;  // tables and how many rows they have
  for (const Part* part : parts) {
    for (const auto& [name, rows] : *part) expected[name] += rows.size();
  }
  if (number > 0) expected["meta"] = 1;
  const Result<std::vector<std::string>> names = database.tables();
  if (!names.ok()) return "tables: " + names.status().to_string();
  if (!std::ranges::equal(*names, expected, {}, {}, [](const auto& table) { return table.first; })) {
    std::string text = "the tables are";
    for (const std::string& name : *names) text += " " + name;
    text += "; they should be";
    for (const auto& table : expected) text += " " + table.first;
    return text;
  }
  Result<Transaction> transaction = database.begin();
  if (!transaction.ok()) return transaction.status().to_string();
  for (const auto& [name, size] : expected) {
    const Result<Table> table = transaction->open_table(name);
    if (!table.ok()) return "open_table: " + table.status().to_string();
    Result<Cursor> cursor = transaction->cursor(*table);
    if (!cursor.ok()) return "cursor: " + cursor.status().to_string();
    std::size_t seen = 0;
    for (cursor->seek_first(); cursor->valid(); cursor->next(), ++seen) {
      if (name == "meta") continue;
      const std::string key(cursor->key());
      const std::size_t worker = key.size() > 6 ? static_cast<std::size_t>(key[6] - 'a') : parts.size();
      if (worker >= parts.size()) return describe(name, key) + " was never written";
      const auto rows = parts[worker]->find(name);
      if (rows == parts[worker]->end()) return describe(name, key) + " came back";
      const auto row = rows->second.find(key);
      if (row == rows->second.end()) return describe(name, key) + " came back";
      const Fingerprint found = fingerprint_of(cursor->value());
      if (!cursor->status().ok()) break;
      if (found != row->second) return describe(name, key) + " has a wrong value";
    }
    if (!cursor->status().ok()) return "scan of " + name + ": " + cursor->status().to_string();
    if (seen != size) return name + " has " + std::to_string(seen) + " rows of " + std::to_string(size);
  }
  return {};
}

}  // namespace isolith::crash

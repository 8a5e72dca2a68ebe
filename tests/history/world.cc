// A history from its first step to its last, and the events between the steps of transactions.
#include "tests/history/world.h"

#include <utility>

namespace isolith::history {
namespace {

constexpr const char* kPath = "/database";
constexpr unsigned kChurn = 40;  // commits: more than are between two collections

std::string describe(const Rows& rows) {
  std::string text;
  for (const auto& [key, value] : rows) text.append(" ").append(key).append("=").append(value.substr(0, 8));
  return text.empty() ? " nothing" : text;
}

std::string_view name_of(const Answer& answer) {
  return answer.code == StatusCode::conflict ? to_string(answer.reason) : to_string(answer.code);
}

}  // namespace

World::World(const History& history) : history_(history) {
  options_.cache_bytes = std::size_t{1} << 20;
  options_.log_segment_bytes = std::uint64_t{256} << 10;
  options_.checkpoint_log_bytes = std::uint64_t{1} << 20;
  options_.wait_hook = &runner_;
  open(options_, disk_, database_);
  fill(history.first_rows);
  for (const std::vector<Plan>& plans : history.sessions) {
    program_.sessions.push_back({std::string(1, static_cast<char>('A' + program_.sessions.size())), {}});
    slots_.emplace_back();
    for (const Plan& plan : plans) add_plan(program_.sessions.size() - 1, plan);
  }
  program_.sessions.push_back({"Events", {}});
  for (const Operation& event : history.events)
    add_step(program_.sessions.size() - 1, to_string(event), [this, &event] { do_event(event); });
  program_.transaction_of = [this](std::size_t session) {
    return session < slots_.size() && slots_[session].transaction ? slots_[session].transaction->id() : 0;
  };
  program_.on_event = [this](const anomalies::Event& event) { see(event); };
}

void World::add_step(std::size_t session, std::string text, std::function<void()> step) {
  program_.sessions[session].steps.emplace_back(
      [this, session, text = std::move(text), step = std::move(step)] {
        if (!problem_.empty()) return;
        where_ = program_.sessions[session].name + " " + text;
        ++counts_.steps;
        step();
      });
}

void World::add_plan(std::size_t session, const Plan& plan) {
  add_step(session, "begin", [this, session, &plan] { begin(session, plan.level); });
  for (const Operation& operation : plan.operations)
    add_step(session, to_string(operation), [this, session, &operation] { call(session, operation); });
  add_step(session, plan.commits ? "commit" : "abort",
           [this, session, &plan] { end(session, plan.commits); });
}

void World::open(const Options& options, base::SimulatedDisk& disk, std::optional<Database>& database) {
  Options with_disk = options;
  with_disk.file_system = &disk;
  Result<Database> opened = Database::open(kPath, with_disk);
  expect(opened.ok(), "open: " + opened.status().to_string());
  if (!opened.ok()) return;
  database.emplace(std::move(*opened));
  if (&database != &database_) return;
  for (unsigned table = 0; table < kTables; ++table)
    tables_[table] = *database->ensure_table(table_of(table));
}

// What is there before the first step.
void World::fill(std::uint32_t first_rows) {
  if (!database_) return;
  Transaction transaction = *database_->begin();
  const std::uint64_t id = model_.begin(Level::read_committed);
  for (unsigned i = 0; i < kTables * kKeys; ++i) {
    if ((first_rows >> i & 1) == 0) continue;
    Call call{Kind::put, {i / kKeys, key_of(i % kKeys)}, next_value(i), {}, false, {}, 0};
    same(transaction.put(tables_[call.key.first], call.key.second, call.value),
         model_.carry_out(id, call, Doubt::unchanged));
  }
  same(transaction.commit(), model_.commit(id));
}

std::string World::run() {
  const Status status = runner_.run(program_, history_.seed, trace_);
  expect(status.ok(), status.to_string());
  expect(!trace_.stuck, "the run is stuck");
  if (problem_.empty()) finish();
  if (problem_.empty()) return {};
  return problem_ + "\n" + to_string(trace_, program_);
}

void World::expect(bool good, std::string_view text) {
  if (good || !problem_.empty()) return;
  problem_ = where_ + ": ";
  problem_ += text;
}

void World::same(const Status& got, const Answer& wanted) {
  const bool equal = wanted.waits_for == 0 && got.code() == wanted.code && got.reason() == wanted.reason;
  if (equal) return;
  std::string text = "answers " + got.to_string() + ", expected ";
  if (wanted.waits_for == 0) {
    text += name_of(wanted);
  } else {
    text += "a wait at " + table_of(wanted.waits_at.first) + "/" + wanted.waits_at.second;
  }
  expect(false, text);
}

void World::same_rows(const Rows& got, const Rows& wanted) {
  counts_.rows += wanted.size();
  expect(got == wanted, "shows" + describe(got) + ", expected" + describe(wanted));
}

// A wait is right when the model says so at that very moment.
void World::see(const anomalies::Event& event) {
  if (!problem_.empty() || event.session >= slots_.size()) return;
  SessionSlot& slot = slots_[event.session];
  if (event.kind == anomalies::EventKind::resumed) {
    model_.stop_waiting(slot.id);
    where_ = program_.sessions[event.session].name + " goes on";
  }
  if (event.kind != anomalies::EventKind::blocked) return;
  ++counts_.waits;
  const Answer wanted = model_.carry_out(slot.id, slot.call, Doubt::unchanged);
  expect(wanted.waits_for != 0, to_string(event, program_) + ", expected " + std::string(name_of(wanted)));
  if (wanted.waits_for == 0) return;
  const bool same_holder =
      std::any_of(event.holder_sessions.begin(), event.holder_sessions.end(),
                  [&](std::size_t session) { return slots_[session].id == wanted.waits_for; });
  const bool same_key = event.table == table_of(wanted.waits_at.first) && event.key == wanted.waits_at.second;
  expect(same_holder && same_key,
         to_string(event, program_) + ", expected a wait at " + wanted.waits_at.second);
  model_.wait(slot.id);
}

// ---- the whole ----

// All that is committed, and nothing else, in a database that is sound.
void World::compare(Database& database) {
  Result<Transaction> transaction = database.begin();
  expect(transaction.ok(), "begin: " + transaction.status().to_string());
  for (unsigned table = 0; table < kTables && problem_.empty(); ++table) {
    const Result<Table> handle = transaction->open_table(table_of(table));
    expect(handle.ok(), "open_table: " + handle.status().to_string());
    if (!handle.ok()) return;
    Rows rows;
    Cursor cursor = *transaction->cursor(*handle);
    for (cursor.seek_first(); cursor.valid(); cursor.next()) rows.emplace_back(cursor.key(), cursor.value());
    expect(cursor.status().ok(), "cursor: " + cursor.status().to_string());
    same_rows(rows, model_.committed(table));
  }
  if (!problem_.empty()) return;
  const Result<VerifyReport> report = database.verify();
  expect(report.ok(), "verify: " + report.status().to_string());
  if (report.ok() && !report->problems.empty()) expect(false, "verify finds " + report->problems.front());
}

void World::finish() {
  where_ = "at the end";
  for (SessionSlot& slot : slots_) {
    slot.cursor.cursor.reset();
    slot.transaction.reset();
  }
  expect(!model_.has_circles(), "a circle of waits was found, and nobody failed for it");
  model_.close();
  expect(database_->stats().active_transactions == 0, "transactions are left");
  compare(*database_);
  if (history_.seed % 4 == 0 && problem_.empty()) reopen();
}

// ---- events ----

void World::do_event(const Operation& operation) {
  switch (operation.kind) {
    case Kind::checkpoint:
      return same(database_->checkpoint(), {});
    case Kind::crash:
      return crash(operation.number);
    case Kind::reopen:
      // Whoever waits is inside the database.
      return runner_.blocked_count() == 0 ? reopen() : void();
    case Kind::churn:
      return churn(operation);
    default:
      return compare(*database_);
  }
}

// Everything is committed at `sync`: a power failure now takes what is in progress, and nothing else.
void World::crash(unsigned seed) {
  ++counts_.crashes;
  const std::unique_ptr<base::SimulatedDisk> disk = disk_.crash(seed);
  Options options = options_;
  options.wait_hook = nullptr;
  std::optional<Database> database;
  open(options, *disk, database);
  if (database) compare(*database);
}

// Transactions and cursors outlive the database.
void World::reopen() {
  ++counts_.reopenings;
  same(database_->close(), {});
  model_.close();
  database_.reset();
  open(options_, disk_, database_);
  if (database_) compare(*database_);
}

// Small commits of others, so many that what nobody needs any more is collected in between.
void World::churn(const Operation& operation) {
  for (unsigned i = 0; i < kChurn && problem_.empty(); ++i) {
    Call call;
    call.kind = i % 3 == operation.number % 3 ? Kind::erase : Kind::put;
    call.key = {operation.table, key_of((operation.key + i / 4 % 2) % kKeys)};
    call.value = next_value(operation.number + i);
    if (model_.owner(call.key) != 0) continue;
    Transaction transaction = *database_->begin(Isolation::read_committed);
    const std::uint64_t id = model_.begin(Level::read_committed);
    const Table& table = tables_[operation.table];
    const Status status = call.kind == Kind::erase ? transaction.erase(table, call.key.second)
                                                   : transaction.put(table, call.key.second, call.value);
    same(status, model_.carry_out(id, call, Doubt::unchanged));
    same(transaction.commit(), model_.commit(id));
  }
}

}  // namespace isolith::history

// The database as a whole: checks and figures, closing and opening, crashes.
#include <algorithm>
#include <utility>

#include "tests/property/world.h"

namespace isolith::property {
namespace {

constexpr const char* kPath = "/database";

// The first difference, or nothing.
std::string difference(const Contents& got, const Contents& wanted) {
  for (const auto& [name, rows] : wanted) {
    if (!got.contains(name)) return "there is no table " + name;
    const auto& got_rows = got.at(name);
    for (const auto& [key, value] : rows) {
      const auto row = got_rows.find(key);
      const std::string place = "at " + name + "/" + describe_key(key) + ": ";
      if (row == got_rows.end()) return place + "nothing";
      if (row->second != value) {
        return place + "a wrong value of " + std::to_string(row->second.size()) + " bytes, expected " +
               std::to_string(value.size());
      }
    }
    for (const auto& [key, value] : got_rows) {
      if (!rows.contains(key))
        return "at " + name + "/" + describe_key(key) + ": a row that should not be there";
    }
  }
  for (const auto& [name, rows] : got) {
    if (!wanted.contains(name)) return "a table " + name + " that should not be there";
  }
  return {};
}

}  // namespace

World::World() {
  disks_.push_back(std::make_unique<base::SimulatedDisk>());
  options_.cache_bytes = std::size_t{1} << 20;
  options_.log_segment_bytes = std::uint64_t{256} << 10;
  options_.checkpoint_log_bytes = std::uint64_t{1} << 20;
  // Nothing becomes durable by the passing of time.
  options_.async_interval_ms = 60'000;
  options_.locks.timeout_ms = 60'000;
  options_.default_isolation = Isolation::read_committed;  // as the model
  options_.wait_hook = &hook_;
  open();
  expect(database_ && database_->recovery().created, "the database was there before");
  slots_[1].options.durability = Durability::async;
  slots_[2].options.durability = Durability::none;
  slots_[3].options.isolation = Isolation::read_uncommitted;
  Operation ensure;
  ensure.kind = Kind::database_ensure_table;
  for (ensure.table = 0; database_ && ensure.table < 2; ++ensure.table) use_database(ensure);
}

World::~World() = default;

void World::open() {
  options_.file_system = disks_.back().get();
  Result<Database> opened = Database::open(kPath, options_);
  expect(opened.ok(), "open: " + opened.status().to_string());
  if (opened.ok()) database_.emplace(std::move(*opened));
}

std::string World::finish() {
  for (CursorSlot& slot : cursors_) slot.cursor.reset();
  for (TransactionSlot& slot : slots_) {
    if (slot.transaction) (void)model_.abort(slot.id);
    slot.transaction.reset();
  }
  compare_all();
  Operation operation;
  operation.kind = Kind::reopen;
  if (problem_.empty()) reopen(operation);
  return std::exchange(problem_, {});
}

Contents World::read_all() {
  Contents contents;
  const Result<std::vector<std::string>> names = database_->tables();
  expect(names.ok(), "tables: " + names.status().to_string());
  if (!names.ok()) return contents;
  Transaction transaction = *database_->begin();
  for (const std::string& name : *names) {
    const Result<Table> table = transaction.open_table(name);
    expect(table.ok(), "open_table: " + table.status().to_string());
    if (!table.ok()) return contents;
    auto& rows = contents[name];
    Cursor cursor = *transaction.cursor(*table);
    for (cursor.seek_first(); cursor.valid(); cursor.next()) rows.emplace(cursor.key(), cursor.value());
    expect(cursor.status().ok(), "cursor: " + cursor.status().to_string());
  }
  return contents;
}

void World::compare_all() {
  const std::string problem = difference(read_all(), model_.contents(model_.commits()));
  expect(problem.empty(), problem);
  verify();
}

void World::verify() {
  const Result<VerifyReport> got = database_->verify();
  expect(got.ok(), "verify: " + got.status().to_string());
  if (!got.ok()) return;
  expect(got->problems.empty(), "verify finds: " + (got->problems.empty() ? "" : got->problems.front()));
  const VerifyReport wanted = model_.verify();
  expect(got->tables == wanted.tables, "verify counts " + std::to_string(got->tables) + " tables, expected " +
                                           std::to_string(wanted.tables));
  expect(got->rows == wanted.rows,
         "verify counts " + std::to_string(got->rows) + " rows, expected " + std::to_string(wanted.rows));
}

void World::compare_stats() {
  const DatabaseStats got = database_->stats();
  const DatabaseStats wanted = model_.stats();
  const auto same_count = [&](const char* what, std::uint64_t count, std::uint64_t expected) {
    expect(count == expected, std::string("stats: ") + what + " is " + std::to_string(count) + ", expected " +
                                  std::to_string(expected));
  };
  same_count("commits", got.commits, wanted.commits);
  same_count("aborts", got.aborts, wanted.aborts);
  same_count("lock_waits", got.lock_waits, wanted.lock_waits);
  same_count("active_transactions", got.active_transactions, wanted.active_transactions);
  same_count("deadlocks", got.deadlocks, 0);
}

void World::table_stats(const Operation& operation) {
  const TableSlot& table = tables_[operation.table % kTableSlots];
  const std::uint64_t id = model_.begin({});
  const StatusCode wanted = model_.check_cursor(id, table.handle, {}, {}).code;
  (void)model_.abort(id);
  const Result<TableStats> got = database_->table_stats(table.table);
  same(got.status(), {wanted, {}, 0});
  if (!got.ok() || wanted != StatusCode::ok) return;
  std::uint64_t rows = 0;
  for (const auto& [key, cell] : model_.table(table.handle.table).cells) {
    const bool there = cell.owner != 0 ? cell.current.has_value() : cell.versions.back().value.has_value();
    rows += there ? 1 : 0;
  }
  expect(got->name == model_.table(table.handle.table).name, "table_stats of table " + got->name);
  expect(got->rows == rows,
         "table_stats: " + std::to_string(got->rows) + " rows, expected " + std::to_string(rows));
}

void World::use_database(const Operation& operation) {
  const std::string name = table_name(operation.table);
  switch (operation.kind) {
    case Kind::database_open_table: {
      const std::uint64_t id = model_.begin({});
      const Answer wanted = model_.open_table(id, name);
      (void)model_.abort(id);
      const Result<Table> got = database_->open_table(name);
      same(got.status(), wanted);
      if (got.ok()) keep(operation.table, *got, wanted.number, operation.table);
      return;
    }
    case Kind::database_ensure_table: {
      // Where somebody else has the name it would try again and again.
      if (model_.is_name_locked(name)) return;
      const std::uint64_t id = model_.begin({});
      const Answer wanted = model_.ensure_table(id, name);
      (void)(model_.transaction(id).has_id ? model_.commit(id) : model_.abort(id));
      const Result<Table> got = database_->ensure_table(name);
      same(got.status(), wanted);
      if (got.ok()) keep(operation.table, *got, wanted.number, operation.table);
      return;
    }
    case Kind::tables: {
      const Result<std::vector<std::string>> got = database_->tables();
      same(got.status(), {});
      std::vector<std::string> wanted;
      for (const auto& [table, rows] : model_.contents(model_.commits())) wanted.push_back(table);
      return expect(got.ok() && *got == wanted, "tables() gives " +
                                                    std::to_string(got.ok() ? got->size() : 0) +
                                                    ", expected " + std::to_string(wanted.size()));
    }
    case Kind::stats:
      return compare_stats();
    case Kind::table_stats:
      return table_stats(operation);
    case Kind::verify:
      return verify();
    case Kind::checkpoint:
      same(database_->checkpoint(), {});
      return model_.make_durable();
    case Kind::sync:
      same(database_->sync(), {});
      return model_.make_durable();
    default:
      expect(false, "no such operation");
  }
}

// ---- closing, opening, crashing ----

// Handles that outlive the database answer `aborted`.
void World::probe_closed() {
  const Answer aborted{StatusCode::aborted, {}, 0};
  same(database_->begin().status(), aborted);
  same(database_->tables().status(), aborted);
  same(database_->open_table("t0").status(), aborted);
  same(database_->ensure_table("t0").status(), aborted);
  same(database_->verify().status(), aborted);
  same(database_->table_stats(tables_[0].table).status(), aborted);
  same(database_->checkpoint(), aborted);
  same(database_->sync(), aborted);
  for (TransactionSlot& slot : slots_) {
    if (!slot.transaction) continue;
    same(slot.transaction->get(tables_[0].table, "k01").status(), aborted);
    same(slot.transaction->erase_range(tables_[0].table, KeyRange::all()).status(), aborted);
    same(slot.transaction->commit(), aborted);
  }
  for (CursorSlot& slot : cursors_) {
    if (!slot.cursor) continue;
    look_at_value(slot);
    slot.cursor->seek_first();
    slot.valid = false;
    expect(slot.cursor->status().is(StatusCode::aborted),
           "a cursor answers " + slot.cursor->status().to_string());
  }
}

void World::refresh_handles(unsigned which) {
  Operation operation;
  operation.kind = Kind::database_open_table;
  for (operation.table = 0; operation.table + 1 < kTableSlots; ++operation.table, which /= 8) {
    if (which % 8 != 1) use_database(operation);
  }
}

void World::reopen(const Operation& operation) {
  const bool closes = operation.number % 4 != 1;
  if (closes) same(database_->close(), {});
  model_.close();
  if (closes && operation.number % 4 != 2) probe_closed();
  database_.reset();
  model_.open();
  open();
  if (!database_) return;
  expect(database_->recovery().clean, "the database was not closed cleanly");
  compare_all();
  refresh_handles(operation.number / 4);
}

void World::crash(const Operation& operation) {
  disks_.push_back(disks_.back()->crash(operation.number));
  database_.reset();
  open();
  if (!database_) return;
  const Contents found = read_all();
  if (operation.number % 4 == 0) {
    // Again, right after it recovered.
    disks_.push_back(disks_.back()->crash(operation.number + 1));
    database_.reset();
    open();
    if (!database_) return;
    const std::string problem = difference(read_all(), found);
    expect(problem.empty(), "after the second crash: " + problem);
  }
  std::uint64_t commits = model_.commits();
  while (commits > model_.durable() && !difference(found, model_.contents(commits)).empty()) --commits;
  const std::string problem = difference(found, model_.contents(commits));
  expect(problem.empty(), "after the crash, of commits " + std::to_string(model_.durable()) +
                              " (durable) to " + std::to_string(model_.commits()) + ", " + problem);
  model_.crash(commits);
  model_.open();
  verify();
  refresh_handles(operation.number / 4);
}

}  // namespace isolith::property

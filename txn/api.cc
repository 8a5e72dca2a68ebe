// The public classes: thin handles on Core.
#include <utility>

#include "isolith/database.h"
#include "txn/core.h"
#include "txn/cursor_state.h"

namespace isolith {
namespace {

Status over() { return {StatusCode::aborted, "the transaction was moved away"}; }
Status closed() { return {StatusCode::aborted, "the database is closed"}; }

}  // namespace

// ---- Cursor ----

Cursor::Cursor(std::unique_ptr<txn::CursorState> state) noexcept
    : state_(std::move(state)), batch_(state_.get()) {}
Cursor::Cursor(Cursor&& other) noexcept = default;
Cursor& Cursor::operator=(Cursor&& other) noexcept = default;
Cursor::~Cursor() = default;

void Cursor::seek_first() { state_->seek_forward(std::nullopt); }
void Cursor::seek_last() { state_->seek_backward(std::nullopt); }
void Cursor::seek(std::string_view key) { state_->seek_forward(key); }
void Cursor::seek_before(std::string_view key) { state_->seek_backward(key); }
void Cursor::next_batch() { state_->next(); }
void Cursor::prev() { state_->prev(); }
std::string_view Cursor::large_value() { return state_->large_value(); }
const Status& Cursor::status() const noexcept { return state_->status(); }

// ---- Snapshot ----

Snapshot::Snapshot(const Snapshot& other) noexcept : core_(other.core_), state_(other.state_) {
  if (state_ != nullptr) core_->copy_snapshot(*state_);
}
Snapshot::Snapshot(Snapshot&& other) noexcept
    : core_(other.core_), state_(std::exchange(other.state_, nullptr)) {}
Snapshot& Snapshot::operator=(Snapshot other) noexcept {
  std::swap(core_, other.core_);
  std::swap(state_, other.state_);
  return *this;
}
Snapshot::~Snapshot() {
  if (state_ != nullptr) core_->release_snapshot(*state_);
}
std::uint64_t Snapshot::timestamp() const noexcept { return state_ == nullptr ? 0 : raw(state_->as_of); }

// ---- Transaction ----

Transaction::Transaction(Transaction&& other) noexcept
    : core_(other.core_), state_(std::exchange(other.state_, nullptr)) {}

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  if (this != &other) {
    if (state_ != nullptr) core_->release_transaction(*state_);
    core_ = other.core_;
    state_ = std::exchange(other.state_, nullptr);
  }
  return *this;
}

Transaction::~Transaction() {
  if (state_ != nullptr) core_->release_transaction(*state_);
}

Status Transaction::get(const Table& table, std::string_view key, std::string& value) {
  return state_ == nullptr ? over() : core_->get(*state_, table, key, value);
}

Result<std::string> Transaction::get(const Table& table, std::string_view key) {
  std::string value;
  Status status = get(table, key, value);
  if (!status.ok()) return status;
  return value;
}

Result<std::size_t> Transaction::get_part(const Table& table, std::string_view key, std::uint64_t offset,
                                          char* buffer, std::size_t length) {
  if (state_ == nullptr) return over();
  return core_->get_part(*state_, table, key, offset, buffer, length);
}

Status Transaction::get_for_update(const Table& table, std::string_view key, std::string& value) {
  return get_for_update(table, key, value, IfLocked::wait);
}

Status Transaction::get_for_update(const Table& table, std::string_view key, std::string& value,
                                   IfLocked if_locked) {
  return state_ == nullptr ? over() : core_->get_for_update(*state_, table, key, value, if_locked);
}

Result<std::string> Transaction::get_for_update(const Table& table, std::string_view key) {
  std::string value;
  Status status = get_for_update(table, key, value);
  if (!status.ok()) return status;
  return value;
}

Status Transaction::get_for_share(const Table& table, std::string_view key, std::string& value) {
  return get_for_share(table, key, value, IfLocked::wait);
}

Status Transaction::get_for_share(const Table& table, std::string_view key, std::string& value,
                                  IfLocked if_locked) {
  return state_ == nullptr ? over() : core_->get_for_share(*state_, table, key, value, if_locked);
}

Result<std::string> Transaction::get_for_share(const Table& table, std::string_view key) {
  std::string value;
  Status status = get_for_share(table, key, value);
  if (!status.ok()) return status;
  return value;
}

Result<Snapshot> Transaction::snapshot() {
  if (state_ == nullptr) return over();
  return core_->snapshot_of(*state_);
}

Result<Cursor> Transaction::cursor(const Table& table, const KeyRange& range, const CursorOptions& options) {
  if (state_ == nullptr) return over();
  return core_->cursor(*state_, table, range, options);
}

Status Transaction::lock_table(const Table& table, TableLock lock, IfLocked if_locked) {
  return state_ == nullptr ? over() : core_->lock_table(*state_, table, lock, if_locked);
}

Status Transaction::put(const Table& table, std::string_view key, std::string_view value) {
  return state_ == nullptr ? over() : core_->write(*state_, table, key, txn::WriteKind::put, value);
}

Status Transaction::insert(const Table& table, std::string_view key, std::string_view value) {
  return state_ == nullptr ? over() : core_->write(*state_, table, key, txn::WriteKind::insert, value);
}

Status Transaction::erase(const Table& table, std::string_view key) {
  return state_ == nullptr ? over() : core_->write(*state_, table, key, txn::WriteKind::erase, {});
}

Result<std::uint64_t> Transaction::erase_range(const Table& table, const KeyRange& range) {
  if (state_ == nullptr) return over();
  return core_->erase_range(*state_, table, range);
}

Status Transaction::append(const Table& table, std::string_view key, std::string_view piece) {
  return state_ == nullptr ? over() : core_->append(*state_, table, key, piece);
}

Result<Table> Transaction::open_table(std::string_view name) {
  if (state_ == nullptr) return over();
  return core_->open_table(*state_, name);
}

Result<Table> Transaction::create_table(std::string_view name) {
  if (state_ == nullptr) return over();
  return core_->create_table(*state_, name);
}

Result<Table> Transaction::ensure_table(std::string_view name) {
  Result<Table> table = open_table(name);
  if (!table.status().is(StatusCode::not_found)) return table;
  table = create_table(name);
  // Somebody else was faster: it is there now.
  return table.status().is(StatusCode::already_exists) ? open_table(name) : std::move(table);
}

Status Transaction::drop_table(const Table& table) {
  return state_ == nullptr ? over() : core_->drop_table(*state_, table);
}

Result<Savepoint> Transaction::savepoint() {
  if (state_ == nullptr) return over();
  return core_->savepoint(*state_);
}

Status Transaction::rollback_to(const Savepoint& savepoint) {
  return state_ == nullptr ? over() : core_->rollback_to(*state_, savepoint);
}

Status Transaction::commit() { return state_ == nullptr ? over() : core_->commit(*state_); }
Status Transaction::abort() { return state_ == nullptr ? over() : core_->abort(*state_); }
bool Transaction::active() const noexcept { return state_ != nullptr && state_->phase == txn::Phase::active; }

std::uint64_t Transaction::id() const noexcept {
  return state_ == nullptr ? 0 : state_->owner.number.load(std::memory_order_relaxed);
}

// ---- Database ----

Result<Database> Database::open(const std::string& path, const Options& options) {
  Result<txn::Core*> core = txn::Core::open(path, options);
  if (!core.ok()) return std::move(core).status();
  return Database(*core);
}

Result<Database> Database::open_in_memory(const Options& options) {
  Result<txn::Core*> core = txn::Core::open_in_memory(options);
  if (!core.ok()) return std::move(core).status();
  return Database(*core);
}

Result<Observation> Database::observe(const std::string& path) { return txn::Core::observe(path); }

Database::Database(Database&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    const Database old(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
  }
  return *this;
}

Database::~Database() {
  if (core_ == nullptr) return;
  (void)core_->close().ok();
  core_->release_database();
}

Status Database::close() { return core_ == nullptr ? closed() : core_->close(); }

Result<Transaction> Database::begin(const TransactionOptions& options) {
  if (core_ == nullptr) return closed();
  return core_->begin(options);
}

Result<Snapshot> Database::snapshot(std::string_view name) {
  if (core_ == nullptr) return closed();
  return core_->hold_snapshot(std::nullopt, name);
}

Result<Snapshot> Database::find_snapshot(std::string_view name) {
  if (core_ == nullptr) return closed();
  return core_->find_snapshot(name);
}

Result<Snapshot> Database::snapshot_at(std::uint64_t timestamp) {
  if (core_ == nullptr) return closed();
  return core_->hold_snapshot(Timestamp{timestamp}, {});
}

void Database::set_observer(Observer* observer) {
  if (core_ != nullptr) core_->set_observer(observer);
}

std::vector<TransactionInfo> Database::active_transactions() {
  return core_ == nullptr ? std::vector<TransactionInfo>() : core_->active_transactions();
}

std::vector<LockInfo> Database::locks() {
  return core_ == nullptr ? std::vector<LockInfo>() : core_->locks();
}

Result<std::vector<std::string>> Database::tables() {
  if (core_ == nullptr) return closed();
  return core_->tables();
}

Result<Table> Database::open_table(std::string_view name) {
  Result<Transaction> transaction = begin(Isolation::read_committed);
  if (!transaction.ok()) return std::move(transaction).status();
  return transaction->open_table(name);
}

Result<Table> Database::ensure_table(std::string_view name) {
  Result<Table> table = open_table(name);
  if (!table.status().is(StatusCode::not_found)) return table;
  const Status status = run_transaction(*this, [&](Transaction& transaction) {
    table = transaction.ensure_table(name);
    return table.status();
  });
  if (!status.ok()) return status;
  return table;
}

Status Database::checkpoint() { return core_ == nullptr ? closed() : core_->checkpoint(); }
Status Database::sync() { return core_ == nullptr ? closed() : core_->sync(); }

Result<VerifyReport> Database::verify() {
  if (core_ == nullptr) return closed();
  return core_->verify();
}

DatabaseStats Database::stats() const { return core_ == nullptr ? DatabaseStats() : core_->stats(); }

Result<TableStats> Database::table_stats(const Table& table) {
  if (core_ == nullptr) return closed();
  return core_->table_stats(table);
}

const RecoveryReport& Database::recovery() const noexcept {
  static const RecoveryReport kNone;
  return core_ == nullptr ? kNone : core_->recovery();
}

}  // namespace isolith

// WiredTiger: a connection, a WT_SESSION for each session, a B-tree for each table.
//
// Invariants:
//   1. Nothing waits: an update that meets another transaction's fails with WT_ROLLBACK.
//   2. Cursors are reset after each operation, so that none keeps a place or a snapshot between steps.
//
// Threads: as Engine; a WT_SESSION is used by one thread at a time, not always the same one.
#include <wiredtiger.h>

#include <array>
#include <optional>
#include <utility>

#include "anomalies/adapters/adapter_session.h"
#include "anomalies/adapters/openers.h"

namespace isolith::anomalies {
namespace {

std::vector<EngineLevel> wiredtiger_levels() {
  return {
      {"read_uncommitted", "reads may see what is not committed yet"},
      {"read_committed", "no dirty reads; two reads of a row may differ"},
      {"snapshot", "reads one snapshot; an update fails if its row was updated since"},
  };
}

constexpr std::array kBegin = {"isolation=read-uncommitted", "isolation=read-committed",
                               "isolation=snapshot"};

Status failed(const std::string& what, int code) {
  return {StatusCode::io_error, "WiredTiger: " + what + ": " + wiredtiger_strerror(code),
          code > 0 ? code : 0};
}

WT_ITEM item(std::string_view text) {
  WT_ITEM made{};
  made.data = text.data();
  made.size = text.size();
  return made;
}

std::string text(const WT_ITEM& bytes) { return {static_cast<const char*>(bytes.data), bytes.size}; }

// A WT_SESSION and its cursors. Codes are WiredTiger's.
class Handle {
 public:
  Handle() = default;
  ~Handle() {
    if (session_ != nullptr) session_->close(session_, nullptr);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  int open(WT_CONNECTION* connection) {
    return connection->open_session(connection, nullptr, nullptr, &session_);
  }

  int make_table(std::size_t table) {
    return session_->create(session_, uri(table).c_str(), "key_format=u,value_format=u");
  }

  int begin(const char* configuration) { return session_->begin_transaction(session_, configuration); }
  int commit() { return session_->commit_transaction(session_, nullptr); }
  int roll_back() { return session_->rollback_transaction(session_, nullptr); }

  int get(std::uint32_t table, std::string_view key, bool reserve, std::string& value) {
    return with_cursor(table, kOverwriting, [&](WT_CURSOR* cursor) {
      set_key(cursor, key);
      int code = cursor->search(cursor);
      WT_ITEM bytes{};
      if (code == 0 && reserve) code = cursor->reserve(cursor);
      if (code == 0) code = cursor->get_value(cursor, &bytes);
      if (code == 0) value = text(bytes);
      return code;
    });
  }

  int put(std::uint32_t table, std::string_view key, std::string_view value) {
    return write(table, kOverwriting, key, value);
  }
  // WT_DUPLICATE_KEY if it is there.
  int insert(std::uint32_t table, std::string_view key, std::string_view value) {
    return write(table, kChecking, key, value);
  }
  // WT_NOTFOUND if it is not.
  int erase(std::uint32_t table, std::string_view key) {
    return with_cursor(table, kChecking, [&](WT_CURSOR* cursor) {
      set_key(cursor, key);
      return cursor->remove(cursor);
    });
  }

  int scan(const Target& target, std::vector<Row>& rows) {
    return with_cursor(target.table, kOverwriting, [&](WT_CURSOR* cursor) {
      int code = first(cursor, target.lo);
      for (; code == 0; code = cursor->next(cursor)) {
        WT_ITEM key{};
        WT_ITEM value{};
        if ((code = cursor->get_key(cursor, &key)) != 0) break;
        if (!target.contains(text(key))) break;
        if ((code = cursor->get_value(cursor, &value)) != 0) break;
        rows.push_back({text(key), text(value)});
      }
      return code == WT_NOTFOUND ? 0 : code;
    });
  }

 private:
  enum Mode : std::size_t { kOverwriting, kChecking };

  static std::string uri(std::size_t table) { return "table:t" + std::to_string(table); }

  static void set_key(WT_CURSOR* cursor, std::string_view key) {
    const WT_ITEM bytes = item(key);
    cursor->set_key(cursor, &bytes);
  }

  // At the first key that is not below `lo`.
  static int first(WT_CURSOR* cursor, std::string_view lo) {
    if (lo.empty()) return cursor->next(cursor);
    set_key(cursor, lo);
    int side = 0;
    int code = cursor->search_near(cursor, &side);
    if (code == 0 && side < 0) code = cursor->next(cursor);
    return code;
  }

  int write(std::uint32_t table, Mode mode, std::string_view key, std::string_view value) {
    return with_cursor(table, mode, [&](WT_CURSOR* cursor) {
      set_key(cursor, key);
      const WT_ITEM bytes = item(value);
      cursor->set_value(cursor, &bytes);
      return cursor->insert(cursor);
    });
  }

  template <typename Work>
  int with_cursor(std::uint32_t table, Mode mode, const Work& work) {
    if (cursors_.size() <= table) cursors_.resize(table + 1);
    WT_CURSOR*& cursor = cursors_[table][mode];
    if (cursor == nullptr) {
      const char* configuration = mode == kChecking ? "overwrite=false" : "overwrite=true";
      const int code = session_->open_cursor(session_, uri(table).c_str(), nullptr, configuration, &cursor);
      if (code != 0) return code;
    }
    const int code = work(cursor);
    const int reset = cursor->reset(cursor);
    return code != 0 ? code : reset;
  }

  WT_SESSION* session_ = nullptr;                   // closes its cursors
  std::vector<std::array<WT_CURSOR*, 2>> cursors_;  // by table; null: not needed so far
};

class WiredtigerSession final : public AdapterSession {
 public:
  explicit WiredtigerSession(AdapterShared& shared) : AdapterSession(shared) {}
  ~WiredtigerSession() override { abort_if_in_progress(); }

  Status open(WT_CONNECTION* connection) {
    const int code = handle_.open(connection);
    return code == 0 ? Status() : failed("opening a session", code);
  }

 protected:
  Answer try_begin(std::size_t level, bool /*read_only*/) override {
    const Answer begun = answer(handle_.begin(kBegin[level]));
    in_progress_ = begun.status.ok();
    return begun;
  }

  Answer try_get(std::uint32_t table, std::string_view key, ReadLock lock, std::string& value) override {
    if (lock == ReadLock::share) {
      return Status(StatusCode::invalid_argument,
                    "WiredTiger has no shared locks; get_for_update reserves the row");
    }
    return answer(handle_.get(table, key, lock == ReadLock::update, value));
  }
  Answer try_put(std::uint32_t table, std::string_view key, std::string_view value) override {
    return answer(handle_.put(table, key, value));
  }
  Answer try_insert(std::uint32_t table, std::string_view key, std::string_view value) override {
    return answer(handle_.insert(table, key, value));
  }
  Answer try_erase(std::uint32_t table, std::string_view key) override {
    return answer(handle_.erase(table, key));
  }
  Answer try_scan(const Target& target, std::vector<Row>& rows) override {
    return answer(handle_.scan(target, rows));
  }

  // Ends the transaction also when it fails.
  Answer try_commit() override {
    in_progress_ = false;
    return answer(handle_.commit());
  }

  Status set_savepoint(std::size_t /*number*/) override {
    return {StatusCode::invalid_argument, "WiredTiger has no savepoints"};
  }
  Status roll_back_to(std::size_t number) override { return set_savepoint(number); }

  void roll_back() override {
    if (std::exchange(in_progress_, false)) handle_.roll_back();
  }

 private:
  static Answer answer(int code) {
    switch (code) {
      case 0:
        return {};
      case WT_NOTFOUND:
        return Status(StatusCode::not_found);
      case WT_DUPLICATE_KEY:
        return Status(StatusCode::already_exists);
      case WT_ROLLBACK:
        return Status::conflict(ConflictReason::write_conflict,
                                "WT_ROLLBACK: conflict with another transaction");
      default:
        return failed("an operation", code);
    }
  }

  Handle handle_;
  bool in_progress_ = false;
};

class WiredtigerEngine final : public AdapterEngine {
 public:
  explicit WiredtigerEngine(Runner& runner) : AdapterEngine(runner, wiredtiger_levels()) {}
  ~WiredtigerEngine() override {
    handle_.reset();
    if (connection_ != nullptr) connection_->close(connection_, "leak_memory=false");
  }

  Status open(const std::string& directory) {
    // An empty list of sinks: what it would print comes back as a code too.
    WT_EVENT_HANDLER silent{};
    silent.handle_error = [](WT_EVENT_HANDLER*, WT_SESSION*, int, const char*) { return 0; };
    silent.handle_message = [](WT_EVENT_HANDLER*, WT_SESSION*, const char*) { return 0; };
    events_ = silent;
    int code = wiredtiger_open(directory.c_str(), &events_, "create,cache_size=64MB,checkpoint_sync=false",
                               &connection_);
    if (code == 0) {
      handle_.emplace();
      code = handle_->open(connection_);
    }
    return code == 0 ? Status() : failed("opening " + directory, code);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "wiredtiger"; }
  [[nodiscard]] std::string_view version() const noexcept override { return version_; }

  Result<std::unique_ptr<EngineSession>> open_session() override {
    auto session = std::make_unique<WiredtigerSession>(shared_);
    if (Status status = session->open(connection_); !status.ok()) return status;
    return std::unique_ptr<EngineSession>(std::move(session));
  }

  Status contents(std::uint32_t table, std::vector<Row>& rows) override {
    rows.clear();
    const int code = handle_->scan({table, true, "", std::nullopt}, rows);
    return code == 0 ? Status() : failed("reading a table", code);
  }

 protected:
  Status make_tables(std::size_t count) override {
    int code = 0;
    for (std::size_t i = 0; i < count && code == 0; ++i) code = handle_->make_table(i);
    return code == 0 ? Status() : failed("making tables", code);
  }

  Status change(std::uint32_t table, const RowChanges& changes) override {
    int code = handle_->begin("isolation=snapshot");
    if (code != 0) return failed("writing first rows", code);
    for (const std::string& key : changes.erase) {
      if (code == 0) code = handle_->erase(table, key);
    }
    for (const Row* row : changes.put) {
      if (code == 0) code = handle_->put(table, row->key, row->value);
    }
    if (code == 0) {
      code = handle_->commit();
    } else {
      handle_->roll_back();
    }
    return code == 0 ? Status() : failed("writing first rows", code);
  }

 private:
  const std::string version_ = std::to_string(WIREDTIGER_VERSION_MAJOR) + "." +
                               std::to_string(WIREDTIGER_VERSION_MINOR) + "." +
                               std::to_string(WIREDTIGER_VERSION_PATCH);
  WT_EVENT_HANDLER events_{};
  WT_CONNECTION* connection_ = nullptr;
  std::optional<Handle> handle_;
};

}  // namespace

OpenedEngine open_wiredtiger(const std::string& directory, Runner& runner) {
  auto engine = std::make_unique<WiredtigerEngine>(runner);
  if (Status status = engine->open(directory); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace isolith::anomalies

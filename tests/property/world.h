// World: a database on a simulated disk and the model beside it. Each operation is carried out in both, and
// every answer is compared.
//
// Transactions live in slots: begin, or any call of a slot whose transaction is over, puts a new one there,
// except that one call in eight is made of the old one. Handles, cursors and savepoints have slots, too, and
// stay in them when what they belong to is gone. No wait for a lock takes time: the wait hook says at once
// that it is over.
//
// Threads: one at a time.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/simulated_disk.h"
#include "isolith/isolith.h"
#include "tests/property/model.h"
#include "tests/property/operation.h"

namespace isolith::property {

// Gives up each wait for a lock at once, and keeps what it was for.
class NoWaiting final : public WaitHook {
 public:
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, const WaitInfo& info,
            std::uint64_t timeout_ms) override {
    if (info.kind != WaitKind::write_lock && info.kind != WaitKind::table_lock)
      return default_wait_hook().wait(word, expected, info, timeout_ms);
    holder = info.holder;
    table = info.table;
    key = info.key;
    return false;
  }
  void wake_all(const std::atomic<std::uint32_t>& word) override { default_wait_hook().wake_all(word); }

  std::uint64_t holder = 0;
  std::string table;
  std::string key;
};

class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // What differs from the model, or nothing.
  std::string run(const Operation& operation);
  // Closes and opens it, and looks at all of it once more.
  std::string finish();

 private:
  struct TransactionSlot {
    std::optional<Transaction> transaction;
    std::uint64_t id = 0;        // the model's
    TransactionOptions options;  // of the next one that begins here
  };
  struct TableSlot {
    Table table;
    Handle handle;
    unsigned name = 0;
  };
  struct SavepointSlot {
    Savepoint savepoint;
    std::uint64_t transaction = 0;
    std::uint64_t number = 0;
    std::uint64_t opening = 0;
  };
  struct CursorSlot {
    std::optional<Cursor> cursor;
    std::uint64_t transaction = 0;  // the model's
    std::uint64_t table = 0;
    std::string lo;
    std::optional<std::string> hi;
    std::uint64_t as_of = 0;            // what was committed when it was opened
    std::uint64_t foreign_changes = 0;  // of the table, when its position was last sought
    bool valid = false;                 // and then:
    std::string key;
    std::string value;
  };

  void dispatch(const Operation& operation);
  void expect(bool good, const std::string& text);
  void same(const Status& got, const Answer& wanted);
  void same_value(std::string_view got, const Answer& wanted);
  void same_wait();

  // world_calls.cc
  TransactionSlot& slot_of(const Operation& operation);
  void begin(unsigned slot, const TransactionOptions& options);
  void begin(const Operation& operation);
  void end(const Operation& operation);
  void move(const Operation& operation);
  void read(const Operation& operation);
  void write(const Operation& operation);
  void fill(const Operation& operation);
  void erase_range(const Operation& operation);
  void take_savepoint(const Operation& operation);
  void roll_back(const Operation& operation);
  void use_tables(const Operation& operation);
  void run_in_transaction(const Operation& operation);
  void commit_many(const Operation& operation);
  SavepointSlot& savepoint_of(const Operation& operation);
  void keep(unsigned slot, const Table& table, std::uint64_t id, unsigned name);

  // world_cursors.cc
  void scan(const Operation& operation);
  void open_cursor(const Operation& operation);
  void use_cursor(const Operation& operation);
  void seek(CursorSlot& slot, const Operation& operation);
  void step(CursorSlot& slot, bool forward);
  void look_at_value(CursorSlot& slot);
  void settle(CursorSlot& slot, bool reads_value);
  void adopt(CursorSlot& slot, bool forward);
  void find(CursorSlot& slot, const std::string* from, bool inclusive, bool forward);
  void find_position(CursorSlot& slot, const Operation& operation);

  // world_life.cc
  void use_database(const Operation& operation);
  void open();
  void reopen(const Operation& operation);
  void crash(const Operation& operation);
  void refresh_handles(unsigned which);
  void probe_closed();
  void compare_all();
  void compare_stats();
  void verify();
  void table_stats(const Operation& operation);
  Contents read_all();

  Options options_;
  NoWaiting hook_;
  std::vector<std::unique_ptr<base::SimulatedDisk>> disks_;  // the last one is in use
  std::optional<Database> database_;
  Model model_;
  std::array<TransactionSlot, kSlots> slots_;
  std::array<TableSlot, kTableSlots> tables_;
  std::array<SavepointSlot, kPlaces> savepoints_;
  std::array<CursorSlot, kPlaces> cursors_;
  std::map<std::uint64_t, std::uint64_t> numbers_;  // of transactions in reports, by the model's id
  std::string problem_;
};

}  // namespace isolith::property

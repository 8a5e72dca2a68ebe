// Worker: a random program of transactions, one call at a time, beside a model of the rows that are its own.
//
// Every answer is compared with the model. In a tolerant worker calls may fail (a disk that fails): the model
// then stays what it was before the call, as the public interface promises.
//
// Threads: one at a time; workers of one database may run at the same time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "isolith/isolith.h"
#include "tests/crash/ledger.h"

namespace isolith::crash {

struct WorkerOptions {
  unsigned number = 0;
  std::uint64_t seed = 0;
  bool tolerant = false;       // calls may fail
  bool checkpoints = true;     // asks for some
  std::uint64_t keys_max = 400;
  unsigned large_per_mille = 30;  // values of 10 to 300 KB
};

class Worker {
 public:
  Worker(Ledger& ledger, const WorkerOptions& options);

  // The tables that all workers share: the first commit. By one worker, with nothing else under way.
  static std::string set_up(Database& database, Ledger& ledger);

  // The next call. Returns what is wrong, or nothing.
  std::string step(Database& database);

  // Whatever was in progress is gone; the rows are those of `part`.
  void restart(const Part& part);

  // A call failed although the disk may go on: nothing more is acknowledged.
  [[nodiscard]] bool commit_failed() const noexcept { return commit_failed_; }

 private:
  using TextKey = std::pair<std::string, std::string>;

  // The model within a transaction, as a savepoint keeps it.
  struct View {
    Part rows;
    std::map<TextKey, std::string> texts;  // values that this transaction put: they can be appended to
  };

  std::string between(Database& database);
  std::string begin(Database& database);
  std::string look(Database& database);
  std::string look_back(Database& database);
  std::string finish();
  std::string commit();
  std::string operate();
  std::string write_one();
  std::string append_one();
  std::string read_one();
  std::string scan_one();
  std::string erase_some();
  std::string change_tables();
  std::string use_savepoint();

  // Nothing when the call may have ended so; otherwise the complaint.
  std::string judge(const Status& status, const char* call);
  std::string random_table();
  std::string random_key();
  std::string random_value();
  std::optional<Table> open(const std::string& name, std::string& problem);

  Ledger& ledger_;
  const WorkerOptions options_;
  base::Random random_;
  std::optional<Transaction> transaction_;
  std::optional<Transaction> reader_;  // at `snapshot`, held over many transactions
  Part read_;                          // what it sees
  Durability durability_ = Durability::sync;
  Part committed_;
  View view_;
  std::vector<std::pair<Savepoint, View>> savepoints_;
  unsigned calls_left_ = 0;
  std::uint64_t transactions_ = 0;
  std::uint64_t newest_ = 0;  // the newest commit of its own
  bool commit_failed_ = false;
};

// The number of commits that a database holds, by its row `order`; 0 where it has no tables.
Result<std::uint64_t> commits_in(Database& database);

// Compares all that is there with `parts`. Returns the difference, or nothing.
std::string compare(Database& database, const std::vector<const Part*>& parts, std::uint64_t number);

}  // namespace isolith::crash

// A work queue: several workers take jobs from one table. Each job is done once, and no worker waits for
// another.
//
// A worker locks the first job that nobody else has locked, does it, and takes it off the queue, all in one
// transaction. If it fails or is killed, its transaction is undone, and the job is there for the next one.
#include <isolith/isolith.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::uint64_t kJobs = 200;
constexpr std::size_t kWorkers = 4;

struct Tables {
  isolith::Table queue;  // the number of a job -> what is to be done
  isolith::Table done;   // the number of a job -> who did it
};

isolith::Status fill(isolith::Transaction& transaction, const Tables& tables) {
  for (std::uint64_t i = 0; i < kJobs; ++i) {
    std::string key;
    isolith::append_key_u64(key, i);  // in the order of the numbers
    if (auto status = transaction.put(tables.queue, key, "polish"); !status.ok()) return status;
  }
  return {};
}

// `not_found`: there is no job that is free.
isolith::Status do_one(isolith::Transaction& transaction, const Tables& tables, const std::string& worker,
                       bool fails) {
  isolith::CursorOptions free_ones;
  free_ones.lock = isolith::CursorOptions::Lock::update;
  free_ones.if_locked = isolith::IfLocked::skip;
  auto job = transaction.cursor(tables.queue, isolith::KeyRange::all(), free_ones);
  if (!job.ok()) return job.status();
  job->seek_first();  // locks one row: the cursor goes no further
  if (!job->status().ok()) return job->status();
  if (!job->valid()) return isolith::Status(isolith::StatusCode::not_found);

  const std::string key(job->key());
  std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the work
  if (fails) return isolith::Status(isolith::StatusCode::aborted, "the worker fell over");
  // `already_exists` here would say that somebody did the same job.
  if (auto status = transaction.insert(tables.done, key, worker); !status.ok()) return status;
  return transaction.erase(tables.queue, key);
}

// Works until no job is free: those that are left then are in the hands of other workers.
isolith::Status work(isolith::Database& database, const Tables& tables, const std::string& worker,
                     bool fails_once) {
  for (;;) {
    // A level without a snapshot: its cursors lock rows as they come to them.
    auto status = isolith::run_transaction(
        database,
        [&](isolith::Transaction& transaction) { return do_one(transaction, tables, worker, fails_once); },
        isolith::Isolation::read_committed);
    if (status.is(isolith::StatusCode::not_found)) return {};
    if (fails_once && status.is(isolith::StatusCode::aborted)) {
      fails_once = false;
    } else if (!status.ok()) {
      return status;
    }
  }
}

isolith::Status report(isolith::Database& database, const Tables& tables) {
  auto reader = database.begin(isolith::Isolation::snapshot);
  if (!reader.ok()) return reader.status();
  auto left = reader->cursor(tables.queue);
  auto done = reader->cursor(tables.done);
  if (!left.ok() || !done.ok()) return left.ok() ? done.status() : left.status();
  int jobs = 0;
  std::vector<int> shares(kWorkers);
  for (done->seek_first(); done->valid(); done->next(), ++jobs)
    ++shares.at(std::stoul(std::string(done->value())));
  left->seek_first();
  std::cout << jobs << " jobs done, each once; " << (left->valid() ? "some are" : "none is") << " left\n";
  for (std::size_t i = 0; i < kWorkers; ++i) std::cout << "worker " << i << ": " << shares[i] << '\n';
  return done->status();
}

}  // namespace

int main() {
  auto database = isolith::Database::open_in_memory();  // `open(path)` keeps the jobs over a crash
  if (!database.ok()) return std::cerr << database.status().to_string() << '\n', 1;
  auto queue = database->ensure_table("queue");
  auto done = database->ensure_table("done");
  if (!queue.ok() || !done.ok()) return std::cerr << "no tables\n", 1;
  const Tables tables{*queue, *done};

  auto status = isolith::run_transaction(
      *database, [&](isolith::Transaction& transaction) { return fill(transaction, tables); });
  std::vector<isolith::Status> ends(kWorkers);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; status.ok() && i < kWorkers; ++i) {
    workers.emplace_back([&, i] { ends[i] = work(*database, tables, std::to_string(i), i == 0); });
  }
  for (std::thread& worker : workers) worker.join();
  for (const isolith::Status& end : ends) {
    if (!end.ok()) status = end;
  }
  if (status.ok()) status = report(*database, tables);
  if (!status.ok()) return std::cerr << status.to_string() << '\n', 1;
}

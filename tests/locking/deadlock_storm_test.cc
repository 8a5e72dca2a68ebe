// 64 threads that read and write ten keys at random at serializable_2pl: the default wait hook, real waits.
// Every report of a deadlock is checked against what the members did: each holds what the one before it
// waits for. ISOLITH_TEST_STORM_SECONDS makes it as long as wanted, and it tells how fast it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "isolith/isolith.h"
#include "tests/support/seed.h"

namespace isolith::testing {
namespace {

constexpr std::size_t kThreads = 64;
constexpr std::size_t kKeys = 10;
constexpr std::size_t kSteps = 3;
constexpr std::size_t kTransactionsEach = 100;  // without ISOLITH_TEST_STORM_SECONDS
constexpr std::size_t kRemembered = 4096;       // transactions of one thread

struct Step {
  std::string key;
  bool writes = false;
};

// What one thread's transactions were about to do, for the others to look up.
class Diary {
 public:
  void begin(const std::string& label) {
    const std::lock_guard lock(mutex_);
    if (pages_.size() == kRemembered) pages_.pop_front();
    pages_.push_back({label, {}});
  }
  void add(const Step& step) {
    const std::lock_guard lock(mutex_);
    pages_.back().steps.push_back(step);
  }
  // The steps of the transaction, as far as it has come.
  std::vector<Step> steps_of(const std::string& label) {
    const std::lock_guard lock(mutex_);
    const auto page = std::find_if(pages_.rbegin(), pages_.rend(),
                                   [&label](const Page& one) { return one.label == label; });
    return page == pages_.rend() ? std::vector<Step>() : page->steps;
  }

 private:
  struct Page {
    std::string label;
    std::vector<Step> steps;
  };
  std::mutex mutex_;
  std::deque<Page> pages_;
};

class DeadlockStorm {
 public:
  DeadlockStorm() : database_(*Database::open_in_memory()), table_(*database_.ensure_table("t")) {
    Transaction transaction = *database_.begin();
    for (std::size_t i = 0; i < kKeys; ++i) EXPECT_TRUE(transaction.put(table_, std::to_string(i), "0").ok());
    EXPECT_TRUE(transaction.commit().ok());
  }

  void run(std::uint64_t seconds) {
    const auto began = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) threads.emplace_back([this, i, seconds] { play(i, seconds); });
    if (seconds > 0) {
      std::this_thread::sleep_for(std::chrono::seconds(seconds));
      ends_ = true;
    }
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    EXPECT_TRUE(database_.locks().empty());
    EXPECT_EQ(database_.stats().deadlocks, found_after_ns_.size());
    report(took.count());
  }

 private:
  void play(std::size_t number, std::uint64_t seconds) {
    base::Random random(test_seed() + number);
    for (std::size_t i = 0; seconds > 0 ? !ends_ : i < kTransactionsEach; ++i) {
      TransactionOptions options(Isolation::serializable_2pl);
      const std::string label = std::to_string(number) + ':' + std::to_string(i);
      options.label = label;
      diaries_[number].begin(label);
      Transaction transaction = *database_.begin(options);
      Status status;
      for (std::size_t step = 0; step < kSteps && status.ok(); ++step) {
        status =
            take(transaction, diaries_[number], {std::to_string(random.below(kKeys)), random.below(2) == 0});
        std::this_thread::yield();  // where there are few processors the others come in between, too
      }
      if (status.ok()) status = transaction.commit();
      if (status.ok()) {
        ++commits_;
        continue;
      }
      ASSERT_EQ(status.reason(), ConflictReason::deadlock) << status.to_string();
      ASSERT_NE(status.deadlock_report(), nullptr);
      check(*status.deadlock_report(), label);
    }
  }

  Status take(Transaction& transaction, Diary& diary, const Step& step) {
    diary.add(step);
    std::string value;
    return step.writes ? transaction.put(table_, step.key, "1") : transaction.get(table_, step.key, value);
  }

  // Whether the report is a true circle, and the failed one is in it.
  void check(const DeadlockReport& report, const std::string& own_label) {
    const std::vector<DeadlockReport::Member>& circle = report.circle;
    ASSERT_GE(circle.size(), 2U);
    bool has_victim = false;
    for (std::size_t i = 0; i < circle.size(); ++i) {
      const DeadlockReport::Member& waiter = circle[i];
      const DeadlockReport::Member& holder = circle[(i + 1) % circle.size()];
      has_victim = has_victim || (waiter.transaction == report.victim && waiter.label == own_label);
      EXPECT_TRUE(wants(waiter)) << waiter.label << " did not want " << waiter.key;
      EXPECT_TRUE(holds(holder, waiter)) << holder.label << " does not hold " << waiter.key << " against a "
                                         << waiter.wants << " of " << waiter.label;
      EXPECT_EQ(std::count_if(circle.begin(), circle.end(),
                              [&](const auto& other) { return other.label == waiter.label; }),
                1);
    }
    EXPECT_TRUE(has_victim);
    const std::lock_guard lock(mutex_);
    found_after_ns_.push_back(report.found_after_ns);
    longest_circle_ = std::max(longest_circle_, circle.size());
  }

  // The step at which the member waited; -1: it never took such a step.
  std::ptrdiff_t waited_at(const DeadlockReport::Member& member, const std::vector<Step>& steps) {
    for (std::size_t i = steps.size(); i-- > 0;) {
      if (steps[i].key == member.key && steps[i].writes == (member.wants == "write"))
        return static_cast<std::ptrdiff_t>(i);
    }
    return -1;
  }

  std::vector<Step> steps_of(const DeadlockReport::Member& member) {
    return diaries_[std::stoul(member.label.substr(0, member.label.find(':')))].steps_of(member.label);
  }

  bool wants(const DeadlockReport::Member& member) { return waited_at(member, steps_of(member)) >= 0; }

  // By a step before the one at which it waits itself; a read lock also by that one: it is entered first, and
  // then the writer is waited for.
  bool holds(const DeadlockReport::Member& holder, const DeadlockReport::Member& waiter) {
    const std::vector<Step> steps = steps_of(holder);
    const std::ptrdiff_t at = waited_at(holder, steps);
    for (std::ptrdiff_t i = 0; i <= at; ++i) {
      const Step& step = steps[static_cast<std::size_t>(i)];
      if (step.key != waiter.key) continue;
      if (step.writes ? i < at : waiter.wants == "write") return true;
    }
    return false;
  }

  void report(double seconds) {
    std::sort(found_after_ns_.begin(), found_after_ns_.end());
    ASSERT_FALSE(found_after_ns_.empty());
    const auto us_at = [this](double part) {
      return static_cast<double>(found_after_ns_[static_cast<std::size_t>(
                 part * static_cast<double>(found_after_ns_.size() - 1))]) /
             1e3;
    };
    const auto late = found_after_ns_.end() - std::upper_bound(found_after_ns_.begin(), found_after_ns_.end(),
                                                               std::uint64_t{1'000'000});
    const double count = static_cast<double>(found_after_ns_.size());
    std::printf("%zu threads, %zu keys, %.1f s: %.0f commits/s, %.0f deadlocks/s, %.0f waits/s\n", kThreads,
                kKeys, seconds, static_cast<double>(commits_) / seconds, count / seconds,
                static_cast<double>(database_.stats().lock_waits) / seconds);
    std::printf(
        "%.0f circles, each true, of %zu members at most; found after %.1f us in the median, %.1f us in "
        "99 of 100, %.1f us at most; %td after more than 1 ms\n",
        count, longest_circle_, us_at(0.5), us_at(0.99), us_at(1), late);
  }

  Database database_;
  Table table_;
  std::array<Diary, kThreads> diaries_;
  std::atomic<bool> ends_{false};
  std::atomic<std::uint64_t> commits_{0};
  std::mutex mutex_;
  std::vector<std::uint64_t> found_after_ns_;
  std::size_t longest_circle_ = 0;
};

TEST(DeadlockStormTest, EveryReportIsATrueCircleAndNobodyHangs) {
  const char* const seconds = std::getenv("ISOLITH_TEST_STORM_SECONDS");
  DeadlockStorm().run(seconds == nullptr ? 0 : std::strtoull(seconds, nullptr, 10));
}

}  // namespace
}  // namespace isolith::testing

// The text, as lock_print_info_all_transactions of storage/innobase/lock/lock0lock.cc writes it:
//
//   ---TRANSACTION 8, ACTIVE 0 sec starting index read
//   LOCK WAIT 2 lock struct(s), heap size 1128, 1 row lock(s)
//   MariaDB thread id 6, OS thread handle 140445230085824, query id 17 localhost root Sending data
//   ...
//   RECORD LOCKS space id 1 page no 3 n bits 320 index PRIMARY of table ... lock_mode X locks rec but not gap
//   waiting Record lock, heap no 2 PHYSICAL RECORD: ...
//
// What a session sent stands in between, but its values do so in hex: no line of it looks like one of these.
#include "anomalies/adapters/innodb_waits.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace isolith::anomalies {
namespace {

// A lock on one record.
struct Lock {
  std::uint64_t thread = 0;
  std::string page;  // "space id 1 page no 3"
  std::uint64_t record = 0;
  bool exclusive = false;
  bool gap_only = false;
  bool record_only = false;
  bool to_insert = false;
  bool waiting = false;
};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// The number after `mark`.
std::optional<std::uint64_t> number_after(std::string_view line, std::string_view mark) {
  const std::size_t place = line.find(mark);
  if (place == std::string_view::npos) return {};
  const char* begin = line.data() + place + mark.size();
  std::uint64_t number = 0;
  if (std::from_chars(begin, line.data() + line.size(), number).ec != std::errc()) return {};
  return number;
}

constexpr std::string_view kLocks = "RECORD LOCKS ";
constexpr std::uint64_t kSupremum = 1;  // the record after the last: whoever locks it locks the gap before it

Lock parse_lock(std::string_view line, std::uint64_t thread) {
  Lock lock;
  lock.thread = thread;
  lock.page = line.substr(kLocks.size(), line.find(" n bits") - kLocks.size());
  const std::size_t mode_place = line.find("lock_mode ");
  const std::string_view mode = mode_place == std::string_view::npos ? line : line.substr(mode_place);
  lock.exclusive = mode.starts_with("lock_mode X");
  lock.gap_only = has(mode, "locks gap before rec");
  lock.record_only = has(mode, "locks rec but not gap");
  lock.to_insert = has(mode, "insert intention");
  lock.waiting = mode.ends_with("waiting");
  return lock;
}

// As lock_rec_has_to_wait decides it: only who inserts minds gaps, and who inserts is in nobody's way.
bool is_in_the_way(const Lock& held, const Lock& wanted) {
  if (held.thread == wanted.thread || held.page != wanted.page || held.record != wanted.record) return false;
  if (!held.exclusive && !wanted.exclusive) return false;
  if (held.to_insert) return false;
  if (wanted.to_insert) return !held.record_only;
  return !held.gap_only && held.record != kSupremum;
}

void add(std::vector<std::uint64_t>& threads, std::uint64_t thread) {
  if (std::find(threads.begin(), threads.end(), thread) == threads.end()) threads.push_back(thread);
}

std::vector<std::uint64_t> holders_of(const Lock& wanted, const std::vector<Lock>& locks) {
  std::vector<std::uint64_t> holders;
  for (const Lock& lock : locks) {
    if (!lock.waiting && is_in_the_way(lock, wanted)) add(holders, lock.thread);
  }
  if (!holders.empty()) return holders;
  for (const Lock& lock : locks) {  // it stands behind others that wait
    if (lock.waiting && is_in_the_way(lock, wanted)) add(holders, lock.thread);
  }
  return holders;
}

}  // namespace

std::vector<InnodbWait> parse_innodb_waits(std::string_view status) {
  // Before it stands the last deadlock, told with the same lines.
  status.remove_prefix(std::min(status.find("\nLIST OF TRANSACTIONS "), status.size()));
  std::vector<InnodbWait> waits;
  std::vector<Lock> locks;
  bool waits_for_lock = false;
  std::uint64_t thread = 0;  // of the transaction whose lines these are; 0: not known yet
  std::optional<Lock> lock;  // of the records that follow
  for (std::size_t begin = 0; begin < status.size();) {
    const std::size_t end = std::min(status.find('\n', begin), status.size());
    const std::string_view line = status.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("---TRANSACTION ")) {
      thread = 0;
      waits_for_lock = false;
      lock.reset();
    } else if (line.starts_with("LOCK WAIT ")) {
      waits_for_lock = true;
    } else if (thread == 0 && line.starts_with("MariaDB thread id ")) {
      thread = number_after(line, "thread id ").value_or(0);
      if (waits_for_lock) waits.push_back({thread, {}});
    } else if (line.starts_with(kLocks)) {
      lock = parse_lock(line, thread);
    } else if (lock && line.starts_with("Record lock, ")) {
      lock->record = number_after(line, "heap no ").value_or(0);
      locks.push_back(*lock);
    } else if (line.starts_with("TABLE LOCK ")) {
      lock.reset();
    }
  }
  for (InnodbWait& wait : waits) {
    const auto wanted = std::find_if(locks.begin(), locks.end(), [&wait](const Lock& one) {
      return one.waiting && one.thread == wait.thread;
    });
    if (wanted != locks.end()) wait.holders = holders_of(*wanted, locks);
  }
  return waits;
}

bool is_in_cycle(const std::vector<InnodbWait>& waits, std::uint64_t thread) {
  std::vector<std::uint64_t> reached;
  std::vector<std::uint64_t> open = {thread};
  while (!open.empty()) {
    const std::uint64_t from = open.back();
    open.pop_back();
    for (const InnodbWait& wait : waits) {
      if (wait.thread != from) continue;
      for (const std::uint64_t holder : wait.holders) {
        if (holder == thread) return true;
        if (std::find(reached.begin(), reached.end(), holder) != reached.end()) continue;
        reached.push_back(holder);
        open.push_back(holder);
      }
    }
  }
  return false;
}

}  // namespace isolith::anomalies

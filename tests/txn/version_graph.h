// VersionGraph: whether committed transactions are as in some serial order, from which versions they read and
// wrote and the true order of each key's versions: Adya's serialization graph, for transactions of mixed
// levels his mixed one ("Weak Consistency", 1999, 5.5). An edge counts only where the transaction that it is
// about was promised it:
//
//   ww  to who wrote the key's next version: always
//   wr  to who read a version: from read_committed on
//   rw  from who read a version to who wrote the next one: of keys from repeatable_read on (not at snapshot,
//   which
//       is promised less), of what a range gave at serializable_2pl, serializable_ssi and serial
//
// That a key is not there is a version, too: the first one, or an erasing. So what a range gave is one read
// of each key in it.
//
// Memory: 16 bytes for each read and 24 for each write; 8 for each edge while it is searched. Linear time but
// for sorting the versions.
//
// Threads: a History from one at a time; each thread has its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isolith/isolation.h"

namespace isolith::testing {

inline constexpr std::uint64_t kFirstVersion = 0;  // of each key, whether it was there or not

struct VersionRead {
  std::uint32_t key = 0;
  bool by_range = false;  // the row was not there, and a range told so
  std::uint64_t version = kFirstVersion;
};

struct VersionWrite {
  std::uint32_t key = 0;
  std::uint64_t version = 0;  // the last one of several; no two are the same
  std::uint64_t place = 0;    // rises with the versions of a key
};

// Committed transactions with what they did.
class History {
 public:
  struct Transaction {
    std::uint64_t number = 0;
    std::uint64_t began = 0;  // for the reader of a report: these rise with time
    std::uint64_t ended = 0;
    Isolation level = Isolation::serializable_ssi;
    std::uint64_t first_read = 0;
    std::uint64_t first_write = 0;
    std::uint32_t reads = 0;
    std::uint32_t writes = 0;
  };

  // What it read and wrote is filled in.
  void add(Transaction transaction, const std::vector<VersionRead>& reads,
           const std::vector<VersionWrite>& writes);

  [[nodiscard]] const std::vector<Transaction>& transactions() const noexcept { return transactions_; }
  [[nodiscard]] const VersionRead* reads_of(const Transaction& t) const {
    return reads_.data() + t.first_read;
  }
  [[nodiscard]] const VersionWrite* writes_of(const Transaction& t) const {
    return writes_.data() + t.first_write;
  }

 private:
  std::vector<Transaction> transactions_;
  std::vector<VersionRead> reads_;
  std::vector<VersionWrite> writes_;
};

struct GraphReport {
  std::uint64_t transactions = 0;
  std::uint64_t edges = 0;
  std::uint64_t cycles = 0;  // sets of transactions in which each comes before each
  std::string cycle;         // one of them, in words
  std::string problem;       // a version was read that no committed transaction wrote last
};

// Which edges count.
enum class Promise : std::uint8_t {
  of_its_level,
  serial_order,  // all, as if everybody were promised that
};

GraphReport check_history(const std::vector<History>& histories, std::uint32_t keys,
                          Promise promise = Promise::of_its_level);

}  // namespace isolith::testing

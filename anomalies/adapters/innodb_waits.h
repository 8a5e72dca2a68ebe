// Who waits for whom in InnoDB, read from the text of SHOW ENGINE INNODB STATUS with its locks
// (innodb_status_output_locks): the one place that tells it at once. The tables of information_schema are
// refreshed ten times a second at most.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace isolith::anomalies {

struct InnodbWait {
  std::uint64_t thread = 0;            // of the server: the connection
  std::vector<std::uint64_t> holders;  // threads with a lock in the way, or ahead of it; may be empty
};

std::vector<InnodbWait> parse_innodb_waits(std::string_view status);

// Whether it waits for itself, by way of others: then InnoDB is about to end one of them.
bool is_in_cycle(const std::vector<InnodbWait>& waits, std::uint64_t thread);

}  // namespace isolith::anomalies

// The process of `isolith demo` that works until it is killed, and what it tells the process that will kill
// it.
//
// Writers run one transaction after another at `sync` durability: each moves counts between rows and enters
// what it moved in the journal (tools/demo_data.h). When a commit has returned, and not before, the writer
// sends a message. Readers check what read committed promises: one cursor over `categories` sees one total
// whatever the writers do.
//
// Invariants:
//   1. A message `committed` is sent after the commit was acknowledged, and before the writer's next one
//      begins: at a kill at most one commit of each writer is unannounced.
//   2. Messages are shorter than PIPE_BUF, so they are never mixed or torn.
//
// Threads: run_demo_worker makes its own; the pipe is the only thing that they share with the other process.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

namespace isolith::tools {

inline constexpr std::uint32_t kDemoWriters = 6;
inline constexpr std::uint32_t kDemoReaders = 2;

enum class DemoMessageKind : std::uint32_t { committed = 1, failed = 2 };

struct DemoMessage {
  DemoMessageKind kind = DemoMessageKind::committed;
  std::uint32_t writer = 0;
  std::uint64_t sequence = 0;      // of the writer's journal row
  std::uint64_t runs_again = 0;    // transactions run again after a conflict, by all writers so far
  std::uint64_t sums_checked = 0;  // by all readers so far
  std::uint64_t rows_read = 0;     // by all readers so far
  char text[200] = {};             // of `failed`: why; ends with a zero
};
static_assert(std::is_trivially_copyable_v<DemoMessage> && sizeof(DemoMessage) <= 512);

struct DemoWorkerOptions {
  std::string directory;
  std::uint64_t seed = 0;
  int descriptor = -1;  // where the messages go
};

// Works until the process is killed, or until something fails or nobody reads the messages: then it ends the
// process with exit code 1.
[[noreturn]] void run_demo_worker(const DemoWorkerOptions& options);

}  // namespace isolith::tools

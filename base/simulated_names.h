// SimulatedNames: the tree of directories of the simulated disk, with what of it is durable.
//
// Invariants:
//   1. The durable names of all directories with all of `changes_` applied in order are the names that are
//      seen.
//   2. A rename is one change: both of its names survive a crash or neither.
//   3. Two changes are related if they concern the same name of a directory (so are all changes of one file,
//      as each begins with the name that the last one gave it). A change never survives where an earlier
//      related one is lost; unrelated ones survive in any combination. Syncing a directory makes its changes
//      durable, and the earlier ones elsewhere that they are related to.
//   4. A change that met a failed sync does not become durable by a later good one, unless a related one
//      needs it.
//
// Paths are split at '/'; empty parts and "." mean nothing, ".." goes up. Absolute and relative paths are the
// same.
//
// Threads: the disk's mutex.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/simulated_file.h"
#include "isolith/status.h"

namespace isolith::base {

struct SimulatedNode;
using NodePtr = std::shared_ptr<SimulatedNode>;

// A file or a directory.
struct SimulatedNode {
  SimulatedNode(bool directory, bool tracked, SparseImage contents = {})
      : is_directory(directory), file(tracked, std::move(contents)) {}

  bool is_directory;
  bool is_linked = true;   // has a name
  bool is_locked = false;  // of a lock file
  SimulatedFile file;
  std::map<std::string, NodePtr> names;          // of a directory, as they are seen
  std::map<std::string, NodePtr> durable_names;  // unused where crashes are not tracked
};

class SimulatedNames {
 public:
  explicit SimulatedNames(bool tracked);

  // Failures carry the errno that POSIX gives; `call` is for their text.
  Result<NodePtr> find(std::string_view call, const std::string& path) const;
  Result<NodePtr> create(std::string_view call, const std::string& path, bool is_directory);

  // The node that lost its name; for a rename the one that was replaced, if any.
  Result<NodePtr> remove(const std::string& path);
  Result<NodePtr> rename(const std::string& from, const std::string& to);

  void sync(const NodePtr& directory);
  void fail_sync(const NodePtr& directory);

  // What might be found after a crash now, with the files' contents; everything in it is durable.
  [[nodiscard]] SimulatedNames after_crash(CrashDraw& draw) const;

  // Of all files that have a name.
  [[nodiscard]] std::uint64_t total_bytes() const;

 private:
  using Names = std::map<std::string, NodePtr>;

  // One name that comes to stand for `node`, or for nothing.
  struct Entry {
    NodePtr directory;
    std::string name;
    NodePtr node;
  };

  struct Change {
    std::vector<Entry> entries;
    bool met_failed_sync = false;

    [[nodiscard]] bool is_in(const NodePtr& directory) const noexcept;
    [[nodiscard]] bool is_related(const Change& other) const noexcept;
  };

  // Where a path ends: a directory and a name in it. The root has no name.
  struct Place {
    NodePtr directory;
    std::string name;
    NodePtr node;  // what is there, or null
  };

  SimulatedNames(bool tracked, NodePtr root) : tracked_(tracked), root_(std::move(root)) {}

  [[nodiscard]] Result<Place> locate(std::string_view call, const std::string& path) const;
  void make(Change change);
  [[nodiscard]] NodePtr survivor(const NodePtr& node, const std::map<const SimulatedNode*, Names>& changed,
                                 CrashDraw& draw) const;

  bool tracked_;
  NodePtr root_;
  std::vector<Change> changes_;  // those that are not durable, oldest first
};

}  // namespace isolith::base

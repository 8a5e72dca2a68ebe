// SimulatedNames: looking up paths, changing names, and drawing which changes survive.
#include "base/simulated_names.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/system_failure.h"

namespace isolith::base {

namespace {

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    begin = end + 1;
  }
  return parts;
}

std::uint64_t bytes_below(const SimulatedNode& node) {
  std::uint64_t bytes = node.file.contents().size();
  for (const auto& [name, child] : node.names) bytes += bytes_below(*child);
  return bytes;
}

bool is_below(const NodePtr& node, const NodePtr& top) {
  if (node == top) return true;
  return std::any_of(top->names.begin(), top->names.end(), [&](const auto& child) {
    return child.second->is_directory && is_below(node, child.second);
  });
}

// The errno of a rename that must not be, or 0.
int rename_error(const NodePtr& from, const NodePtr& to, const NodePtr& to_directory) {
  if (from->is_directory && is_below(to_directory, from)) return EINVAL;
  if (!to) return 0;
  if (to->is_directory && !from->is_directory) return EISDIR;
  if (!to->is_directory && from->is_directory) return ENOTDIR;
  return to->names.empty() ? 0 : ENOTEMPTY;
}

}  // namespace

bool SimulatedNames::Change::is_in(const NodePtr& directory) const noexcept {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const Entry& e) { return e.directory == directory; });
}

bool SimulatedNames::Change::is_related(const Change& other) const noexcept {
  for (const Entry& mine : entries) {
    for (const Entry& theirs : other.entries) {
      if (mine.directory == theirs.directory && mine.name == theirs.name) return true;
    }
  }
  return false;
}

SimulatedNames::SimulatedNames(bool tracked)
    : SimulatedNames(tracked, std::make_shared<SimulatedNode>(true, tracked)) {}

Result<SimulatedNames::Place> SimulatedNames::locate(std::string_view call, const std::string& path) const {
  Place place{.directory = nullptr, .name = {}, .node = root_};
  for (std::string& part : split(path)) {
    if (!place.node) return system_failure(call, path, ENOENT);
    if (!place.node->is_directory) return system_failure(call, path, ENOTDIR);
    place.directory = place.node;
    place.name = std::move(part);
    const auto found = place.directory->names.find(place.name);
    place.node = found == place.directory->names.end() ? nullptr : found->second;
  }
  return place;
}

void SimulatedNames::make(Change change) {
  for (const Entry& entry : change.entries) {
    if (entry.node) {
      entry.directory->names[entry.name] = entry.node;
    } else {
      entry.directory->names.erase(entry.name);
    }
  }
  if (tracked_) changes_.push_back(std::move(change));
}

Result<NodePtr> SimulatedNames::find(std::string_view call, const std::string& path) const {
  Result<Place> place = locate(call, path);
  if (!place.ok()) return std::move(place).status();
  if (!place->node) return system_failure(call, path, ENOENT);
  return place->node;
}

Result<NodePtr> SimulatedNames::create(std::string_view call, const std::string& path, bool is_directory) {
  Result<Place> place = locate(call, path);
  if (!place.ok()) return std::move(place).status();
  if (place->node) return system_failure(call, path, EEXIST);
  const NodePtr node = std::make_shared<SimulatedNode>(is_directory, tracked_);
  make({.entries = {{place->directory, place->name, node}}});
  return node;
}

Result<NodePtr> SimulatedNames::remove(const std::string& path) {
  Result<Place> place = locate("unlink", path);
  if (!place.ok()) return std::move(place).status();
  if (!place->node) return system_failure("unlink", path, ENOENT);
  if (place->node == root_) return system_failure("rmdir", path, EBUSY);
  if (!place->node->names.empty()) return system_failure("rmdir", path, ENOTEMPTY);
  make({.entries = {{place->directory, place->name, nullptr}}});
  return place->node;
}

Result<NodePtr> SimulatedNames::rename(const std::string& from, const std::string& to) {
  Result<Place> source = locate("rename", from);
  if (!source.ok()) return std::move(source).status();
  Result<Place> target = locate("rename", to);
  if (!target.ok()) return std::move(target).status();
  const std::string both = from + " to " + to;
  if (!source->node) return system_failure("rename", both, ENOENT);
  if (source->node == root_ || target->node == root_) return system_failure("rename", both, EBUSY);
  if (source->node == target->node) return NodePtr();
  if (const int error = rename_error(source->node, target->node, target->directory); error != 0)
    return system_failure("rename", both, error);
  make({.entries = {{source->directory, source->name, nullptr},
                    {target->directory, target->name, source->node}}});
  return target->node;
}

void SimulatedNames::sync(const NodePtr& directory) {
  std::vector<bool> synced(changes_.size());
  for (std::size_t i = changes_.size(); i-- > 0;) {
    synced[i] = changes_[i].is_in(directory) && !changes_[i].met_failed_sync;
    for (std::size_t later = i + 1; !synced[i] && later < changes_.size(); ++later)
      synced[i] = synced[later] && changes_[i].is_related(changes_[later]);
  }
  std::vector<Change> left;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    if (!synced[i]) {
      left.push_back(std::move(changes_[i]));
      continue;
    }
    for (const Entry& entry : changes_[i].entries) {
      if (entry.node) {
        entry.directory->durable_names[entry.name] = entry.node;
      } else {
        entry.directory->durable_names.erase(entry.name);
      }
    }
  }
  changes_ = std::move(left);
}

void SimulatedNames::fail_sync(const NodePtr& directory) {
  for (Change& change : changes_) {
    if (change.is_in(directory)) change.met_failed_sync = true;
  }
}

SimulatedNames SimulatedNames::after_crash(CrashDraw& draw) const {
  std::vector<const Change*> lost;
  std::map<const SimulatedNode*, Names> changed;  // the directories that a surviving change concerns
  for (const Change& change : changes_) {
    const bool is_orphan =
        std::any_of(lost.begin(), lost.end(), [&](const Change* l) { return change.is_related(*l); });
    if (!draw.keep() || is_orphan) {
      lost.push_back(&change);
      continue;
    }
    for (const Entry& entry : change.entries) {
      Names& names = changed.try_emplace(entry.directory.get(), entry.directory->durable_names).first->second;
      if (entry.node) {
        names[entry.name] = entry.node;
      } else {
        names.erase(entry.name);
      }
    }
  }
  return SimulatedNames(tracked_, survivor(root_, changed, draw));
}

// A copy of the node as it survives, with all that is below it.
NodePtr SimulatedNames::survivor(const NodePtr& node, const std::map<const SimulatedNode*, Names>& changed,
                                 CrashDraw& draw) const {
  if (!node->is_directory)
    return std::make_shared<SimulatedNode>(false, tracked_, node->file.after_crash(draw));
  const NodePtr copy = std::make_shared<SimulatedNode>(true, tracked_);
  const auto found = changed.find(node.get());
  const Names& names = !tracked_ ? node->names : found != changed.end() ? found->second : node->durable_names;
  for (const auto& [name, child] : names) copy->names[name] = survivor(child, changed, draw);
  if (tracked_) copy->durable_names = copy->names;
  return copy;
}

std::uint64_t SimulatedNames::total_bytes() const { return bytes_below(*root_); }

}  // namespace isolith::base

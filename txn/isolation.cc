#include "isolith/isolation.h"

#include "txn/levels.h"

namespace isolith {
namespace {

constexpr Isolation kLevels[] = {
    Isolation::read_uncommitted, Isolation::read_committed,   Isolation::snapshot, Isolation::repeatable_read,
    Isolation::serializable_2pl, Isolation::serializable_ssi, Isolation::serial};

}  // namespace

const IsolationPolicy& policy_of(Isolation level) noexcept {
  switch (level) {
    case Isolation::read_uncommitted:
      return txn::read_uncommitted();
    case Isolation::snapshot:
      return txn::snapshot();
    case Isolation::repeatable_read:
      return txn::repeatable_read();
    case Isolation::serializable_2pl:
      return txn::serializable_2pl();
    case Isolation::serializable_ssi:
      return txn::serializable_ssi();
    case Isolation::serial:
      return txn::serial();
    case Isolation::read_committed:
      break;
  }
  return txn::read_committed();
}

std::string_view to_string(Isolation level) noexcept { return policy_of(level).name(); }

std::optional<Isolation> parse_isolation(std::string_view name) noexcept {
  if (name == "serializable") return Isolation::serializable_ssi;
  for (const Isolation level : kLevels) {
    if (to_string(level) == name) return level;
  }
  return std::nullopt;
}

}  // namespace isolith

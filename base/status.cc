// Status: copying, and the texts. The names are part of the interface (reports, scenario files): they never
// change.
#include "isolith/status.h"

namespace isolith {

std::string_view to_string(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::ok:
      return "ok";
    case StatusCode::not_found:
      return "not_found";
    case StatusCode::already_exists:
      return "already_exists";
    case StatusCode::conflict:
      return "conflict";
    case StatusCode::snapshot_too_old:
      return "snapshot_too_old";
    case StatusCode::invalid_argument:
      return "invalid_argument";
    case StatusCode::too_large:
      return "too_large";
    case StatusCode::busy:
      return "busy";
    case StatusCode::corruption:
      return "corruption";
    case StatusCode::io_error:
      return "io_error";
    case StatusCode::no_space:
      return "no_space";
    case StatusCode::read_only:
      return "read_only";
    case StatusCode::aborted:
      return "aborted";
    case StatusCode::internal:
      return "internal";
  }
  return "unknown";
}

std::string_view to_string(ConflictReason reason) noexcept {
  switch (reason) {
    case ConflictReason::none:
      return "none";
    case ConflictReason::write_conflict:
      return "write_conflict";
    case ConflictReason::serialization:
      return "serialization";
    case ConflictReason::deadlock:
      return "deadlock";
    case ConflictReason::lock_timeout:
      return "lock_timeout";
  }
  return "unknown";
}

Status::Status(StatusCode code, std::string message, int system_error)
    : code_(code), detail_(new Detail{std::move(message), system_error, {}, {}}) {}

Status Status::conflict(ConflictReason reason, std::string message, ConflictReport report) {
  Status status = conflict(reason, std::move(message));
  status.detail_->conflict = std::move(report);
  return status;
}

Status Status::conflict(ConflictReason reason, std::string message, ConflictReport report,
                        DeadlockReport deadlock) {
  Status status = conflict(reason, std::move(message), std::move(report));
  status.detail_->deadlock = std::move(deadlock);
  return status;
}

Status Status::conflict(ConflictReason reason, std::string message) {
  Status status(StatusCode::conflict, std::move(message));
  status.reason_ = reason;
  return status;
}

Status::Status(const Status& other)
    : code_(other.code_),
      reason_(other.reason_),
      detail_(other.detail_ ? std::make_unique<Detail>(*other.detail_) : nullptr) {}

Status& Status::operator=(const Status& other) {
  if (this != &other) *this = Status(other);
  return *this;
}

std::string Status::to_string() const {
  std::string text(isolith::to_string(code_));
  if (reason_ != ConflictReason::none) text.append("/").append(isolith::to_string(reason_));
  if (detail_ && !detail_->message.empty()) text.append(": ").append(detail_->message);
  return text;
}

}  // namespace isolith

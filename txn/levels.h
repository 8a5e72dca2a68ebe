// The built-in isolation levels, one source file each: level_NAME.cc.
//
// Threads: any.
#pragma once

#include "isolith/isolation.h"

namespace isolith::txn {

const IsolationPolicy& read_uncommitted() noexcept;
const IsolationPolicy& read_committed() noexcept;
const IsolationPolicy& snapshot() noexcept;
const IsolationPolicy& repeatable_read() noexcept;
const IsolationPolicy& serializable_2pl() noexcept;
const IsolationPolicy& serializable_ssi() noexcept;
const IsolationPolicy& serial() noexcept;

}  // namespace isolith::txn

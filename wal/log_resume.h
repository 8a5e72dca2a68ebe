// Makes a log that was read to its end one that can be written on: what open() of the writer does before all
// else.
//
// Afterwards, whatever the disk held before:
//   1. Every byte below `end` is on stable storage, proven by a sync of bytes that were written by this
//      process (a sync that failed in an earlier process may have left pages in the system's cache that look
//      clean and are not on the disk).
//   2. Nowhere behind `end` is a unit that names the place it stands at, so that nothing which a crash cut
//      off can follow validly on a unit that is written later.
//   3. The segment that holds `end` is ready, and is the last in use.
//
// Threads: one, before the pool is used by others.
#pragma once

#include "wal/segment_pool.h"

namespace isolith::wal {

// Returns an LSN that a mark in the log already proves to have been durable: `end` where nothing has to be
// proven.
Result<Lsn> resume_log(SegmentPool& pool, Lsn end);

}  // namespace isolith::wal

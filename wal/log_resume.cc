#include "wal/log_resume.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/check.h"
#include "wal/segment_scan.h"

namespace isolith::wal {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{256} << 10;

SegmentScan scan_of(const SegmentPool& pool, const Segment& segment) {
  return SegmentScan(*segment.file, segment.start, segment.size_bytes, pool.database_id());
}

Result<bool> has_no_claims(const SegmentPool& pool, const Segment& segment) {
  SegmentScan scan = scan_of(pool, segment);
  const Result<Lsn> claim = scan.find_claim(scan.first_unit());
  if (!claim.ok()) return claim.status();
  return *claim == scan.end();
}

// A walk through a segment's units up to `end`: whether they are all there, and what the newest mark proves.
struct Walk {
  Lsn stopped{};
  bool whole = true;
  std::optional<Lsn> proven;
};

Result<Walk> walk_through(const SegmentPool& pool, const Segment& segment, Lsn end) {
  SegmentScan scan = scan_of(pool, segment);
  Walk walk{.stopped = scan.first_unit(), .whole = true, .proven = {}};
  while (walk.stopped < end && scan.has_room(walk.stopped)) {
    UnitHeader header;
    Unit unit;
    const Result<UnitFault> fault = scan.unit_at(walk.stopped, header, unit);
    if (!fault.ok()) return fault.status();
    if (*fault != UnitFault::none) {
      walk.whole = false;
      break;
    }
    if (unit.kind == UnitKind::mark) walk.proven = static_cast<Lsn>(raw(unit.timestamp));
    walk.stopped = unit.end;
  }
  return walk;
}

// Goes back from the last segment to the newest mark. What it proves is returned, or the start of the first
// segment where no mark is found.
Result<Lsn> newest_proof(const SegmentPool& pool, Lsn end) {
  const auto& segments = pool.in_use();
  for (std::size_t i = segments.size() - 1;; --i) {
    const Segment& segment = *segments[i];
    const Result<Walk> walk = walk_through(pool, segment, end);
    if (!walk.ok()) return walk.status();
    if (!walk->whole && i + 1 == segments.size()) {
      return Status(StatusCode::corruption, segment.path + " at offset " +
                                                std::to_string(distance(segment.start, walk->stopped)) +
                                                ": expected a unit, since the log was read up to LSN " +
                                                std::to_string(raw(end)) + ", found none");
    }
    // Not whole, though all that the reader needed was: it had been released, so the log was durable up to
    // its end and beyond, and the crash tore the header that was to recycle it.
    if (!walk->whole) return segment.end();
    if (walk->proven) return *walk->proven;
    if (i == 0 || segments[i - 1]->end() != segment.start) return segment.start;
  }
}

// Writes what is there once more, so that a sync of this process answers for it.
Status rewrite(Segment& segment, Lsn from, Lsn to) {
  from = std::max(from, segment.start);
  to = std::min(to, segment.end());
  std::string piece;
  while (from < to) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, distance(from, to))));
    const std::uint64_t offset = distance(segment.start, from);
    const Result<std::size_t> size = segment.file->read_at(offset, piece.data(), piece.size());
    if (!size.ok()) return size.status();
    if (*size != piece.size()) return Status(StatusCode::corruption, segment.path + ": became shorter");
    TRY(segment.file->write_at(offset, piece.data(), piece.size()));
    from = advance(from, piece.size());
  }
  return Status();
}

// Zeros the headers of everything behind `end` that looks like a unit for its place.
Status wipe_claims(const SegmentPool& pool, Segment& segment, Lsn end) {
  SegmentScan scan = scan_of(pool, segment);
  const char zeros[kUnitHeaderBytes] = {};
  Lsn from = std::max(end, scan.first_unit());
  for (;;) {
    const Result<Lsn> claim = scan.find_claim(from);
    if (!claim.ok()) return claim.status();
    if (*claim == scan.end()) return Status();
    TRY(segment.file->write_at(scan.offset_of(*claim), zeros, sizeof zeros));
    from = advance(*claim, 1);
  }
}

}  // namespace

Result<Lsn> resume_log(SegmentPool& pool, Lsn end) {
  TRY(pool.load());
  TRY(pool.drop_after(end, [&](const Segment& segment) { return has_no_claims(pool, segment); }));
  Segment* const last = pool.holding(end);
  if (last == nullptr) {
    TRY(pool.begin_at(end));
    if (pool.in_use().size() < 2 || (*(pool.in_use().end() - 2))->end() != end) return end;  // a new log
  } else {
    CHECK(last == pool.in_use().back().get(), "later segments were dropped");
    TRY(wipe_claims(pool, *last, end));
  }

  Result<Lsn> proven = newest_proof(pool, end);
  if (!proven.ok()) return proven;
  for (const std::unique_ptr<Segment>& segment : pool.in_use()) {
    if (segment->end() <= *proven) continue;
    TRY(rewrite(*segment, *proven, end));
    TRY(segment->file->sync());
  }
  return proven;
}

}  // namespace isolith::wal

#include "wal/log_resume.h"

#include <algorithm>
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

// What the newest mark of a segment before `end` proves; `none` without one.
Result<Lsn> newest_proof(const SegmentPool& pool, const Segment& segment, Lsn end, Lsn none) {
  SegmentScan scan = scan_of(pool, segment);
  Lsn proven = none;
  for (Lsn position = scan.first_unit(); position < end && scan.has_room(position);) {
    UnitHeader header;
    Unit unit;
    const Result<UnitFault> fault = scan.unit_at(position, header, unit);
    if (!fault.ok()) return fault.status();
    if (*fault != UnitFault::none) {
      return Status(StatusCode::corruption, segment.path + " at offset " +
                                                std::to_string(scan.offset_of(position)) +
                                                ": expected a unit, since the log was read up to LSN " +
                                                std::to_string(raw(end)) + ", found none");
    }
    if (unit.kind == UnitKind::mark) proven = static_cast<Lsn>(raw(unit.timestamp));
    position = unit.end;
  }
  return proven;
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

  // Back to the newest mark, then everything from what it proves on once more.
  const auto& segments = pool.in_use();
  std::size_t first = segments.size() - 1;
  Lsn proven = segments[first]->start;
  for (;; --first) {
    const Lsn start = segments[first]->start;
    const Result<Lsn> found = newest_proof(pool, *segments[first], end, start);
    if (!found.ok()) return found.status();
    proven = *found;
    const bool marked = proven != start;
    const bool preceded = first > 0 && segments[first - 1]->end() == start;
    if (marked || !preceded) break;
  }
  while (proven < segments[first]->start && first > 0 && segments[first - 1]->end() == segments[first]->start)
    --first;
  for (std::size_t i = first; i < segments.size(); ++i) {
    TRY(rewrite(*segments[i], proven, end));
    TRY(segments[i]->file->sync());
  }
  return proven;
}

}  // namespace isolith::wal

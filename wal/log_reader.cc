// The reader: one segment after the other, and, where no valid unit follows, the search for a proof that one
// was there.
#include "wal/log_reader.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/check.h"
#include "wal/segment.h"
#include "wal/segment_scan.h"

namespace isolith::wal {
namespace {

std::string at_offset(const std::string& path, std::uint64_t offset) {
  return path + " at offset " + std::to_string(offset);
}

std::string text_of(Lsn lsn) { return "LSN " + std::to_string(raw(lsn)); }

class Reader final : public LogReader {
 public:
  explicit Reader(const LogReaderOptions& options) : options_(options) {}

  Status begin(Lsn start);
  Result<bool> next(Unit& unit) override;
  [[nodiscard]] Lsn end() const noexcept override { return end_; }
  [[nodiscard]] std::uint64_t torn_tail_bytes() const noexcept override { return torn_tail_bytes_; }

 private:
  // What stands where a unit was expected.
  struct Stop {
    Lsn position{};
    std::string text;             // file, offset, expected, found
    bool header_damaged = false;  // the segment that begins at `position` is there, and its header is not
  };

  // What the search behind a stop finds.
  struct Proof {
    std::string text;  // empty: none
    Lsn claims_end;    // the end of the last thing that looked like a unit for its place
  };

  Result<bool> enter(Lsn start);
  Result<bool> finish(const Stop& stop);
  Status search(const Stop& stop, Proof& proof);
  Status search_segment(SegmentScan& scan, const std::string& path, Lsn from, const Stop& stop, Proof& proof);
  Status check_order(const Unit& unit);

  const LogReaderOptions options_;
  std::vector<Lsn> starts_;  // of all segments that have a name, ascending
  std::string path_;         // the current segment's
  std::unique_ptr<base::File> file_;
  std::optional<SegmentScan> scan_;
  Lsn position_{};
  Lsn end_{};
  Timestamp newest_{};
  std::uint64_t torn_tail_bytes_ = 0;
  bool finished_ = false;
  Status failure_;
};

Status Reader::begin(Lsn start) {
  Result<std::vector<std::string>> names = options_.file_system->list(options_.directory);
  if (!names.ok()) return std::move(names).status();
  for (const std::string& name : *names) {
    if (const std::optional<Lsn> found = parse_segment_name(name)) starts_.push_back(*found);
  }
  end_ = start;
  position_ = start;

  const auto after = std::upper_bound(starts_.begin(), starts_.end(), start);
  if (after == starts_.begin()) {
    return Status(StatusCode::corruption, options_.directory + ": no segment holds " + text_of(start) +
                                              ", from where on the log is needed");
  }
  const Lsn segment_start = *(after - 1);
  const Result<bool> entered = enter(segment_start);
  if (!entered.ok()) return entered.status();
  if (finished_) return Status();  // its header is damaged, and it begins at `start`
  if (!*entered || scan_->end() < start) {
    return Status(
        StatusCode::corruption,
        (*entered ? options_.directory : segment_path(options_.directory, segment_start)) +
            (*entered ? ": no segment holds " : " at offset 0: a damaged header in the segment that holds ") +
            text_of(start) + ", from where on the log is needed");
  }
  position_ = std::max(start, scan_->first_unit());
  return Status();
}

// Opens the segment that begins at `start`. False if that is the end of the log, or, where reading begins in
// the middle of it, its header is damaged.
Result<bool> Reader::enter(Lsn start) {
  scan_.reset();
  path_ = segment_path(options_.directory, start);
  const bool expected_at_start = position_ == start;
  if (!std::binary_search(starts_.begin(), starts_.end(), start)) {
    return finish({start, path_ + ": expected a segment, found no such file"});
  }
  Result<std::unique_ptr<base::File>> file = options_.file_system->open(path_, base::OpenMode::read_only);
  if (!file.ok()) return std::move(file).status();
  file_ = std::move(*file);

  SegmentHeader header;
  const Result<SegmentHeaderState> state = read_segment_header(*file_, start, options_.database_id, header);
  if (!state.ok()) return state.status();
  switch (*state) {
    case SegmentHeaderState::valid:
      scan_.emplace(*file_, start, header.size_bytes, options_.database_id);
      return true;
    case SegmentHeaderState::damaged:
    case SegmentHeaderState::other_start:
      if (!expected_at_start) return false;
      return finish({start,
                     at_offset(path_, 0) + ": expected the header of a segment from " + text_of(start) +
                         " on, found " +
                         (*state == SegmentHeaderState::damaged ? std::string("a damaged one")
                                                                : "one for " + text_of(header.start)),
                     true});
    case SegmentHeaderState::other_database:
    case SegmentHeaderState::other_version:
      return foreign_segment(path_, *state, header, options_.database_id);
  }
  return Status(StatusCode::internal, "an unknown header state");
}

Result<bool> Reader::next(Unit& unit) {
  if (!failure_.ok()) return failure_;
  while (!finished_) {
    if (!scan_->has_room(position_)) {
      position_ = scan_->end();
      const Result<bool> entered = enter(position_);
      if (!entered.ok()) return failure_ = entered.status();
      if (!*entered) return false;
      position_ = scan_->first_unit();
      continue;
    }
    UnitHeader header;
    const Result<UnitFault> fault = scan_->unit_at(position_, header, unit);
    if (!fault.ok()) return failure_ = fault.status();
    if (*fault != UnitFault::none) {
      const std::uint64_t offset = scan_->offset_of(position_);
      const Result<bool> more =
          finish({position_, at_offset(path_, offset) + ": expected a unit for " + text_of(position_) +
                                 ", found bytes that are none: " + std::string(to_string(*fault)) +
                                 " (LSN field " + std::to_string(raw(header.lsn)) + ", size field " +
                                 std::to_string(header.size_bytes) + ")"});
      if (!more.ok()) return failure_ = more.status();
      return false;
    }
    position_ = unit.end;
    end_ = unit.end;
    if (unit.kind == UnitKind::mark || unit.kind == UnitKind::pad) continue;
    if (Status status = check_order(unit); !status.ok()) return failure_ = std::move(status);
    return true;
  }
  return false;
}

Status Reader::check_order(const Unit& unit) {
  if (unit.kind == UnitKind::part) return Status();
  if (unit.timestamp <= newest_) {
    return Status(StatusCode::corruption,
                  at_offset(path_, scan_->offset_of(unit.lsn)) + ": expected a commit timestamp above " +
                      std::to_string(raw(newest_)) + ", found " + std::to_string(raw(unit.timestamp)));
  }
  newest_ = unit.timestamp;
  return Status();
}

// Ends the log at `end_`, where nothing proves that a unit stood at the stop. Otherwise `corruption`.
Result<bool> Reader::finish(const Stop& stop) {
  if (options_.synced_at_least > stop.position) {
    return Status(StatusCode::corruption,
                  stop.text + "; the log was durable up to " + text_of(options_.synced_at_least));
  }
  Proof proof{.text = {}, .claims_end = end_};
  TRY(search(stop, proof));
  if (!proof.text.empty()) return Status(StatusCode::corruption, stop.text + "; " + proof.text);
  torn_tail_bytes_ = distance(end_, proof.claims_end);
  finished_ = true;
  return false;
}

// Looks through the rest of the current segment and through all later ones.
Status Reader::search(const Stop& stop, Proof& proof) {
  if (scan_) TRY(search_segment(*scan_, path_, stop.position, stop, proof));
  const auto first = scan_ ? std::lower_bound(starts_.begin(), starts_.end(), scan_->end())
                           : std::lower_bound(starts_.begin(), starts_.end(), stop.position);
  for (auto start = first; start != starts_.end() && proof.text.empty(); ++start) {
    const std::string path = segment_path(options_.directory, *start);
    Result<std::unique_ptr<base::File>> file = options_.file_system->open(path, base::OpenMode::read_only);
    if (!file.ok()) return std::move(file).status();
    const Result<std::uint64_t> size = (*file)->size();
    if (!size.ok()) return size.status();
    SegmentHeader header;
    const Result<SegmentHeaderState> state =
        read_segment_header(**file, *start, options_.database_id, header);
    if (!state.ok()) return state.status();
    const std::uint64_t size_bytes = *state == SegmentHeaderState::valid ? header.size_bytes : *size;
    if (size_bytes <= kSegmentHeaderBytes || size_bytes > kSegmentBytesLimit ||
        raw(*start) > UINT64_MAX - kSegmentBytesLimit) {
      continue;
    }
    SegmentScan scan(**file, *start, size_bytes, options_.database_id);
    TRY(search_segment(scan, path, scan.first_unit(), stop, proof));
  }
  return Status();
}

Status Reader::search_segment(SegmentScan& scan, const std::string& path, Lsn from, const Stop& stop,
                              Proof& proof) {
  while (proof.text.empty()) {
    const Result<Lsn> claim = scan.find_claim(from);
    if (!claim.ok()) return claim.status();
    if (*claim == scan.end()) return Status();
    from = advance(*claim, 1);
    proof.claims_end = std::max(proof.claims_end, advance(*claim, kUnitHeaderBytes));

    UnitHeader header;
    Unit unit;
    const Result<UnitFault> fault = scan.unit_at(*claim, header, unit);
    if (!fault.ok()) return fault.status();
    if (*fault == UnitFault::crc)
      proof.claims_end = std::max(proof.claims_end, advance(*claim, header.size_bytes));
    if (*fault != UnitFault::none) continue;
    from = unit.end;
    proof.claims_end = std::max(proof.claims_end, unit.end);
    const std::string where = at_offset(path, scan.offset_of(unit.lsn));
    if (unit.kind == UnitKind::mark && raw(unit.timestamp) > raw(stop.position)) {
      proof.text = "the mark in " + where + " proves that the log was durable up to LSN " +
                   std::to_string(raw(unit.timestamp));
    } else if (stop.header_damaged && scan.first_unit() == advance(stop.position, kSegmentHeaderBytes)) {
      // Invariant 1 of segment.h: the header was on stable storage before any unit was written.
      proof.text = "the unit in " + where + " proves that the header was written";
    }
  }
  return Status();
}

}  // namespace

Result<std::unique_ptr<LogReader>> LogReader::open(const LogReaderOptions& options, Lsn start) {
  CHECK(options.file_system != nullptr, "a reader has a file system");
  auto reader = std::make_unique<Reader>(options);
  TRY(reader->begin(start));
  return std::unique_ptr<LogReader>(std::move(reader));
}

}  // namespace isolith::wal

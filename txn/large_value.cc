// Large values: built in page chains before a row refers to them, grown by `append`, given back.
//
// A chain that no row refers to is the transaction's `pending_chain`: a checkpoint saves it with the undo, so
// that a crash does not lose its pages.
#include <algorithm>
#include <array>
#include <memory>

#include "base/check.h"
#include "txn/change.h"
#include "txn/core.h"

namespace isolith::txn {

using btree::ChainReference;
using btree::ChainWriter;
using btree::RowFlags;

Status Core::append_pieces(TransactionState& state, ChainWriter& writer, std::string_view value) {
  while (!value.empty()) {
    const std::string_view piece = value.substr(0, btree::kChainPieceBytes);
    const GateHold inside(gate_, state);
    const bool first = writer.reference().first == kNoPage;
    const Status status = writer.append(piece);
    if (first) state.pending_chain = writer.reference().first;
    TRY(status);
    value.remove_prefix(piece.size());
  }
  return {};
}

Status Core::store_large(TransactionState& state, std::string_view value, ChainReference& reference) {
  ChainWriter writer(*cache_, next_stamp());
  const Status status = append_pieces(state, writer, value);
  reference = writer.reference();
  if (!status.ok() && state.pending_chain != kNoPage) drop_pending_chain(state, state.pending_chain);
  return status;
}

// Frees what a failed call leaves behind. Where even that fails writing stops, so that no checkpoint keeps
// pages that nothing refers to.
void Core::drop_pending_chain(TransactionState& state, PageId first) {
  const std::lock_guard turn(collect_mutex_);
  const GateHold inside(gate_, state);
  state.pending_chain = kNoPage;
  if (const Status status = free_chain_pages(first); !status.ok()) fail_writing(status);
}

Status Core::free_chain_pages(PageId first) {
  while (first != kNoPage) TRY(btree::free_chain(*cache_, first, 64));
  return {};
}

// A chain of its own with the same bytes, for a transaction that must keep the old one.
Status Core::copy_chain(TransactionState& state, const ChainReference& from, ChainWriter& writer) {
  const auto buffer = std::make_unique<std::array<char, btree::kChainPieceBytes>>();
  for (std::uint64_t offset = 0; offset < from.size; offset += buffer->size()) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(buffer->size(), from.size - offset));
    Status failure;
    const pages::Step step = btree::read_chain(*cache_, from, offset, buffer->data(), size, failure);
    if (step == pages::Step::failed) return failure;
    CHECK(step == pages::Step::ok, "a transaction's own value stays");
    TRY(append_pieces(state, writer, std::string_view(buffer->data(), size)));
  }
  return {};
}

// The value of `key` is this transaction's, in a chain: `piece` goes behind it. In place, unless a savepoint
// may ask for the shorter one again.
Status Core::grow_large(TransactionState& state, const TableInfo& table, std::string_view key,
                        const Found& found, std::string_view piece) {
  const bool in_place = state.savepoints.empty();
  Status status;
  if (!in_place || !state.tail || state.tail->reference().stamp != found.chain.stamp ||
      state.tail->reference().size != found.chain.size) {
    state.tail.emplace(*cache_, next_stamp());
    status = in_place ? ChainWriter::resume(*cache_, found.chain, *state.tail)
                      : copy_chain(state, found.chain, *state.tail);
  }
  if (status.ok()) status = append_pieces(state, *state.tail, piece);
  if (status.ok()) {
    char bytes[btree::kChainReferenceBytes];
    btree::store_reference(bytes, state.tail->reference());
    Change change(table, key, in_place ? WriteKind::grow : WriteKind::put,
                  std::string_view(bytes, sizeof bytes));
    change.flags = RowFlags::large;
    status = apply(state, change);
  }
  if (!status.ok()) {
    state.tail.reset();
    if (state.pending_chain != kNoPage) drop_pending_chain(state, state.pending_chain);
    // A part of the piece may be in the value's own chain: the transaction is over.
    if (in_place && state.phase == Phase::active) (void)abort(state).ok();
  }
  return status;
}

Status Core::append(TransactionState& state, const Table& handle, std::string_view key,
                    std::string_view piece) {
  TRY(check_active(state));
  Status status;
  const TableInfo* table = find_table(state, handle, status);
  if (table == nullptr) return status;
  TRY(check_writable(state));
  TRY(check_key(key));
  std::string value;
  Found found;
  TRY(find_row(state, *table, key, value, found));
  const bool own = state.undo != nullptr && found.exists && found.writer == state.own_id() && !found.locked;
  if (!own)
    return {StatusCode::invalid_argument,
            "append continues a value that this transaction has put; put it first"};
  const std::uint64_t size = found.large ? found.chain.size : value.size();
  if (size + piece.size() > kMaxValueBytes)
    return {StatusCode::too_large, "the value would have more than 4 GiB"};
  if (found.large) {
    TRY(grow_large(state, *table, key, found, piece));
  } else {
    value.append(piece);
    TRY(write_row(state, *table, key, WriteKind::put, value));
  }
  for (std::string_view rest = piece; !rest.empty();) {
    const std::string_view part = rest.substr(0, btree::kChainPieceBytes);
    TRY(log_operation(state, {wal::OperationKind::append, table->id, key, part}));
    rest.remove_prefix(part.size());
  }
  return {};
}

}  // namespace isolith::txn

#include "tools/demo_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <utility>

#include "tools/escape.h"

namespace isolith::tools {
namespace {

class Checker {
 public:
  Checker(Database& database, DemoData& data, const std::vector<std::uint64_t>& last_acknowledged)
      : database_(database), data_(data), last_acknowledged_(last_acknowledged) {}

  Result<DemoFindings> check() {
    const std::uint64_t loaded_total = total_of_loaded();
    const std::uint64_t categories_total = data_.tables[DemoTableIndex::categories].total();
    if (Status status = check_journal(); !status.ok()) return status;
    for (std::size_t index = 0; index < kDemoTables; ++index) {
      if (Status status = check_table(index); !status.ok()) return status;
    }
    compare_total("the loaded tables", findings_.loaded_total, loaded_total);
    compare_total("categories", findings_.categories_total, categories_total);
    Result<VerifyReport> verify = database_.verify();
    if (!verify.ok()) return verify.status();
    findings_.verify = *std::move(verify);
    return std::move(findings_);
  }

 private:
  static void note(std::vector<std::string>& problems, std::string problem) {
    constexpr std::size_t kNoted = 5;
    if (problems.size() < kNoted) problems.push_back(std::move(problem));
  }

  std::uint64_t total_of_loaded() const {
    return std::accumulate(data_.tables.begin(), data_.tables.begin() + kLoadedTables, std::uint64_t{0},
                           [](std::uint64_t sum, const DemoTable& table) { return sum + table.total(); });
  }

  void compare_total(std::string_view where, std::uint64_t found, std::uint64_t expected) {
    if (found == expected) return;
    note(findings_.total_problems, fmt::format("the total of {} is {}, not {}", where, found, expected));
  }

  Status check_journal();
  void check_sequence(const DemoJournalKey& key, std::vector<std::uint64_t>& last);
  void apply(const std::vector<DemoMove>& moves, std::string_view journal_key);
  Status check_table(std::size_t index);
  void check_row(const DemoRow& expected, std::string_view value, std::size_t index);

  Database& database_;
  DemoData& data_;
  const std::vector<std::uint64_t>& last_acknowledged_;
  DemoFindings findings_;
};

Status Checker::check_journal() {
  const Result<Table> table = database_.open_table(kJournalTable);
  if (!table.ok()) return table.status();
  Result<Transaction> transaction = database_.begin();
  if (!transaction.ok()) return transaction.status();
  Result<Cursor> cursor = transaction->cursor(*table);
  if (!cursor.ok()) return cursor.status();

  std::vector<std::uint64_t> last(last_acknowledged_.size(), 0);
  std::vector<DemoMove> moves;
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    findings_.journal_rows += 1;
    DemoJournalKey key;
    if (!decode_journal_key(cursor->key(), key) || key.writer >= last.size() ||
        !decode_journal_value(cursor->value(), moves)) {
      note(findings_.journal_problems, fmt::format("journal row {} is unreadable", quote(cursor->key())));
      continue;
    }
    check_sequence(key, last);
    apply(moves, cursor->key());
  }
  if (!cursor->status().ok()) return cursor->status();

  for (std::size_t writer = 0; writer < last.size(); ++writer) {
    const std::uint64_t acknowledged = last_acknowledged_[writer];
    if (last[writer] < acknowledged) {
      note(findings_.journal_problems,
           fmt::format("writer {} was told that commit {} is durable, and its last is {}", writer,
                       acknowledged, last[writer]));
    } else if (last[writer] > acknowledged + 1) {
      note(findings_.journal_problems, fmt::format("writer {} has commit {}, but ended during {}", writer,
                                                   last[writer], acknowledged + 1));
    }
  }
  return {};
}

void Checker::check_sequence(const DemoJournalKey& key, std::vector<std::uint64_t>& last) {
  if (key.sequence != last[key.writer] + 1) {
    note(findings_.journal_problems,
         fmt::format("commit {} of writer {} comes after {}", key.sequence, key.writer, last[key.writer]));
  }
  last[key.writer] = key.sequence;
  const bool acknowledged = key.sequence <= last_acknowledged_[key.writer];
  (acknowledged ? findings_.acknowledged_found : findings_.later_commits) += 1;
}

// Counts may pass below zero here, since the journal lies by writer and not in the order of the commits: they
// wrap, and wrap back.
void Checker::apply(const std::vector<DemoMove>& moves, std::string_view journal_key) {
  for (const DemoMove& move : moves) {
    DemoTable* from_table = data_.find(move.from_table);
    DemoTable* to_table = data_.find(move.to_table);
    DemoRow* from = from_table == nullptr ? nullptr : from_table->find(move.from_key);
    DemoRow* to = to_table == nullptr ? nullptr : to_table->find(move.to_key);
    if (from == nullptr || to == nullptr) {
      note(findings_.journal_problems,
           fmt::format("journal row {} names an unknown row", quote(journal_key)));
      continue;
    }
    from->count -= move.amount;
    to->count += move.amount;
  }
}

// Walks the stored table and the expected rows side by side.
Status Checker::check_table(std::size_t index) {
  const DemoTable& expected = data_.tables[index];
  const Result<Table> table = database_.open_table(expected.name);
  if (!table.ok()) return table.status();
  Result<Transaction> transaction = database_.begin();
  if (!transaction.ok()) return transaction.status();
  Result<Cursor> cursor = transaction->cursor(*table);
  if (!cursor.ok()) return cursor.status();

  cursor->seek_first();
  auto row = expected.rows.begin();
  while (cursor->valid() || row != expected.rows.end()) {
    const bool missing = !cursor->valid() || (row != expected.rows.end() && row->key < cursor->key());
    if (missing) {
      if (!cursor->status().ok()) return cursor->status();
      note(findings_.row_problems, fmt::format("{} has lost {}", expected.name, quote(row->key)));
      ++row;
      continue;
    }
    if (row == expected.rows.end() || cursor->key() < row->key) {
      note(findings_.row_problems,
           fmt::format("{} has {}, which nobody put there", expected.name, quote(cursor->key())));
    } else {
      check_row(*row, cursor->value(), index);
      ++row;
    }
    cursor->next();
  }
  return cursor->status();
}

void Checker::check_row(const DemoRow& expected, std::string_view value, std::size_t index) {
  findings_.rows_compared += 1;
  std::uint64_t count = 0;
  std::string_view text;
  const std::string where = fmt::format("{} in {}", quote(expected.key), data_.tables[index].name);
  if (!decode_demo_value(value, count, text)) {
    note(findings_.row_problems, fmt::format("{} has no count: {}", where, quote(value)));
    return;
  }
  (index < kLoadedTables ? findings_.loaded_total : findings_.categories_total) += count;
  if (text != expected.text) note(findings_.row_problems, fmt::format("{} has another text", where));
  if (count != expected.count) {
    note(findings_.row_problems,
         fmt::format("{} counts {}, and the journal makes it {}", where, count, expected.count));
  }
}

}  // namespace

Result<DemoFindings> check_demo(Database& database, DemoData& data,
                                const std::vector<std::uint64_t>& last_acknowledged) {
  return Checker(database, data, last_acknowledged).check();
}

}  // namespace isolith::tools

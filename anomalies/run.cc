// Names of transactions, and when two runs are the same to those who took part.
#include "anomalies/run.h"

#include <algorithm>
#include <array>

namespace isolith::anomalies {
namespace {

std::string ordinal(std::size_t number) {
  static constexpr std::array kWords = {"first", "second",  "third",  "fourth", "fifth",
                                        "sixth", "seventh", "eighth", "ninth",  "tenth"};
  return number <= kWords.size() ? kWords[number - 1] : "number " + std::to_string(number);
}

const Operation* find_operation(const Run& run, std::uint32_t session, std::uint32_t step) {
  for (const Operation& operation : run.operations) {
    if (operation.session == session && operation.step == step) return &operation;
  }
  return nullptr;
}

bool same_rows(const std::vector<Row>& left, const std::vector<Row>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const Row& a, const Row& b) { return a.key == b.key && a.value == b.value; });
}

// What the session learned from a step.
bool same_answer(const Operation& left, const Operation& right) {
  return left.end == right.end && left.status.code() == right.status.code() && left.result == right.result &&
         same_rows(left.rows, right.rows);
}

}  // namespace

std::string transaction_name(const Scenario& scenario, const Run& run, std::uint32_t transaction) {
  const std::uint32_t session = run.transactions[transaction].session;
  const std::string& name = scenario.sessions[session].name;
  std::size_t count = 0;
  std::size_t number = 0;
  for (std::uint32_t i = 0; i < run.transactions.size(); ++i) {
    if (run.transactions[i].session != session) continue;
    ++count;
    if (i == transaction) number = count;
  }
  return count == 1 ? name : name + "'s " + ordinal(number);
}

bool same_outcome(const Run& left, const Run& right) {
  for (std::uint32_t i = 0; i < left.transactions.size(); ++i) {
    if (left.committed(i) != right.committed(i)) return false;
  }
  for (const Operation& operation : left.operations) {
    if (!left.committed(operation.transaction)) continue;
    const Operation* other = find_operation(right, operation.session, operation.step);
    if (other == nullptr || !same_answer(operation, *other)) return false;
  }
  return std::equal(left.tables.begin(), left.tables.end(), right.tables.begin(), right.tables.end(),
                    same_rows);
}

}  // namespace isolith::anomalies

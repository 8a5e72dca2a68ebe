#include <isolith/isolith.h>

#include <iostream>

int main() {
  auto database = isolith::Database::open("quickstart.isolith");
  if (!database.ok()) return std::cerr << database.status().to_string() << '\n', 1;
  auto accounts = database->ensure_table("accounts");
  if (!accounts.ok()) return std::cerr << accounts.status().to_string() << '\n', 1;

  auto status = isolith::run_transaction(*database, [&](isolith::Transaction& transaction) {
    auto alice = transaction.get_for_update(*accounts, "alice");  // at first: not_found
    auto put = transaction.put(*accounts, "alice", alice.ok() ? *alice + "+100" : "100");
    return put.ok() ? transaction.put(*accounts, "bob", "250") : put;
  });  // committed and on stable storage, or nothing of it
  if (!status.ok()) return std::cerr << status.to_string() << '\n', 1;

  auto reader = *database->begin();
  auto rows = *reader.cursor(*accounts);
  for (rows.seek_first(); rows.valid(); rows.next()) std::cout << rows.key() << " = " << rows.value() << '\n';
  return rows.status().ok() ? 0 : 1;
}

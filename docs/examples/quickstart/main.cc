#include <isolith/isolith.h>

#include <iostream>

isolith::Status run(isolith::Database& database) {
  auto accounts = database.ensure_table("accounts");
  if (!accounts.ok()) return accounts.status();

  auto status = isolith::run_transaction(database, [&](isolith::Transaction& transaction) {
    auto alice = transaction.get_for_update(*accounts, "alice");  // at first: not_found
    auto put = transaction.put(*accounts, "alice", alice.ok() ? *alice + "+100" : "100");
    if (!put.ok()) return put;
    return transaction.put(*accounts, "bob", "250");
  });  // committed and on stable storage, or nothing of it
  if (!status.ok()) return status;

  auto reader = database.begin();
  if (!reader.ok()) return reader.status();
  auto rows = reader->cursor(*accounts);
  if (!rows.ok()) return rows.status();
  for (rows->seek_first(); rows->valid(); rows->next()) {
    std::cout << rows->key() << " = " << rows->value() << '\n';
  }
  return rows->status();
}

int main() {
  auto database = isolith::Database::open("quickstart.isolith");
  const isolith::Status status = database.ok() ? run(*database) : database.status();
  if (!status.ok()) std::cerr << status.to_string() << '\n';
  return status.ok() ? 0 : 1;
}

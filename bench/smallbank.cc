// smallbank: SmallBank, five programs of a bank in which each customer has a savings and a checking account.
// All five are as likely, and customers are drawn uniformly: of 100,000, where few meet, and of 100.
//
// M. Alomari, M. Cahill, A. Fekete, U. Röhm, "The Cost of Serializability on Platforms That Use Snapshot
// Isolation", ICDE 2008.
//
//   Balance(N)             reads both accounts
//   DepositChecking(N, V)  adds V to checking
//   TransactSavings(N, V)  adds V, which may be negative, to savings; rolls back where less than 0 would be
//   left Amalgamate(N1, N2)     moves all that N1 has to checking of N2 WriteCheck(N, V)       takes V from
//   checking, and 1 more where both accounts together have less than V
//
// Two things are checked at the end of each run:
//   1. The sum of all balances has grown by what the committed programs put in and took out.
//   2. No Balance saw a change of savings that a WriteCheck had not seen, without seeing that WriteCheck: the
//      check comes before the change, and the change before the Balance. At `snapshot` this happens (the
//      read-only anomaly), and each such WriteCheck counts as one. For this a row has, beside its balance,
//      how often it was changed, and whoever reads both accounts of a customer writes down what it saw.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <tuple>

#include "bench/levels.h"

namespace isolith::bench {
namespace {

constexpr std::int64_t kFirstBalance = 1000;
constexpr std::uint64_t kAmountMax = 100;
constexpr std::int64_t kPenalty = 1;

struct Account {
  std::int64_t balance = 0;
  std::uint64_t changes = 0;
};

std::string_view bytes_of(const Account& account) noexcept {
  return {reinterpret_cast<const char*>(&account), sizeof account};
}

Account account_in(std::string_view bytes) {
  Account account;
  require(bytes.size() == sizeof account, "a row is an account");
  std::memcpy(&account, bytes.data(), sizeof account);
  return account;
}

// What a committed program saw of a customer; `changes_checking`: and then changed that account.
struct Seen {
  std::uint64_t customer = 0;
  std::uint64_t checking = 0;  // changes of it
  std::uint64_t savings = 0;
  bool changes_checking = false;
};

// Of those who changed checking, how many come before somebody who saw a later savings account and yet not
// what they did.
std::uint64_t count_anomalies(std::vector<Seen> seen) {
  const auto place = [](const Seen& one) { return std::tuple(one.customer, one.checking); };
  std::sort(seen.begin(), seen.end(), [&](const Seen& a, const Seen& b) { return place(a) < place(b); });
  std::uint64_t anomalies = 0;
  std::uint64_t newest_savings = 0;  // seen by those of the customer who saw no more of checking
  for (auto same = seen.begin(); same != seen.end();) {
    const auto end =
        std::find_if(same, seen.end(), [&](const Seen& one) { return place(one) != place(*same); });
    if (same == seen.begin() || std::prev(same)->customer != same->customer) newest_savings = 0;
    for (auto one = same; one != end; ++one) newest_savings = std::max(newest_savings, one->savings);
    anomalies += static_cast<std::uint64_t>(std::count_if(
        same, end, [&](const Seen& one) { return one.changes_checking && one.savings < newest_savings; }));
    same = end;
  }
  return anomalies;
}

// What all threads of a run did to the bank.
struct Ledger {
  std::int64_t money = 0;  // put in, less what was taken out
  std::vector<Seen> seen;
};

class Bank {
 public:
  Bank(const LevelOptions& options, std::uint64_t customers)
      : options_(options),
        database_(options.place),
        accounts_(*database_->ensure_table("account")),
        savings_(*database_->ensure_table("savings")),
        checking_(*database_->ensure_table("checking")),
        names_(customers, KeyKind::hex, true),
        ids_(customers, KeyKind::decimal, false) {
    constexpr std::uint64_t kCustomersEach = 1000;
    const Account first{kFirstBalance, 0};
    for (std::uint64_t n = 0; n < customers;) {
      Result<Transaction> transaction = database_->begin(Isolation::snapshot);
      require_ok(transaction.status(), "beginning to load");
      for (std::uint64_t i = 0; i < kCustomersEach && n < customers; ++i, ++n) {
        require_ok(transaction->put(accounts_, names_.at(n), ids_.at(n)), "loading a customer");
        require_ok(transaction->put(savings_, ids_.at(n), bytes_of(first)), "loading savings");
        require_ok(transaction->put(checking_, ids_.at(n), bytes_of(first)), "loading checking");
      }
      require_ok(transaction->commit(), "loading");
    }
  }

  Run run(Isolation level, int threads, int round);

  std::int64_t sum() {
    TransactionOptions how(Isolation::snapshot);
    how.read_only = true;
    Result<Transaction> transaction = database_->begin(how);
    require_ok(transaction.status(), "beginning to add up");
    std::int64_t total = 0;
    for (const Table& table : {savings_, checking_}) {
      Result<Cursor> cursor = transaction->cursor(table);
      require_ok(cursor.status(), "adding up");
      for (cursor->seek_first(); cursor->valid(); cursor->next())
        total += account_in(cursor->value()).balance;
      require_ok(cursor->status(), "adding up");
    }
    return total;
  }

 private:
  friend class Teller;

  const LevelOptions& options_;
  PlacedDatabase database_;
  Table accounts_;
  Table savings_;
  Table checking_;
  Keys names_;
  Keys ids_;
};

// One thread of a run. A program changes what it will write down anew each time that it is attempted.
class Teller {
 public:
  Teller(Bank& bank, Isolation level, Dice dice) : bank_(bank), dice_(dice), balance_(level), other_(level) {
    balance_.read_only = !bank.options_.undeclared;
  }

  Counts work(const std::atomic<bool>& stop, Ledger& ledger) {
    Counts counts;
    while (!stop.load(std::memory_order_relaxed)) {
      const std::uint64_t program = dice_.below(5);
      customer_ = dice_.below(bank_.names_.count());
      payee_ = (customer_ + 1 + dice_.below(bank_.names_.count() - 1)) % bank_.names_.count();
      amount_ = static_cast<std::int64_t>(dice_.below(kAmountMax)) + 1;
      if (program == 2 && dice_.below(2) == 0) amount_ = -amount_;
      const bool committed = commit_one(*bank_.database_, program == 0 ? balance_ : other_, stop, counts,
                                        [&](Transaction& transaction) {
                                          money_ = 0;
                                          has_seen_ = false;
                                          return (this->*kPrograms[program])(transaction);
                                        });
      if (!committed) continue;
      ledger.money += money_;
      if (has_seen_) ledger.seen.push_back(seen_);
    }
    return counts;
  }

 private:
  using Program = Status (Teller::*)(Transaction&);

  Status balance(Transaction& transaction) {
    Account savings;
    Account checking;
    return read_both(transaction, false, savings, checking);
  }

  Status deposit_checking(Transaction& transaction) {
    return add(transaction, bank_.checking_, customer_, amount_);
  }

  Status transact_savings(Transaction& transaction) {
    return add(transaction, bank_.savings_, customer_, amount_);
  }

  Status amalgamate(Transaction& transaction) {
    Account savings;
    Account checking;
    Status status = read_both(transaction, true, savings, checking);
    const std::int64_t all = savings.balance + checking.balance;
    if (status.ok()) status = write(transaction, bank_.savings_, savings, -savings.balance);
    if (status.ok()) status = write(transaction, bank_.checking_, checking, -checking.balance);
    if (status.ok()) status = add(transaction, bank_.checking_, payee_, all);
    return status;
  }

  Status write_check(Transaction& transaction) {
    Account savings;
    Account checking;
    Status status = read_both(transaction, true, savings, checking);
    if (!status.ok()) return status;
    const bool is_overdrawn = savings.balance + checking.balance < amount_;
    return write(transaction, bank_.checking_, checking, -amount_ - (is_overdrawn ? kPenalty : 0));
  }

  // ---- the parts that programs are made of ----

  // From a customer's name to the key of the accounts, in `id_`.
  Status find(Transaction& transaction, std::uint64_t customer) {
    const Status status = transaction.get(bank_.accounts_, bank_.names_.at(customer), id_);
    require(!status.is(StatusCode::not_found), "a customer is known");
    return status;
  }

  Status read(Transaction& transaction, const Table& table, bool will_write, Account& account) {
    const Status status = will_write && bank_.options_.for_update
                              ? transaction.get_for_update(table, id_, row_)
                              : transaction.get(table, id_, row_);
    if (status.ok()) account = account_in(row_);
    require(!status.is(StatusCode::not_found), "an account is there");
    return status;
  }

  Status read_both(Transaction& transaction, bool will_write, Account& savings, Account& checking) {
    Status status = find(transaction, customer_);
    if (status.ok()) status = read(transaction, bank_.savings_, false, savings);
    if (status.ok()) status = read(transaction, bank_.checking_, will_write, checking);
    has_seen_ = true;
    seen_ = {customer_, checking.changes, savings.changes, will_write};
    return status;
  }

  Status write(Transaction& transaction, const Table& table, Account account, std::int64_t amount) {
    account.balance += amount;
    ++account.changes;
    money_ += amount;
    return transaction.put(table, id_, bytes_of(account));
  }

  Status add(Transaction& transaction, const Table& table, std::uint64_t customer, std::int64_t amount) {
    Account account;
    Status status = find(transaction, customer);
    if (status.ok()) status = read(transaction, table, true, account);
    if (!status.ok()) return status;
    if (table == bank_.savings_ && account.balance + amount < 0) {
      status = transaction.abort();
      return status.ok() ? Status(StatusCode::aborted) : status;
    }
    return write(transaction, table, account, amount);
  }

  static constexpr std::array<Program, 5> kPrograms = {&Teller::balance, &Teller::deposit_checking,
                                                       &Teller::transact_savings, &Teller::amalgamate,
                                                       &Teller::write_check};

  Bank& bank_;
  Dice dice_;
  TransactionOptions balance_;
  TransactionOptions other_;
  std::uint64_t customer_ = 0;
  std::uint64_t payee_ = 0;
  std::int64_t amount_ = 0;
  std::int64_t money_ = 0;
  bool has_seen_ = false;
  Seen seen_;
  std::string id_;
  std::string row_;
};

Run Bank::run(Isolation level, int threads, int round) {
  const std::int64_t before = sum();
  std::mutex mutex;
  Ledger all;
  Run run = run_threads(threads, options_.seconds, [&](int thread, const std::atomic<bool>& stop) {
    Ledger own;
    const Counts counts = Teller(*this, level, Dice(options_.seed, round, thread)).work(stop, own);
    const std::lock_guard lock(mutex);
    all.money += own.money;
    all.seen.insert(all.seen.end(), own.seen.begin(), own.seen.end());
    return counts;
  });
  run.anomalies = count_anomalies(std::move(all.seen));
  const std::int64_t grown = sum() - before;
  if (grown != all.money) {
    run.broken = "grown by " + std::to_string(grown) + ", programs put in " + std::to_string(all.money);
  }
  return run;
}

int run(int count, char** arguments) {
  LevelOptions options;
  std::vector<std::uint64_t> customers = {100'000, 100};
  CLI::App app("SmallBank: five programs of a bank, level by level");
  options.add_to(app);
  app.add_option("--customers", customers, "how many customers, one table each, with commas between")
      ->delimiter(',')
      ->check(CLI::Range(2, 100'000'000))
      ->capture_default_str();
  CLI11_PARSE(app, count, arguments);

  bool kept = true;
  for (const std::uint64_t size : customers) {
    for (const int threads : options.threads) {
      Bank bank(options, size);
      const std::string title = "SmallBank: " + std::to_string(size) + " customers, " +
                                std::to_string(threads) + " threads, Balance " +
                                (options.undeclared ? "undeclared" : "read-only");
      kept = compare_levels(options, title,
                            [&](Isolation level, int round) { return bank.run(level, threads, round); }) &&
             kept;
    }
  }
  return kept ? 0 : 1;
}

}  // namespace
}  // namespace isolith::bench

int main(int argc, char** argv) { return isolith::bench::run(argc, argv); }

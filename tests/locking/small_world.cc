#include "tests/locking/small_world.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace isolith::testing {
namespace {

using Rows = std::map<std::string, std::string>;
using Kind = WorldStep::Kind;

const Rows kFirstRows = {{"a", "a0"}, {"c", "c0"}};
const std::vector<std::string> kKeys = {"a", "b", "c"};

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::get:
      return "get";
    case Kind::put:
      return "put";
    case Kind::insert:
      return "insert";
    case Kind::erase:
      return "erase";
    case Kind::scan:
      return "scan";
    case Kind::scan_back:
      return "scan_back";
    case Kind::get_for_update:
      return "get_for_update";
    case Kind::get_for_share:
      return "get_for_share";
  }
  return "";
}

bool only_reads(Kind kind) {
  return kind == Kind::get || kind == Kind::scan || kind == Kind::scan_back || kind == Kind::get_for_share;
}

// What a step writes tells who wrote it.
std::string value_of(std::size_t transaction, std::size_t step) {
  return "t" + std::to_string(transaction) + "." + std::to_string(step);
}

std::uint64_t version_of(std::size_t transaction, std::size_t step) { return transaction * 16 + step + 1; }

// Of a value; first rows are no one's.
std::uint64_t version_of(std::string_view value) {
  if (value.front() != 't') return kFirstVersion;
  const std::size_t dot = value.find('.');
  return version_of(static_cast<std::size_t>(value[1] - '0'), static_cast<std::size_t>(value[dot + 1] - '0'));
}

std::uint32_t number_of(std::string_view key) { return static_cast<std::uint32_t>(key.front() - 'a'); }

std::string play_on_map(const WorldStep& step, const std::string& value, Rows& rows) {
  const auto at = rows.find(step.key);
  switch (step.kind) {
    case Kind::get:
    case Kind::get_for_update:
    case Kind::get_for_share:
      return at == rows.end() ? "-" : at->second;
    case Kind::put:
      rows[step.key] = value;
      return "";
    case Kind::insert:
      if (at != rows.end()) return "there";
      rows[step.key] = value;
      return "done";
    case Kind::erase:
      if (at == rows.end()) return "not there";
      rows.erase(at);
      return "done";
    case Kind::scan:
    case Kind::scan_back:
      break;
  }
  std::vector<std::string> found;
  for (const auto& [key, stored] : rows) {
    if (key >= step.key && (!step.hi || key < *step.hi)) found.push_back(key + "=" + stored + " ");
  }
  if (step.kind == Kind::scan_back) std::reverse(found.begin(), found.end());
  if (found.size() > step.rows_max) found.resize(step.rows_max);
  return std::accumulate(found.begin(), found.end(), std::string());
}

}  // namespace

std::string to_string(const World& world) {
  std::string text;
  for (const WorldTransaction& transaction : world) {
    text.append(isolith::to_string(transaction.level)).append(transaction.read_only ? " read only:" : ":");
    for (const WorldStep& step : transaction.steps) {
      text.append(" ").append(name_of(step.kind)).append(" ").append(step.key);
      if (step.kind == Kind::scan || step.kind == Kind::scan_back) {
        text += ".." + step.hi.value_or("") + " first " + std::to_string(step.rows_max);
      }
      text += ";";
    }
    text += "\n";
  }
  return text;
}

World draw_world(base::Random& random, const WorldRules& rules) {
  World world;
  for (std::size_t i = 0; i < rules.transactions; ++i) {
    WorldTransaction& transaction = world.emplace_back();
    transaction.level = rules.levels[random.below(rules.levels.size())];
    transaction.read_only = random.below(4) == 0;
    const std::size_t steps = rules.steps_min + random.below(rules.steps_max - rules.steps_min + 1);
    for (std::size_t j = 0; j < steps; ++j) {
      static constexpr Kind kKinds[] = {Kind::get,
                                        Kind::get,
                                        Kind::put,
                                        Kind::put,
                                        Kind::insert,
                                        Kind::erase,
                                        Kind::get_for_update,
                                        Kind::get_for_share,
                                        Kind::scan,
                                        Kind::scan,
                                        Kind::scan_back};
      WorldStep& step = transaction.steps.emplace_back();
      do {
        step.kind = kKinds[random.below(rules.ranges ? std::size(kKinds) : std::size(kKinds) - 3)];
      } while (transaction.read_only && !only_reads(step.kind));
      step.key = kKeys[random.below(kKeys.size())];
      if (step.kind == Kind::scan || step.kind == Kind::scan_back) {
        static const std::vector<std::optional<std::string>> kEnds = {"b", "bb", "c", "d", std::nullopt};
        step.key = std::vector<std::string>{"", "a", "aa", "b"}[random.below(4)];
        step.hi = kEnds[random.below(kEnds.size())];
        step.rows_max = random.below(3) == 0 ? 1 : 9;
      }
    }
  }
  return world;
}

std::vector<WorldOutcome> serial_outcomes(const World& world) {
  std::vector<std::size_t> order(world.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<WorldOutcome> outcomes;
  do {
    WorldOutcome outcome;
    outcome.reads.resize(world.size());
    outcome.rows = kFirstRows;
    for (const std::size_t i : order) {
      for (std::size_t j = 0; j < world[i].steps.size(); ++j) {
        outcome.reads[i].push_back(play_on_map(world[i].steps[j], value_of(i, j), outcome.rows));
      }
    }
    if (std::find(outcomes.begin(), outcomes.end(), outcome) == outcomes.end()) outcomes.push_back(outcome);
  } while (std::next_permutation(order.begin(), order.end()));
  return outcomes;
}

// One transaction on the database.
class WorldRunner::Player {
 public:
  Player(WorldRunner& world, const WorldTransaction& script, std::size_t number)
      : world_(world), script_(script), number_(number) {}

  void begin() {
    reads_.clear();
    versions_read_.clear();
    writes_.clear();
    began_ = world_.commits_;
    is_over_ = false;
    TransactionOptions options(script_.level);
    options.read_only = script_.read_only;
    Result<Transaction> begun = world_.database_->begin(options);
    if (begun.ok()) {
      transaction_.emplace(*std::move(begun));
    } else {
      note(begun.status());
    }
  }

  void take(std::size_t step) {
    if (step == 0) begin();
    if (is_over_) return;
    if (step == script_.steps.size()) {
      const Status status = transaction_->commit();
      is_over_ = true;
      committed_ = status.ok();
      committed_ ? note_commit() : note(status);
      return;
    }
    step_ = step;
    reads_.push_back(play(script_.steps[step], value_of(number_, step)));
  }

  [[nodiscard]] bool committed() const noexcept { return committed_; }
  [[nodiscard]] const std::vector<std::string>& reads() const noexcept { return reads_; }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
  [[nodiscard]] bool was_victim() const noexcept { return was_victim_; }
  [[nodiscard]] std::uint64_t id() const noexcept { return transaction_ ? transaction_->id() : 0; }
  void tell(History& history) const {
    history.add({number_ + 1, began_, ended_, script_.level}, versions_read_, writes_);
  }

 private:
  // A conflict ends the transaction; nothing else is expected.
  void note(const Status& status) {
    is_over_ = true;
    if (status.is(StatusCode::conflict) && status.reason() != ConflictReason::lock_timeout) {
      was_victim_ = true;
    } else {
      problem_ = status.to_string();
    }
  }

  // ---- versions; its own are no dependency ----

  VersionWrite* own_write(std::uint32_t key) {
    const auto at = std::find_if(writes_.begin(), writes_.end(), [&](const auto& w) { return w.key == key; });
    return at == writes_.end() ? nullptr : &*at;
  }

  void note_write(std::uint32_t key) {
    const std::uint64_t version = version_of(number_, step_);
    if (VersionWrite* const own = own_write(key)) {
      own->version = version;
    } else {
      writes_.push_back({key, version, ++world_.places_});
    }
  }

  void note_commit() {
    ended_ = ++world_.commits_;
    for (const VersionWrite& write : writes_) {
      const bool erases = script_.steps[(write.version - 1) % 16].kind == Kind::erase;
      world_.committed_[write.key].push_back({write.version, ended_, erases});
    }
  }

  void note_row(std::uint32_t key, std::string_view value) {
    if (own_write(key) == nullptr) versions_read_.push_back({key, false, version_of(value)});
  }

  // What its answer does not tell: the newest that it may have seen and that agrees with the answer.
  void note_unseen(std::uint32_t key, bool by_range, bool is_there) {
    if (own_write(key) != nullptr) return;
    const bool has_snapshot =
        script_.level == Isolation::snapshot || script_.level == Isolation::serializable_ssi;
    std::uint64_t version = kFirstVersion;
    for (const Committed& committed : world_.committed_[key]) {
      const bool is_seen = !has_snapshot || committed.commit <= began_;
      if (is_seen && committed.erases != is_there) version = committed.version;
    }
    versions_read_.push_back({key, by_range, version});
  }

  void note_versions(const WorldStep& step, const Status& status, const std::string& read) {
    const std::uint32_t key = number_of(step.key);
    const bool changes = step.kind == Kind::put || step.kind == Kind::insert || step.kind == Kind::erase;
    if (status.is(StatusCode::not_found)) note_unseen(key, false, false);
    if (status.is(StatusCode::already_exists)) note_unseen(key, false, true);
    if (status.ok() && changes) note_write(key);
    if (status.ok() && !changes) note_row(key, read);
  }

  // [lo, hi), and `read` of it; it stopped at the row `last`, or at none.
  void note_absent(const WorldStep& step, const std::string& read, const std::string& last) {
    for (std::uint32_t i = 0; i < kWorldKeys; ++i) {
      const std::string& key = kKeys[i];
      if (key < step.key || (step.hi && key >= *step.hi)) continue;
      if (!last.empty() && (step.kind == Kind::scan ? key > last : key < last)) continue;
      if (read.find(key + "=") == std::string::npos) note_unseen(i, true, false);
    }
  }

  std::string answer(const Status& status, const std::string& value) {
    if (status.ok()) return value;
    if (status.is(StatusCode::not_found)) return script_kind_ == Kind::erase ? "not there" : "-";
    if (status.is(StatusCode::already_exists)) return "there";
    note(status);
    return "failed";
  }

  Status call(const WorldStep& step, const std::string& value, std::string& read) {
    switch (step.kind) {
      case Kind::get:
        return transaction_->get(world_.table_, step.key, read);
      case Kind::get_for_update:
        return transaction_->get_for_update(world_.table_, step.key, read);
      case Kind::get_for_share:
        return transaction_->get_for_share(world_.table_, step.key, read);
      case Kind::put:
        return transaction_->put(world_.table_, step.key, value);
      case Kind::insert:
        return transaction_->insert(world_.table_, step.key, value);
      case Kind::erase:
        return transaction_->erase(world_.table_, step.key);
      case Kind::scan:
      case Kind::scan_back:
        break;
    }
    return {};
  }

  std::string play(const WorldStep& step, const std::string& value) {
    script_kind_ = step.kind;
    std::string read;
    if (step.kind == Kind::scan || step.kind == Kind::scan_back) return scan(step, read);
    const Status status = call(step, value, read);
    note_versions(step, status, read);
    const bool changes = step.kind == Kind::insert || step.kind == Kind::erase;
    return answer(status, changes ? "done" : read);
  }

  std::string scan(const WorldStep& step, std::string& read) {
    KeyRange range{step.key, {}};
    if (step.hi) range.hi = *step.hi;
    Result<Cursor> cursor = transaction_->cursor(world_.table_, range);
    if (!cursor.ok()) return answer(cursor.status(), "");
    const bool forward = step.kind == Kind::scan;
    std::size_t rows = 0;
    std::string last;
    for (forward ? cursor->seek_first() : cursor->seek_last(); cursor->valid();
         forward ? cursor->next() : cursor->prev()) {
      read.append(cursor->key()).append("=").append(cursor->value()).append(" ");
      note_row(number_of(cursor->key()), cursor->value());
      if (++rows == step.rows_max) {
        last = cursor->key();
        break;
      }
    }
    if (cursor->status().ok()) note_absent(step, read, last);
    return answer(cursor->status(), read);
  }

  WorldRunner& world_;
  const WorldTransaction& script_;
  const std::size_t number_;
  std::optional<Transaction> transaction_;
  std::vector<std::string> reads_;
  std::vector<VersionRead> versions_read_;
  std::vector<VersionWrite> writes_;
  std::uint64_t began_ = 0;
  std::uint64_t ended_ = 0;
  std::size_t step_ = 0;
  Kind script_kind_ = Kind::get;
  bool is_over_ = false;
  bool committed_ = false;
  bool was_victim_ = false;
  std::string problem_;
};

WorldRunner::WorldRunner(Options options) {
  options.wait_hook = &runner_;
  database_ = std::make_unique<Database>(*Database::open_in_memory(options));
  table_ = *database_->ensure_table("t");
}

WorldRunner::~WorldRunner() = default;

void WorldRunner::reset() {
  Transaction transaction = *database_->begin(Isolation::read_committed);
  (void)*transaction.erase_range(table_, KeyRange::all());
  for (const auto& [key, value] : kFirstRows) (void)transaction.put(table_, key, value).ok();
  (void)transaction.commit().ok();
  commits_ = places_ = 0;
  for (auto& versions : committed_) versions.clear();
}

WorldOutcome WorldRunner::run_once(const World& world, const anomalies::Runner::Chooser& chooser,
                                   std::string& order, std::string& problem) {
  reset();
  std::vector<std::unique_ptr<Player>> players;
  anomalies::Program program;
  for (std::size_t i = 0; i < world.size(); ++i) {
    Player* const player = players.emplace_back(std::make_unique<Player>(*this, world[i], i)).get();
    anomalies::Session& session = program.sessions.emplace_back();
    session.name = std::string(1, static_cast<char>('A' + i));
    for (std::size_t j = 0; j <= world[i].steps.size(); ++j) {
      session.steps.emplace_back([player, j] { player->take(j); });
    }
  }
  program.transaction_of = [&](std::size_t i) { return players[i]->id(); };
  anomalies::Trace trace;
  if (const Status status = runner_.run(program, chooser, trace); !status.ok()) problem = status.to_string();
  order = to_string(trace.schedule, program);
  if (trace.stuck) problem = "stuck:\n" + to_string(trace, program);
  WorldOutcome outcome;
  for (std::size_t i = 0; i < world.size(); ++i) {
    if (players[i]->was_victim()) ++victims_;
    for (std::size_t j = 0; !players[i]->committed() && j <= world[i].steps.size(); ++j) players[i]->take(j);
    if (!players[i]->problem().empty()) problem = players[i]->problem() + "\n" + to_string(trace, program);
    outcome.reads.push_back(players[i]->reads());
    players[i]->tell(outcome.history);
  }
  Transaction reader = *database_->begin(Isolation::read_committed);
  Cursor rows = *reader.cursor(table_);
  for (rows.seek_first(); rows.valid(); rows.next()) outcome.rows.emplace(rows.key(), rows.value());
  return outcome;
}

// Depth first over which session goes next, each run from the start.
std::uint64_t WorldRunner::run_all(
    const World& world, const std::function<void(const WorldOutcome&, const std::string& order)>& visit,
    std::string& problem) {
  struct Choice {
    std::size_t taken = 0;
    std::size_t ready = 0;
  };
  std::vector<Choice> choices;
  std::uint64_t runs = 0;
  for (;;) {
    std::size_t depth = 0;
    bool has_strayed = false;
    std::string order;
    const WorldOutcome outcome = run_once(
        world,
        [&](std::span<const std::uint32_t> ready) {
          if (depth == choices.size()) choices.push_back({0, ready.size()});
          const Choice& choice = choices[depth++];
          has_strayed = has_strayed || choice.ready != ready.size();
          return has_strayed ? 0 : choice.taken;
        },
        order, problem);
    ++runs;
    if (has_strayed) problem = "the same choices did not lead to the same again";
    visit(outcome, order);
    if (!problem.empty()) {
      problem = order + "\n" + problem;
      return runs;
    }
    while (!choices.empty() && choices.back().taken + 1 == choices.back().ready) choices.pop_back();
    if (choices.empty()) return runs;
    ++choices.back().taken;
  }
}

}  // namespace isolith::testing

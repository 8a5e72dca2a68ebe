// The model's writes: each locks its key, or meets another's lock and ends its transaction.
#include "tests/property/model.h"

namespace isolith::property {

// What is wrong with a call before anything is done.
StatusCode Model::refuse(std::uint64_t id, const Handle* table, bool writes,
                         std::initializer_list<std::string_view> keys) const {
  const ModelTransaction& transaction = transactions_.at(id);
  if (!transaction.active) return StatusCode::aborted;
  if (table != nullptr) {
    if (table->opening != opening_) return StatusCode::invalid_argument;
    if (!is_usable(id, table->table)) return StatusCode::not_found;
  }
  if (writes && transaction.read_only) return StatusCode::read_only;
  for (const std::string_view key : keys) {
    if (key.size() > kMaxKeyBytes) return StatusCode::too_large;
  }
  return StatusCode::ok;
}

// In vain: nobody ends meanwhile.
void Model::wait(std::uint64_t id, Wait what) {
  last_wait_ = std::move(what);
  ++waits_;
  (void)abort(id);
}

Cell* Model::lock(std::uint64_t id, std::uint64_t table, const std::string& key) {
  ModelTransaction& transaction = transactions_.at(id);
  transaction.has_id = true;
  const std::string name = table == kCatalog ? std::string() : tables_.at(table).name;
  if (const std::uint64_t holder = tables_.at(table).holder; holder != 0 && holder != id) {
    wait(id, {name, {}, {holder}});
    return nullptr;
  }
  transaction.uses.insert(table);
  Cell& cell = tables_.at(table).cells[key];
  if (cell.owner != 0 && cell.owner != id) {
    wait(id, {name, key, {cell.owner}});
    return nullptr;
  }
  if (cell.owner == 0) cell.current = cell.versions.empty() ? Value() : cell.versions.back().value;
  return &cell;
}

// Owns the cell from here on.
void Model::write(std::uint64_t id, std::uint64_t table, const std::string& key, Value value) {
  ModelTransaction& transaction = transactions_.at(id);
  Cell& cell = tables_.at(table).cells.at(key);
  transaction.undo.push_back({Undo::What::row, table, key, cell.written, std::move(cell.current)});
  transaction.locks.emplace(table, key);
  cell.owner = id;
  cell.written = true;
  cell.current = std::move(value);
  changed(id, table);
}

void Model::changed(std::uint64_t id, std::uint64_t table) {
  ++tables_.at(table).changes;
  ++tables_.at(table).changes_by[id];
}

Answer Model::get_for_update(std::uint64_t id, const Handle& handle, const std::string& key) {
  const StatusCode code = refuse(id, &handle, true, {key});
  if (code != StatusCode::ok) return {code, {}, 0};
  Cell* cell = lock(id, handle.table, key);
  if (cell == nullptr) return {StatusCode::conflict, {}, 0};
  cell->owner = id;
  transactions_.at(id).locks.emplace(handle.table, key);
  return {cell->current ? StatusCode::ok : StatusCode::not_found, cell->current, 0};
}

Answer Model::put(std::uint64_t id, const Handle& handle, const std::string& key, std::string value) {
  const StatusCode code = refuse(id, &handle, true, {key});
  if (code != StatusCode::ok) return {code, {}, 0};
  if (lock(id, handle.table, key) == nullptr) return {StatusCode::conflict, {}, 0};
  write(id, handle.table, key, std::move(value));
  return {};
}

Answer Model::insert(std::uint64_t id, const Handle& handle, const std::string& key, std::string value) {
  const StatusCode code = refuse(id, &handle, true, {key});
  if (code != StatusCode::ok) return {code, {}, 0};
  const Cell* cell = lock(id, handle.table, key);
  if (cell == nullptr) return {StatusCode::conflict, {}, 0};
  if (cell->current) return {StatusCode::already_exists, {}, 0};
  write(id, handle.table, key, std::move(value));
  return {};
}

Answer Model::erase(std::uint64_t id, const Handle& handle, const std::string& key) {
  const StatusCode code = refuse(id, &handle, true, {key});
  if (code != StatusCode::ok) return {code, {}, 0};
  const Cell* cell = lock(id, handle.table, key);
  if (cell == nullptr) return {StatusCode::conflict, {}, 0};
  if (!cell->current) {
    if (cell->owner == 0) forget_if_unused(handle.table, key);
    return {StatusCode::not_found, {}, 0};
  }
  write(id, handle.table, key, {});
  return {};
}

// Only to what this transaction has put.
Answer Model::append(std::uint64_t id, const Handle& handle, const std::string& key,
                     const std::string& piece) {
  const StatusCode code = refuse(id, &handle, true, {key});
  if (code != StatusCode::ok) return {code, {}, 0};
  const auto& cells = tables_.at(handle.table).cells;
  const auto cell = cells.find(key);
  const bool own = cell != cells.end() && cell->second.owner == id && cell->second.written &&
                   cell->second.current.has_value();
  if (!own) return {StatusCode::invalid_argument, {}, 0};
  write(id, handle.table, key, *cell->second.current + piece);
  return {};
}

Answer Model::check_cursor(std::uint64_t id, const Handle& handle, const std::string& lo,
                           const std::optional<std::string>& hi) const {
  return {refuse(id, &handle, false, {lo, hi.value_or("")}), {}, 0};
}

// What a scan sees, one key after another.
Answer Model::erase_range(std::uint64_t id, const Handle& handle, const std::string& lo,
                          const std::optional<std::string>& hi) {
  const StatusCode code = refuse(id, &handle, true, {lo, hi.value_or("")});
  if (code != StatusCode::ok) return {code, {}, 0};
  std::vector<std::string> keys;
  const auto& cells = tables_.at(handle.table).cells;
  for (auto cell = cells.lower_bound(lo); cell != cells.end() && (!hi || cell->first < *hi); ++cell) {
    if (visible(id, cell->second, commits_)) keys.push_back(cell->first);
  }
  for (const std::string& key : keys) {
    if (const Answer answer = erase(id, handle, key); answer.code != StatusCode::ok) return answer;
  }
  return {StatusCode::ok, {}, keys.size()};
}

// ---- tables ----

Answer Model::open_table(std::uint64_t id, const std::string& name) {
  if (!transactions_.at(id).active) return {StatusCode::aborted, {}, 0};
  if (name.empty() || name.size() > kMaxTableNameBytes) return {StatusCode::invalid_argument, {}, 0};
  Answer answer = get(id, {opening_, kCatalog}, name);
  if (!answer.value) return answer;
  answer.number = std::stoull(*answer.value);
  if (!is_usable(id, answer.number)) answer.code = StatusCode::not_found;
  return answer;
}

Answer Model::create_table(std::uint64_t id, const std::string& name) {
  if (!transactions_.at(id).active) return {StatusCode::aborted, {}, 0};
  if (name.empty() || name.size() > kMaxTableNameBytes) return {StatusCode::invalid_argument, {}, 0};
  const std::uint64_t table = next_table_++;
  const Answer answer = insert(id, {opening_, kCatalog}, name, std::to_string(table));
  if (answer.code != StatusCode::ok) return answer;
  tables_[table].name = name;
  tables_[table].maker = id;
  transactions_.at(id).undo.push_back({Undo::What::create, table, {}, false, {}});
  return {StatusCode::ok, {}, table};
}

Answer Model::ensure_table(std::uint64_t id, const std::string& name) {
  Answer answer = open_table(id, name);
  if (answer.code != StatusCode::not_found) return answer;
  answer = create_table(id, name);
  return answer.code == StatusCode::already_exists ? open_table(id, name) : answer;
}

Answer Model::drop_table(std::uint64_t id, const Handle& handle) {
  const StatusCode code = refuse(id, &handle, true, {});
  if (code != StatusCode::ok) return {code, {}, 0};
  ModelTable& table = tables_.at(handle.table);
  transactions_.at(id).has_id = true;
  std::set<std::uint64_t> users;
  for (const auto& [other, transaction] : transactions_) {
    if (other != id && transaction.active && transaction.uses.contains(handle.table)) users.insert(other);
  }
  if (table.holder != 0 && table.holder != id) users.insert(table.holder);
  if (!users.empty()) {
    wait(id, {table.name, {}, users});
    return {StatusCode::conflict, {}, 0};
  }
  table.holder = id;
  const Answer answer = erase(id, {opening_, kCatalog}, table.name);
  if (answer.code != StatusCode::ok) return answer;
  table.dropper = id;
  transactions_.at(id).undo.push_back({Undo::What::drop, handle.table, {}, false, {}});
  return {};
}

bool Model::is_name_locked(const std::string& name) const {
  const auto& cells = tables_.at(kCatalog).cells;
  const auto cell = cells.find(name);
  return cell != cells.end() && cell->second.owner != 0;
}

}  // namespace isolith::property

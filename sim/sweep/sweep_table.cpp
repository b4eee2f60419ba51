#include "sim/sweep/sweep_table.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUnfinished = ".partial";
constexpr const char* kWriting = ".writing";  // complete but for its name

[[noreturn]] void fail(const std::string& path, int code, const char* message) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw InputError(path, "", "another program fills it; expected that program to end first");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:  // a table that is not there
    case SQLITE_MISMATCH:
      throw InputError(path,
                       "",
                       fmt::format("expected a table that epsim sweep wrote, found something else "
                                   "({}); remove it or give another --out",
                                   message));
    default:
      throw std::runtime_error(fmt::format("{}: {}", path, message));
  }
}

struct CloseConnection {
  void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

// A statement and the row that it stands at. Places count from 0.
class Statement {
 public:
  Statement(sqlite3* connection, const std::string& path, const std::string& sql)
      : connection_(connection), path_(path) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(connection, sql.c_str(), -1, &statement, nullptr);
    statement_.reset(statement);
    if (code != SQLITE_OK) fail(path_, code, sqlite3_errmsg(connection));
  }

  void bind(int place, std::string_view text) {
    accept(sqlite3_bind_text(
        statement_.get(), place + 1, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
  }
  void bind(int place, double number) {
    accept(sqlite3_bind_double(statement_.get(), place + 1, number));
  }
  void bind(int place, std::int64_t number) {
    accept(sqlite3_bind_int64(statement_.get(), place + 1, number));
  }
  void bind_none(int place) { accept(sqlite3_bind_null(statement_.get(), place + 1)); }

  // To the next row; false after the last.
  bool next() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(path_, code, sqlite3_errmsg(connection_));
    return false;
  }
  // Runs it once to its end, ready for other values.
  void run() {
    while (next()) {
    }
    sqlite3_reset(statement_.get());
  }

  [[nodiscard]] bool is_none(int place) const {
    return sqlite3_column_type(statement_.get(), place) == SQLITE_NULL;
  }
  [[nodiscard]] std::int64_t integer(int place) const {
    return sqlite3_column_int64(statement_.get(), place);
  }
  [[nodiscard]] double number(int place) const {
    return sqlite3_column_double(statement_.get(), place);
  }
  [[nodiscard]] std::string text(int place) const {
    const unsigned char* bytes = sqlite3_column_text(statement_.get(), place);
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), place))};
  }

 private:
  void accept(int code) {
    if (code != SQLITE_OK) fail(path_, code, sqlite3_errmsg(connection_));
  }

  sqlite3* connection_;
  std::string path_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Connection {
 public:
  Connection(std::string path, int flags) : path_(std::move(path)) {
    sqlite3* connection = nullptr;
    const int code = sqlite3_open_v2(path_.c_str(), &connection, flags, nullptr);
    connection_.reset(connection);
    if (code != SQLITE_OK)
      throw std::runtime_error(fmt::format("{}: {}", path_, sqlite3_errstr(code)));
  }
  void run(const std::string& sql) { prepare(sql).run(); }
  [[nodiscard]] Statement prepare(const std::string& sql) const {
    return {connection_.get(), path_, sql};
  }
  [[nodiscard]] bool has_table(std::string_view name) const {
    Statement found = prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
    found.bind(0, name);
    return found.next();
  }

 private:
  std::string path_;
  std::unique_ptr<sqlite3, CloseConnection> connection_;
};

std::string identifier(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + '"';
}

// The table "sweep" says what a file holds.
void write_identity(Connection& connection, const SweepIdentity& identity) {
  connection.run("CREATE TABLE sweep(key TEXT NOT NULL, value TEXT NOT NULL)");
  Statement insert = connection.prepare("INSERT INTO sweep VALUES (?, ?)");
  const auto put = [&](std::string_view key, std::string_view value) {
    insert.bind(0, key);
    insert.bind(1, value);
    insert.run();
  };
  put("epsim_version", identity.version);
  put("inputs", identity.inputs);
  put("schema", "epsim.sweep_table/1");
  put("sweep", identity.sweep);
}

void expect_identity(const Connection& connection,
                     const std::string& path,
                     const SweepIdentity& identity) {
  const auto expect = [&](std::string_view key, const std::string& value, std::string_view what) {
    Statement select = connection.prepare("SELECT value FROM sweep WHERE key = ?");
    select.bind(0, key);
    if (select.next() && select.text(0) == value) return;
    throw InputError(
        path,
        "",
        fmt::format("holds results of {}; remove it or give another --out", std::string(what)));
  };
  expect("schema", "epsim.sweep_table/1", "something else");
  expect("sweep", identity.sweep, "another sweep");
  expect("epsim_version", identity.version, "another version of epsim");
  expect("inputs", identity.inputs, "this sweep with other calibrations, topologies or routings");
}

// Numbers and strings as such, anything else as JSON text.
void bind_json(Statement& statement, int place, const std::string& json) {
  const char* const end = json.data() + json.size();
  std::int64_t integer = 0;
  double number = 0;
  if (const auto [at, code] = std::from_chars(json.data(), end, integer);
      code == std::errc() && at == end)
    return statement.bind(place, integer);
  if (const auto [at, code] = std::from_chars(json.data(), end, number);
      code == std::errc() && at == end)
    return statement.bind(place, number);
  if (json == "null") return statement.bind_none(place);
  const JsonValue value = JsonDocument::parse(json, "a value of an axis").root();
  statement.bind(place, value.is_string() ? value.string() : json);
}

void bind_cell(Statement& statement, int place, const SweepCell& cell) {
  if (const auto* flag = std::get_if<bool>(&cell))
    statement.bind(place, std::int64_t{*flag ? 1 : 0});
  else if (const auto* number = std::get_if<double>(&cell))
    statement.bind(place, *number);
  else if (const auto* text = std::get_if<std::string>(&cell))
    statement.bind(place, *text);
  else
    statement.bind_none(place);
}

void create_results(Connection& connection, const std::vector<std::string>& keys) {
  std::string columns = "point INTEGER NOT NULL";
  for (const std::string& key : keys) columns += ", " + identifier(key);  // of any type
  for (const SweepColumn& column : kSweepColumns)
    columns += fmt::format(", {} {}",
                           column.name,
                           column.kind == SweepCellKind::number ? "REAL"
                           : column.kind == SweepCellKind::flag ? "INTEGER"
                                                                : "TEXT");
  connection.run("CREATE TABLE results(" + columns + ")");
}

// To the disk, whatever the file system keeps back.
void synchronise(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_done =
      descriptor >= 0 && (::fsync(descriptor) == 0 || errno == EINVAL || errno == EBADF);
  const int code = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!is_done) throw std::system_error(code, std::generic_category(), path.string());
}

void remove_database(const std::string& path) {
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) fs::remove(path + suffix);
}

}  // namespace

struct SweepTable::Database : Connection {
  using Connection::Connection;
};

bool is_complete_table(const std::string& path, const SweepIdentity& identity) {
  if (!fs::exists(path)) return false;
  if (fs::is_directory(path)) throw InputError(path, "", "expected a file, found a folder");
  const Connection connection(path, SQLITE_OPEN_READONLY);
  expect_identity(connection, path, identity);
  return true;
}

SweepTable::SweepTable(const std::string& path, const SweepIdentity& identity)
    : path_(path), identity_(identity) {
  const std::string partial = path + kUnfinished;
  database_ = std::make_unique<Database>(partial, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  // Exclusive first: then the log needs no memory shared with others, which not every file system
  // of a cluster has. A log makes keeping a point an append; it is synchronised when it is full, so
  // that losing power may cost the last points and never the file.
  database_->run("PRAGMA locking_mode = EXCLUSIVE");
  database_->run("PRAGMA journal_mode = WAL");
  database_->run("PRAGMA synchronous = NORMAL");
  database_->run("BEGIN IMMEDIATE");
  if (database_->has_table("sweep")) {
    expect_identity(*database_, partial, identity);
  } else {
    write_identity(*database_, identity);
    database_->run("CREATE TABLE finished(point INTEGER PRIMARY KEY, rows TEXT NOT NULL)");
  }
  database_->run("COMMIT");
}

SweepTable::~SweepTable() = default;

std::vector<std::uint64_t> SweepTable::finished() const {
  std::vector<std::uint64_t> points;
  Statement select = database_->prepare("SELECT point FROM finished ORDER BY point");
  while (select.next()) points.push_back(static_cast<std::uint64_t>(select.integer(0)));
  return points;
}

void SweepTable::keep(std::uint64_t point, std::string_view rows) {
  Statement insert = database_->prepare("INSERT INTO finished VALUES (?, ?)");
  insert.bind(0, static_cast<std::int64_t>(point));
  insert.bind(1, rows);
  insert.run();
}

void SweepTable::complete(const ScenarioSweep& sweep) {
  const std::string writing = path_ + kWriting;
  remove_database(writing);
  const std::vector<std::string> keys = sweep.keys();
  {
    Connection table(writing, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    table.run("PRAGMA page_size = 4096");
    table.run("PRAGMA journal_mode = OFF");
    table.run("BEGIN");
    write_identity(table, identity_);
    create_results(table, keys);
    std::string places = "?";
    for (std::size_t i = 0; i < keys.size() + kSweepColumns.size(); ++i) places += ", ?";
    Statement insert = table.prepare("INSERT INTO results VALUES (" + places + ")");
    Statement select = database_->prepare("SELECT point, rows FROM finished ORDER BY point");
    std::uint64_t expected = 0;
    while (select.next()) {
      const std::int64_t point = select.integer(0);
      check(point == static_cast<std::int64_t>(expected++), "every point is finished once");
      const std::vector<std::string> values = sweep.values_at(static_cast<std::uint64_t>(point));
      for (const SweepRow& row : read_sweep_rows(select.text(1), path_ + kUnfinished)) {
        int place = 0;
        insert.bind(place++, point);
        for (const std::string& value : values) bind_json(insert, place++, value);
        for (const SweepCell& cell : row) bind_cell(insert, place++, cell);
        insert.run();
      }
    }
    check(expected == sweep.point_count(), "a complete table has every point");
    table.run("COMMIT");
  }
  synchronise(writing);
  fs::rename(writing, path_);
  const fs::path folder = fs::path(path_).parent_path();
  synchronise(folder.empty() ? "." : folder);
  database_.reset();
  remove_unfinished_table(path_);
}

void remove_unfinished_table(const std::string& path) {
  remove_database(path + kUnfinished);
}

void for_each_sweep_row(const std::string& path,
                        const std::function<void(std::uint64_t, const SweepRow&)>& visit) {
  const Connection connection(path, SQLITE_OPEN_READONLY);
  std::string columns = "point";
  for (const SweepColumn& column : kSweepColumns) columns += fmt::format(", {}", column.name);
  Statement select = connection.prepare("SELECT " + columns + " FROM results ORDER BY rowid");
  while (select.next()) {
    SweepRow row;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const int place = static_cast<int>(c) + 1;
      if (select.is_none(place)) continue;
      switch (kSweepColumns[c].kind) {
        case SweepCellKind::number:
          row[c] = select.number(place);
          break;
        case SweepCellKind::flag:
          row[c] = select.integer(place) != 0;
          break;
        case SweepCellKind::text:
          row[c] = select.text(place);
          break;
      }
    }
    visit(static_cast<std::uint64_t>(select.integer(0)), row);
  }
}

}  // namespace epsim

#include "traces/sqlite_file.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "traces/byte_stream.hpp"

namespace epsim {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic{"SQLite format 3\0", 16};
constexpr std::size_t kHeaderBytes = 100;
constexpr std::int64_t kStepsPerCall = 1000;

// SQLite's file format, section 1.3: big-endian numbers at fixed places.
std::uint64_t big_endian(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// Write-ahead logging: pages may stand in a second file beside the first.
bool uses_write_ahead_log(std::string_view header) {
  return header[18] == 2 || header[19] == 2;
}

std::string in_hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, 8))
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", static_cast<unsigned char>(byte));
  return text;
}

std::string first_bytes_of(const fs::path& stored, const std::string& name) {
  std::ifstream file(stored, std::ios::binary);
  if (!file) throw InputError(name, "", "cannot be opened for reading");
  std::string bytes(kHeaderBytes, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

void expect_file(const std::string& path) {
  std::error_code unknown;
  const fs::file_status status = fs::status(path, unknown);
  if (status.type() == fs::file_type::not_found) throw InputError(path, "", "no such file");
  if (fs::is_directory(status)) throw InputError(path, "", "expected a file, found a folder");
}

// What SQLite would only call "malformed" or "not a database", said in words.
void expect_whole_database(std::string_view header, std::uint64_t size, const std::string& name) {
  if (size == 0) throw InputError(name, "", "empty; expected an SQLite database");
  if (!begins_as_sqlite(header))
    throw InputError(name,
                     "byte 0",
                     fmt::format("expected an SQLite database (\"SQLite format 3\"), found {}: "
                                 "something else, or an encrypted database",
                                 in_hex(header)));
  if (header.size() < kHeaderBytes)
    throw InputError(name,
                     fmt::format("byte {}", size),
                     fmt::format("truncated in its header; expected {} bytes of it", kHeaderBytes));
  const std::uint64_t page_size =
      big_endian(header, 16, 2) == 1 ? 65536 : big_endian(header, 16, 2);
  const std::uint64_t page_count = big_endian(header, 28, 4);
  // The count holds only where the last writer kept it: both counters are then the same.
  const bool is_kept = big_endian(header, 24, 4) == big_endian(header, 92, 4);
  if (is_kept && !uses_write_ahead_log(header) && size < page_size * page_count)
    throw InputError(name,
                     fmt::format("byte {}", size),
                     fmt::format("truncated: its header tells {} pages of {} bytes, {} in all",
                                 page_count,
                                 page_size,
                                 page_size * page_count));
}

[[noreturn]] void fail(const std::string& name,
                       const std::string& place,
                       int code,
                       const char* message) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw InputError(
          name, place, "locked by another program that writes it; expected a finished database");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      throw InputError(name,
                       place,
                       "left unfinished by the program that wrote it (its -journal or -wal lies "
                       "beside it); expected a finished database");
    case SQLITE_NOTADB:
      throw InputError(name, place, "not an SQLite database, or an encrypted one");
    case SQLITE_CORRUPT:
      throw InputError(
          name,
          place,
          fmt::format("damaged or truncated; expected a whole database ({})", message));
    case SQLITE_INTERRUPT:
      throw InputError(name, place, "takes SQLite too long to read; expected a sound database");
    default:
      throw InputError(name, place, fmt::format("SQLite cannot read it: {}", message));
  }
}

// "file:..." with everything quoted that means something there.
std::string uri_of(const fs::path& path) {
  std::string uri = "file:";
  for (const char c : path.string())
    uri += std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("/._-~", c) != nullptr
               ? std::string(1, c)
               : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return uri + "?immutable=1";
}

std::string identifier(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + '"';
}

// A new file that only its owner reads.
fs::path new_temporary_file() {
  std::string name = (fs::temp_directory_path() / "epsim-sqlite-XXXXXX").string();
  const int descriptor = ::mkstemp(name.data());
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), name);
  ::close(descriptor);
  return name;
}

void unpack(const std::string& from, const fs::path& to) {
  ByteStream bytes = ByteStream::of_file(from);
  std::ofstream file(to, std::ios::binary);
  std::vector<char> piece(std::size_t{1} << 20);
  while (const std::size_t size = bytes.read(piece.data(), piece.size())) {
    file.write(piece.data(), static_cast<std::streamsize>(size));
    if (!file) break;
  }
  file.close();
  if (!file) throw std::system_error(ENOSPC, std::generic_category(), to.string());
}

int count_down(void* steps_left) {
  return --*static_cast<std::int64_t*>(steps_left) < 0 ? 1 : 0;
}

}  // namespace

bool begins_as_sqlite(std::string_view first_bytes) {
  return first_bytes.starts_with(kMagic);
}

void SqliteRows::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}
void SqliteFile::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}
SqliteFile::UnpackedCopy::~UnpackedCopy() {
  std::error_code ignored;
  fs::remove(path, ignored);
}

bool SqliteRows::next() {
  if (!statement_) return false;
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3* connection = sqlite3_db_handle(statement_.get());
  if (code != SQLITE_DONE) fail(file_, "table " + table_, code, sqlite3_errmsg(connection));
  statement_.reset();
  return false;
}

std::optional<std::int64_t> SqliteRows::integer(std::size_t column) const {
  const int place = static_cast<int>(column) + 1;
  switch (sqlite3_column_type(statement_.get(), place)) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(statement_.get(), place);
    case SQLITE_FLOAT: {
      // Some tools that rewrite exports turn integers into doubles. Beyond 2^53 those are not whole
      // any more.
      const double value = sqlite3_column_double(statement_.get(), place);
      if (value < -0x1p53 || value > 0x1p53) return std::nullopt;
      return static_cast<std::int64_t>(value);
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> SqliteRows::number(std::size_t column) const {
  const int place = static_cast<int>(column) + 1;
  const int type = sqlite3_column_type(statement_.get(), place);
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return std::nullopt;
  return sqlite3_column_double(statement_.get(), place);
}

std::optional<std::string_view> SqliteRows::text(std::size_t column) const {
  const int place = static_cast<int>(column) + 1;
  if (sqlite3_column_type(statement_.get(), place) != SQLITE_TEXT) return std::nullopt;
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), place));
  if (bytes == nullptr) return std::nullopt;
  return std::string_view(bytes,
                          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), place)));
}

std::string SqliteRows::where() const {
  return fmt::format("row {} of {}", sqlite3_column_int64(statement_.get(), 0), table_);
}

SqliteFile SqliteFile::open(const std::string& path) {
  expect_file(path);
  SqliteFile file(path);
  fs::path stored = path;
  std::string header = first_bytes_of(stored, path);
  if (header.starts_with("\x1f\x8b")) {
    file.copy_ = std::make_unique<UnpackedCopy>();
    stored = file.copy_->path = new_temporary_file();
    unpack(path, stored);
    header = first_bytes_of(stored, path);
  }
  expect_whole_database(header, fs::file_size(stored), path);

  // A lock is taken where it can be, so that a database that is still being written is refused. A
  // log-mode database without its log, and one that lies where no lock file can be, is read as the
  // unchanging file that it then is.
  const bool has_log =
      fs::exists(stored.string() + "-wal") || fs::exists(stored.string() + "-journal");
  if (file.copy_ || (uses_write_ahead_log(header) && !has_log)) {
    file.open_connection(stored, true);
  } else {
    file.open_connection(stored, false);
    const int code = file.try_to_read() & 0xff;
    if (!has_log && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_IOERR))
      file.open_connection(stored, true);
  }
  file.list_tables();
  return file;
}

SqliteFile SqliteFile::from_bytes(std::string_view bytes,
                                  const std::string& name,
                                  std::int64_t most_steps) {
  expect_whole_database(bytes.substr(0, kHeaderBytes), bytes.size(), name);
  SqliteFile file(name);
  sqlite3* connection = nullptr;
  const int opened = sqlite3_open_v2(":memory:", &connection, SQLITE_OPEN_READWRITE, nullptr);
  file.connection_.reset(connection);
  check(opened == SQLITE_OK, "SQLite opens an empty database in memory");
  auto* const owned = static_cast<unsigned char*>(sqlite3_malloc64(bytes.size()));
  if (owned == nullptr) throw std::bad_alloc();
  std::memcpy(owned, bytes.data(), bytes.size());
  const auto size = static_cast<sqlite3_int64>(bytes.size());
  const int code =
      sqlite3_deserialize(connection,
                          "main",
                          owned,
                          size,
                          size,
                          SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
  if (code != SQLITE_OK) fail(name, "", code, sqlite3_errmsg(connection));
  file.steps_left_ = std::make_unique<std::int64_t>(most_steps / kStepsPerCall);
  sqlite3_progress_handler(connection, kStepsPerCall, count_down, file.steps_left_.get());
  file.distrust();
  file.list_tables();
  return file;
}

void SqliteFile::open_connection(const fs::path& stored, bool is_immutable) {
  const std::string name = is_immutable ? uri_of(stored) : stored.string();
  const int flags = SQLITE_OPEN_READONLY | (is_immutable ? SQLITE_OPEN_URI : 0);
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &connection, flags, nullptr);
  connection_.reset(connection);
  if (code != SQLITE_OK) fail(path_, "", code, sqlite3_errstr(code));
  distrust();
}

void SqliteFile::distrust() const {
  for (const auto& [option, value] : {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                      std::pair{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                      std::pair{SQLITE_DBCONFIG_ENABLE_VIEW, 0},
                                      std::pair{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}})
    sqlite3_db_config(connection_.get(), option, value, nullptr);
}

int SqliteFile::try_to_read() const {
  return sqlite3_exec(
      connection_.get(), "BEGIN; SELECT count(*) FROM sqlite_schema", nullptr, nullptr, nullptr);
}

void SqliteFile::list_tables() {
  // Tables that have pages: what a module of SQLite would make up has none.
  SqliteRows rows = query(
      "SELECT 0, name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 "
      "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
      "sqlite_schema");
  while (rows.next())
    if (const auto name = rows.text(0)) tables_.emplace_back(*name);
  std::sort(tables_.begin(), tables_.end());
}

bool SqliteFile::has_table(std::string_view table) const {
  return std::binary_search(tables_.begin(), tables_.end(), table);
}

std::vector<std::string> SqliteFile::columns(const std::string& table) const {
  SqliteRows rows = query("PRAGMA table_info(" + identifier(table) + ")", table);
  std::vector<std::string> names;
  while (rows.next())
    if (const auto name = rows.text(0)) names.emplace_back(*name);
  return names;
}

SqliteRows SqliteFile::query(const std::string& sql, const std::string& table) const {
  SqliteRows rows;
  rows.file_ = path_;
  rows.table_ = table;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(connection_.get(), sql.c_str(), -1, &statement, nullptr);
  rows.statement_.reset(statement);
  if (code != SQLITE_OK) fail(path_, "table " + table, code, sqlite3_errmsg(connection_.get()));
  return rows;
}

std::string SqliteFile::selection(const std::string& table,
                                  const std::vector<std::string>& columns) const {
  const std::vector<std::string> known = this->columns(table);
  std::string sql = "SELECT rowid";
  for (const std::string& column : columns) {
    const bool is_there = std::find(known.begin(), known.end(), column) != known.end();
    sql += ", " + (is_there ? identifier(column) : "NULL");
  }
  return sql + " FROM " + identifier(table);
}

SqliteRows SqliteFile::rows(const std::string& table,
                            const std::vector<std::string>& columns) const {
  return has_table(table) ? query(selection(table, columns), table) : SqliteRows();
}

SqliteRows SqliteFile::rows_where(const std::string& table,
                                  const std::vector<std::string>& columns,
                                  const std::string& key,
                                  std::int64_t value) const {
  if (!has_table(table)) return {};
  const std::vector<std::string> known = this->columns(table);
  if (std::find(known.begin(), known.end(), key) == known.end()) return {};
  return query(fmt::format("{} WHERE {} = {}", selection(table, columns), identifier(key), value),
               table);
}

}  // namespace epsim

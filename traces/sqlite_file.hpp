// SqliteFile: a database that somebody else wrote, opened to be read and never changed. The only
// door to SQLite.
//
// Such a file is not trusted: views, triggers and functions in its schema stay off, a column may be
// missing, a cell may hold another type than its column says. What is wrong with the file itself
// (locked, truncated, encrypted, no database at all) is an InputError that says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace epsim {

// The rows of a query, one after the other. The file must outlive them.
class SqliteRows {
 public:
  // To the first or next row; false after the last. Throws InputError where the file is damaged.
  [[nodiscard]] bool next();

  // Cells of the row by the column's place in the query. Empty when the cell is NULL, of a column
  // that the table lacks, or holds something else.
  [[nodiscard]] std::optional<std::int64_t> integer(std::size_t column) const;
  [[nodiscard]] std::optional<double> number(std::size_t column) const;          // whole or not
  [[nodiscard]] std::optional<std::string_view> text(std::size_t column) const;  // until next()

  // For messages: "row 17 of CUPTI_ACTIVITY_KIND_KERNEL"; the number is SQLite's rowid.
  [[nodiscard]] std::string where() const;

 private:
  friend class SqliteFile;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string file_;
  std::string table_;
};

class SqliteFile {
 public:
  // A plain database, or one in gzip, which is unpacked to a temporary file first. Throws
  // InputError.
  [[nodiscard]] static SqliteFile open(const std::string& path);
  // The same from bytes in memory; `name` stands for the file in messages. Reading is given up with
  // an InputError after `most_steps` of SQLite's machine, so that no bytes can keep it busy.
  [[nodiscard]] static SqliteFile from_bytes(std::string_view bytes,
                                             const std::string& name,
                                             std::int64_t most_steps = 100'000'000);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::vector<std::string>& tables() const { return tables_; }  // by name
  [[nodiscard]] bool has_table(std::string_view table) const;
  [[nodiscard]] std::vector<std::string> columns(const std::string& table) const;

  // All rows of a table; cells of columns that it lacks are empty. None where there is no such
  // table.
  [[nodiscard]] SqliteRows rows(const std::string& table,
                                const std::vector<std::string>& columns) const;
  // Those whose `key` column equals `value`.
  [[nodiscard]] SqliteRows rows_where(const std::string& table,
                                      const std::vector<std::string>& columns,
                                      const std::string& key,
                                      std::int64_t value) const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  // Removes an unpacked copy when the last reader is gone.
  struct UnpackedCopy {
    std::filesystem::path path;
    UnpackedCopy() = default;
    UnpackedCopy(const UnpackedCopy&) = delete;
    UnpackedCopy& operator=(const UnpackedCopy&) = delete;
    ~UnpackedCopy();
  };

  explicit SqliteFile(std::string path) : path_(std::move(path)) {}
  void open_connection(const std::filesystem::path& stored, bool is_immutable);
  [[nodiscard]] int try_to_read() const;  // SQLite's code
  void distrust() const;
  void list_tables();
  [[nodiscard]] std::string selection(const std::string& table,
                                      const std::vector<std::string>& columns) const;
  [[nodiscard]] SqliteRows query(const std::string& sql, const std::string& table) const;

  std::string path_;
  std::unique_ptr<UnpackedCopy> copy_;        // outlives the connection: declared before it
  std::unique_ptr<std::int64_t> steps_left_;  // in thousands
  std::unique_ptr<sqlite3, Close> connection_;
  std::vector<std::string> tables_;
};

// Whether a file that begins with these bytes is an SQLite database.
[[nodiscard]] bool begins_as_sqlite(std::string_view first_bytes);

}  // namespace epsim

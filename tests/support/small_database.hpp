// small_database: a database of a test's own, from the SQL that makes it.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include <sqlite3.h>

namespace epsim {

// A connection that a test holds open, to be in a reader's way.
class TestDatabase {
 public:
  explicit TestDatabase(const std::filesystem::path& path) {
    if (sqlite3_open(path.c_str(), &connection_) != SQLITE_OK)
      throw std::runtime_error("a test's database cannot be opened");
  }
  ~TestDatabase() { sqlite3_close(connection_); }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  TestDatabase& run(const std::string& sql) {
    char* message = nullptr;
    if (sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, &message) != SQLITE_OK)
      throw std::runtime_error(std::string("a test's SQL: ") + message);
    return *this;
  }

 private:
  sqlite3* connection_ = nullptr;
};

inline std::string small_database(const std::filesystem::path& path, const std::string& sql) {
  TestDatabase(path).run(sql);
  return path.string();
}

}  // namespace epsim

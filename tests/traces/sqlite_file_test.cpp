#include "traces/sqlite_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/small_database.hpp"

using namespace epsim;
namespace fs = std::filesystem;

namespace {

constexpr const char* kFruit =
    "CREATE TABLE Fruit (id INTEGER PRIMARY KEY, name TEXT, weight INTEGER);"
    "INSERT INTO Fruit VALUES (3, 'apple', 150), (8, NULL, 2.5), (9, 'plum', 'heavy');"
    "CREATE TABLE Empty (id INTEGER);"
    "CREATE VIEW Looking AS SELECT * FROM Fruit;";

std::string bytes_of(const fs::path& path) {
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

void write_bytes(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// While it lives, temporary files are made in a folder that nobody else uses.
class TemporaryPlace {
 public:
  explicit TemporaryPlace(const fs::path& folder) {
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", folder.c_str(), 1);
  }
  ~TemporaryPlace() { before_ ? ::setenv("TMPDIR", before_->c_str(), 1) : ::unsetenv("TMPDIR"); }
  TemporaryPlace(const TemporaryPlace&) = delete;
  TemporaryPlace& operator=(const TemporaryPlace&) = delete;

 private:
  std::optional<std::string> before_;
};

// Many pages, so that there is a middle to cut in.
std::string long_table() {
  return "CREATE TABLE Numbers (n INTEGER, text TEXT);"
         "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 2000)"
         "INSERT INTO Numbers SELECT n, printf('%0100d', n) FROM up;";
}

}  // namespace

TEST_CASE("sqlite file: numbers are read whole or not, texts that look like them are none") {
  const TemporaryFolder folder;
  const SqliteFile file = SqliteFile::open(
      small_database(folder / "any.sqlite",
                     "CREATE TABLE Any (a); INSERT INTO Any VALUES (2.5), (3), ('4'), (NULL)"));
  SqliteRows rows = file.rows("Any", {"a", "b"});
  REQUIRE(rows.next());
  CHECK(rows.number(0) == 2.5);
  CHECK_FALSE(rows.number(1));  // a column that the table lacks
  REQUIRE(rows.next());
  CHECK(rows.number(0) == 3.0);
  REQUIRE(rows.next());
  CHECK_FALSE(rows.number(0));
  REQUIRE(rows.next());
  CHECK_FALSE(rows.number(0));
}

TEST_CASE("sqlite file: tables are read by columns, and what is not there is empty") {
  const TemporaryFolder folder;
  const SqliteFile file = SqliteFile::open(small_database(folder / "fruit.sqlite", kFruit));
  CHECK(file.tables() == std::vector<std::string>{"Empty", "Fruit"});  // a view is no table
  CHECK(file.columns("Fruit") == std::vector<std::string>{"id", "name", "weight"});
  CHECK_FALSE(file.has_table("Looking"));

  SqliteRows rows = file.rows("Fruit", {"name", "colour", "weight"});
  REQUIRE(rows.next());
  CHECK(rows.text(0) == "apple");
  CHECK_FALSE(rows.text(1));  // a column that the table lacks
  CHECK_FALSE(rows.integer(1));
  CHECK(rows.integer(2) == 150);
  CHECK_FALSE(rows.text(2));  // no text
  CHECK(rows.where() == "row 3 of Fruit");
  REQUIRE(rows.next());
  CHECK_FALSE(rows.text(0));  // NULL
  CHECK(rows.integer(2) == 2);
  REQUIRE(rows.next());
  CHECK_FALSE(rows.integer(2));  // text in a column of integers
  CHECK_FALSE(rows.next());
  CHECK_FALSE(rows.next());

  CHECK_FALSE(file.rows("Empty", {"id"}).next());
  CHECK_FALSE(file.rows("None", {"id"}).next());
  SqliteRows plum = file.rows_where("Fruit", {"name"}, "id", 9);
  REQUIRE(plum.next());
  CHECK(plum.text(0) == "plum");
  CHECK_FALSE(plum.next());
}

TEST_CASE("sqlite file: one in gzip is unpacked, and the copy is gone with the reader") {
  const TemporaryFolder folder;
  const TemporaryPlace place(folder.path());
  small_database(folder / "fruit.sqlite", kFruit);
  replace_text_file(folder / "fruit.sqlite.gz", bytes_of(folder / "fruit.sqlite"));
  const auto copies = [&] {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder.path()))
      count += entry.path().filename().string().starts_with("epsim-sqlite-") ? 1U : 0U;
    return count;
  };
  {
    const SqliteFile file = SqliteFile::open((folder / "fruit.sqlite.gz").string());
    CHECK(file.has_table("Fruit"));
    CHECK(copies() == 1);
  }
  CHECK(copies() == 0);

  std::string cut = bytes_of(folder / "fruit.sqlite.gz");
  cut.resize(cut.size() / 2);
  write_bytes(folder / "cut.sqlite.gz", cut);
  CHECK_THROWS_WITH_AS((void)SqliteFile::open((folder / "cut.sqlite.gz").string()),
                       doctest::Contains("cut.sqlite.gz: byte"),
                       InputError);
  CHECK(copies() == 0);
}

TEST_CASE("sqlite file: a path with signs of an URI in it is a path") {
  const TemporaryFolder folder;
  const std::string path = small_database(folder / "what? 100%41#1.sqlite", kFruit);
  CHECK(SqliteFile::open(path).has_table("Fruit"));
}

TEST_CASE("sqlite file: a log-mode database without its log is read, and nothing appears beside") {
  const TemporaryFolder folder;
  const std::string path =
      small_database(folder / "log.sqlite", std::string("PRAGMA journal_mode=WAL;") + kFruit);
  REQUIRE_FALSE(fs::exists(path + "-wal"));  // the last connection merged it
  CHECK(SqliteFile::open(path).has_table("Fruit"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("sqlite file: one that another program is writing is an input error") {
  const TemporaryFolder folder;
  const std::string path = small_database(folder / "busy.sqlite", kFruit);
  TestDatabase writer(path);
  writer.run("BEGIN EXCLUSIVE");
  CHECK_THROWS_WITH_AS((void)SqliteFile::open(path),
                       doctest::Contains("busy.sqlite: table sqlite_schema: locked by another "
                                         "program that writes it"),
                       InputError);
  writer.run("COMMIT");
  CHECK_NOTHROW((void)SqliteFile::open(path));
}

TEST_CASE("sqlite file: one whose writer died in the middle is an input error") {
  // The writer's cache holds 10 pages: of the 2000 rows that it changes, most are in the file, and
  // what they were in the journal beside it.
  const TemporaryFolder folder;
  const std::string path = small_database(folder / "whole.sqlite", long_table());
  TestDatabase writer(path);
  writer.run("PRAGMA cache_size=10; BEGIN; UPDATE Numbers SET text = text || 'x'");
  REQUIRE(fs::exists(path + "-journal"));
  const fs::path left = folder / "left.sqlite";
  fs::copy_file(path, left);
  fs::copy_file(path + "-journal", left.string() + "-journal");
  CHECK_THROWS_WITH_AS((void)SqliteFile::open(left.string()),
                       doctest::Contains("left unfinished by the program that wrote it"),
                       InputError);
}

TEST_CASE("sqlite file: a truncated one is an input error that tells both lengths") {
  const TemporaryFolder folder;
  small_database(folder / "whole.sqlite", "PRAGMA page_size=4096;" + long_table());
  const std::string whole = bytes_of(folder / "whole.sqlite");
  REQUIRE(whole.size() > 100'000);
  for (const std::size_t kept :
       {std::size_t{50}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    CAPTURE(kept);
    write_bytes(folder / "cut.sqlite", std::string_view(whole).substr(0, kept));
    CHECK_THROWS_WITH_AS(
        (void)SqliteFile::open((folder / "cut.sqlite").string()),
        doctest::Contains(("cut.sqlite: byte " + std::to_string(kept) + ": truncated").c_str()),
        InputError);
  }
}

TEST_CASE("sqlite file: damage inside a table is an input error that names the table") {
  const TemporaryFolder folder;
  small_database(folder / "whole.sqlite", "PRAGMA page_size=4096;" + long_table());
  std::string bytes = bytes_of(folder / "whole.sqlite");
  for (std::size_t i = 4096; i < bytes.size(); ++i) bytes[i] = '\x7e';  // the schema stays
  write_bytes(folder / "damaged.sqlite", bytes);
  const SqliteFile file = SqliteFile::open((folder / "damaged.sqlite").string());
  const auto read_all = [&] {
    SqliteRows rows = file.rows("Numbers", {"n"});
    while (rows.next()) {
    }
  };
  CHECK_THROWS_WITH_AS(
      read_all(), doctest::Contains("table Numbers: damaged or truncated"), InputError);
}

TEST_CASE("sqlite file: what is no database is an input error that shows its first bytes") {
  const TemporaryFolder folder;
  write_bytes(folder / "text.sqlite", "{\"schemaVersion\": 1}");
  CHECK_THROWS_WITH_AS((void)SqliteFile::open((folder / "text.sqlite").string()),
                       doctest::Contains("byte 0: expected an SQLite database (\"SQLite format "
                                         "3\"), found 7b 22 73 63 68 65 6d 61"),
                       InputError);
  write_bytes(folder / "empty.sqlite", "");
  CHECK_THROWS_WITH_AS((void)SqliteFile::open((folder / "empty.sqlite").string()),
                       doctest::Contains("empty; expected an SQLite database"),
                       InputError);
  CHECK_THROWS_WITH_AS((void)SqliteFile::open(folder.path().string()),
                       doctest::Contains("expected a file, found a folder"),
                       InputError);
  CHECK_THROWS_WITH_AS((void)SqliteFile::open((folder / "none.sqlite").string()),
                       doctest::Contains("none.sqlite: no such file"),
                       InputError);
}

TEST_CASE("sqlite file: bytes in memory are read as a file is, for so many steps and no more") {
  const TemporaryFolder folder;
  small_database(folder / "whole.sqlite", long_table());
  const std::string bytes = bytes_of(folder / "whole.sqlite");
  const auto row_count = [](const SqliteFile& file) {
    std::size_t count = 0;
    for (SqliteRows rows = file.rows("Numbers", {"n"}); rows.next();) ++count;
    return count;
  };
  CHECK(row_count(SqliteFile::from_bytes(bytes, "memory")) == 2000);
  // A row takes about five steps: 2000 rows need more than 5000.
  CHECK_THROWS_WITH_AS((void)row_count(SqliteFile::from_bytes(bytes, "memory", 5000)),
                       doctest::Contains("takes SQLite too long to read"),
                       InputError);
}

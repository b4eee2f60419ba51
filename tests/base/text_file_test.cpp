#include "sim/base/text_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/rng.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;
namespace fs = std::filesystem;

namespace {

void write_bytes(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read_bytes(const fs::path& path) {
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

std::size_t file_count(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// Text that gzip cannot shrink to nothing, so that its file has a middle.
std::string noisy_text(std::size_t size) {
  Rng rng(7);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>('a' + rng.below(26));
  return text;
}

// While it lives, the disk is "full": no file of this process may grow past `bytes`.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace

TEST_CASE("text file: what is written reads back, plain or gzip'd by its name") {
  const TemporaryFolder folder;
  for (const std::string name : {"a.json", "a.json.gz"}) {
    CAPTURE(name);
    const fs::path path = folder.path() / name;
    for (const std::string& text : {std::string(), std::string("{}\n"), noisy_text(3U << 20)}) {
      replace_text_file(path, text);
      CHECK(read_text_file(path) == text);
    }
  }
  CHECK(read_bytes(folder.path() / "a.json.gz").starts_with("\x1f\x8b"));
  CHECK(read_bytes(folder.path() / "a.json") == noisy_text(3U << 20));
  CHECK(file_count(folder.path()) == 2);  // nothing left beside the two
}

TEST_CASE("text file: equal text makes equal gzip bytes") {
  const TemporaryFolder folder;
  replace_text_file(folder.path() / "a.gz", "same");
  replace_text_file(folder.path() / "b.gz", "same");
  CHECK(read_bytes(folder.path() / "a.gz") == read_bytes(folder.path() / "b.gz"));
}

TEST_CASE("text file: gzip is told by the first bytes, not by the name") {
  const TemporaryFolder folder;
  replace_text_file(folder.path() / "a.gz", "inside");
  fs::rename(folder.path() / "a.gz", folder.path() / "a.json");
  CHECK(read_text_file(folder.path() / "a.json") == "inside");
  write_bytes(folder.path() / "plain.gz", "plain");
  CHECK(read_text_file(folder.path() / "plain.gz") == "plain");
}

TEST_CASE("text file: a gzip file cut short is an input error wherever it was cut") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.gz";
  replace_text_file(path, noisy_text(100'000));
  const std::string whole = read_bytes(path);
  for (const std::size_t kept : {std::size_t{5}, whole.size() / 2, whole.size() - 1}) {
    CAPTURE(kept);
    write_bytes(path, std::string_view(whole).substr(0, kept));
    CHECK_THROWS_WITH_AS((void)read_text_file(path),
                         doctest::Contains("truncated gzip data; expected a whole .gz file"),
                         InputError);
  }
}

TEST_CASE("text file: a gzip file with a flipped bit is an input error") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.gz";
  replace_text_file(path, noisy_text(100'000));
  std::string bytes = read_bytes(path);
  // In the checksum, 8 bytes before the end: the data inflates well and only the sum can tell.
  bytes[bytes.size() - 8] = static_cast<char>(bytes[bytes.size() - 8] ^ 1);
  write_bytes(path, bytes);
  CHECK_THROWS_WITH_AS(
      (void)read_text_file(path), doctest::Contains("damaged gzip data"), InputError);
}

TEST_CASE("text file: a missing file and a folder are input errors that name the path") {
  const TemporaryFolder folder;
  const std::string missing = (folder.path() / "none.json").string();
  CHECK_THROWS_WITH_AS(
      (void)read_text_file(missing), (missing + ": no such file").c_str(), InputError);
  CHECK_THROWS_WITH_AS((void)read_text_file(folder.path()),
                       (folder.path().string() + ": expected a file, found a folder").c_str(),
                       InputError);
}

TEST_CASE("text file: a file larger than the limit is refused before it is read whole") {
  // 1 GiB of nothing: a sparse file, so it costs no disk; its size is seen before a byte is read.
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "huge.json";
  write_bytes(path, "");
  fs::resize_file(path, std::uintmax_t{1} << 30);
  CHECK_THROWS_WITH_AS((void)read_text_file(path, Bytes{2 << 20}),
                       (path.string() + ": larger than 2 MiB; expected a smaller file").c_str(),
                       InputError);
}

TEST_CASE("text file: the limit counts what comes out of the gzip file") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "bomb.gz";
  replace_text_file(path, std::string(8U << 20, 'x'));
  REQUIRE(fs::file_size(path) < 100'000);  // a run of one letter shrinks to a thousandth
  CHECK_THROWS_AS((void)read_text_file(path, Bytes{2 << 20}), InputError);
  CHECK(read_text_file(path, Bytes{8 << 20}).size() == 8U << 20);  // the limit itself is allowed
}

TEST_CASE(
    "text file: when the disk is full the old file stays whole and nothing is left beside it") {
  const TemporaryFolder folder;
  const std::string large = noisy_text(1U << 20);
  for (const std::string name : {"a.json", "a.json.gz"}) {
    CAPTURE(name);
    const fs::path path = folder.path() / name;
    replace_text_file(path, "old");
    {
      const FullDisk full(4096);
      CHECK_THROWS_AS(replace_text_file(path, large), std::system_error);
    }
    CHECK(read_text_file(path) == "old");
  }
  CHECK(file_count(folder.path()) == 2);
}

TEST_CASE("text file: a target that cannot be replaced is a system error and leaves nothing") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(replace_text_file(folder.path() / "none" / "a.json", "x"), std::system_error);
  fs::create_directory(folder.path() / "taken");
  CHECK_THROWS_AS(replace_text_file(folder.path() / "taken", "x"), std::system_error);
  CHECK(fs::is_directory(folder.path() / "taken"));
  CHECK(file_count(folder.path()) == 1);
}

TEST_CASE("text file: a path that the system cannot look up is an input error") {
  CHECK_THROWS_AS((void)read_text_file(std::string(5000, 'a')), InputError);
}

TEST_CASE("text file: a device is written to and stays a device") {
  const TemporaryFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  replace_text_file(pipe, "through");
  char received[8] = {};
  CHECK(::read(reader, received, sizeof received) == 7);
  CHECK(std::string(received) == "through");
  ::close(reader);
  CHECK(fs::is_fifo(pipe));
  CHECK_NOTHROW(replace_text_file("/dev/null", "nothing"));
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("text file: a link stays a link, and what it points to is replaced") {
  const TemporaryFolder folder;
  replace_text_file(folder.path() / "real.json", "old");
  fs::create_symlink("real.json", folder.path() / "link.json");
  replace_text_file(folder.path() / "link.json", "new");
  CHECK(fs::is_symlink(folder.path() / "link.json"));
  CHECK(read_text_file(folder.path() / "real.json") == "new");
}

#include "traces/byte_stream.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

std::string all_of(ByteStream stream, std::size_t step = 1000) {
  std::string all, part(step, '\0');
  for (;;) {
    const std::size_t count = stream.read(part.data(), step);
    all.append(part, 0, count);
    if (count < step) return all;
  }
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

// A gzip file of `text`, as bytes.
std::string gzip(const TemporaryFolder& folder, const std::string& text) {
  const std::filesystem::path path = folder.path() / "made.gz";
  replace_text_file(path, text);
  return bytes_of(path);
}

// Text that does not get small.
std::string long_text(std::size_t size) {
  std::string text;
  for (std::uint32_t x = 1; text.size() < size; x = x * 1664525U + 1013904223U)
    text += static_cast<char>('!' + (x >> 24) % 90);
  return text;
}

std::string error_of(const std::string& bytes) {
  try {
    (void)all_of(ByteStream::of_bytes(bytes, "file"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("ByteStream: plain bytes come as they are, whatever the steps") {
  const std::string text = long_text(700'000);  // more than one filling of the input
  for (const std::size_t step : {std::size_t{1} << 20, std::size_t{65536}, std::size_t{999}})
    CHECK(all_of(ByteStream::of_bytes(text, "file"), step) == text);
  CHECK(all_of(ByteStream::of_bytes("", "file")).empty());
}

TEST_CASE("ByteStream: gzip is told by its first bytes and inflated") {
  const TemporaryFolder folder;
  const std::string text = long_text(1'500'000);
  const std::string bytes = gzip(folder, text);
  ByteStream stream = ByteStream::of_bytes(bytes, "file");
  CHECK(stream.is_gzip());
  CHECK(stream.place(7) == "byte 7 of the inflated text");
  CHECK(all_of(std::move(stream)) == text);
  CHECK(all_of(ByteStream::of_file((folder.path() / "made.gz").string())) == text);
}

TEST_CASE("ByteStream: gzip members that follow one another are one stream") {
  const TemporaryFolder folder;
  CHECK(all_of(ByteStream::of_bytes(gzip(folder, "one ") + gzip(folder, "") + gzip(folder, "two"),
                                    "file")) == "one two");
}

TEST_CASE("ByteStream: zeros behind a gzip member are padding, and anything else is an error") {
  const TemporaryFolder folder;
  const std::string member = gzip(folder, "text");
  CHECK(all_of(ByteStream::of_bytes(member + std::string(512, '\0'), "file")) == "text");
  CHECK(error_of(member + std::string(3, '\0') + "junk") ==
        "file: byte " + std::to_string(member.size() + 3) +
            ": expected the end of the file or another gzip member behind the first, found "
            "something else");
}

TEST_CASE("ByteStream: gzip data that end too early or are damaged name the byte of the file") {
  const TemporaryFolder folder;
  const std::string member = gzip(folder, long_text(100'000));
  for (const std::size_t size :
       {std::size_t{2}, std::size_t{10}, member.size() / 2, member.size() - 1})
    CHECK(error_of(member.substr(0, size)) ==
          "file: byte " + std::to_string(size) +
              ": truncated gzip data: the file ends inside; expected a whole .gz file");
  std::string damaged = member;
  damaged[damaged.size() - 6] ^= 1;  // of the checksum
  CHECK(error_of(damaged).find(": damaged gzip data (incorrect data check); expected a whole") !=
        std::string::npos);
}

TEST_CASE("ByteStream: the first bytes can be looked at and stay in the stream") {
  const TemporaryFolder folder;
  const std::string text = long_text(10'000);
  for (const std::string& bytes : {text, gzip(folder, text)}) {
    ByteStream stream = ByteStream::of_bytes(bytes, "file");
    CHECK(stream.head() == text.substr(0, ByteStream::kHeadSize));
    CHECK(all_of(std::move(stream), 100) == text);
  }
  CHECK(ByteStream::of_bytes("ab", "file").head() == "ab");
  CHECK(ByteStream::of_bytes("", "file").head().empty());
}

TEST_CASE("ByteStream: a missing file and a folder are errors that name them") {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  CHECK_THROWS_WITH_AS((void)ByteStream::of_file(path),
                       (path + ": expected a file, found a folder").c_str(),
                       InputError);
  CHECK_THROWS_WITH_AS((void)ByteStream::of_file(path + "/none"),
                       (path + "/none: no such file").c_str(),
                       InputError);
}

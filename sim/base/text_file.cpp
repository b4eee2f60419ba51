#include "sim/base/text_file.hpp"

#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

struct GzipCloser {
  void operator()(gzFile file) const { gzclose(file); }
};
using GzipFile = std::unique_ptr<gzFile_s, GzipCloser>;

[[noreturn]] void fail_to_write(const std::filesystem::path& path) {
  throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), path.string());
}

void write_plain(const std::filesystem::path& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) fail_to_write(path);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool flushed = std::fflush(file) == 0 && fsync(fileno(file)) == 0;
  const bool closed = std::fclose(file) == 0;
  if (!written || !flushed || !closed) fail_to_write(path);
}

void write_gzip(const std::filesystem::path& path, std::string_view text) {
  GzipFile file(gzopen(path.c_str(), "wb6"));
  if (!file) fail_to_write(path);
  while (!text.empty()) {
    const auto piece = static_cast<unsigned>(std::min<std::size_t>(text.size(), 1U << 20));
    if (gzwrite(file.get(), text.data(), piece) != static_cast<int>(piece)) fail_to_write(path);
    text.remove_prefix(piece);
  }
  if (gzclose(file.release()) != Z_OK) fail_to_write(path);
}

}  // namespace

std::string read_text_file(const std::filesystem::path& path, Bytes limit) {
  if (!std::filesystem::exists(path)) throw InputError(path.string(), "", "no such file");
  if (std::filesystem::is_directory(path))
    throw InputError(path.string(), "", "expected a file, found a folder");
  const GzipFile file(gzopen(path.c_str(), "rb"));
  if (!file) throw InputError(path.string(), "", "cannot be opened for reading");

  std::string text;
  std::string piece(1U << 20, '\0');
  for (;;) {
    const int count = gzread(file.get(), piece.data(), static_cast<unsigned>(piece.size()));
    if (count < 0)
      throw InputError(path.string(), "", "damaged gzip data; expected a whole .gz file");
    if (count == 0) break;
    text.append(piece, 0, static_cast<std::size_t>(count));
    if (static_cast<std::int64_t>(text.size()) > limit.count)
      throw InputError(
          path.string(),
          "",
          fmt::format("larger than {} MiB; expected a smaller file", limit.count >> 20));
  }
  int state = Z_OK;
  (void)gzerror(file.get(), &state);
  if (state != Z_OK && state != Z_STREAM_END)
    throw InputError(path.string(), "", "truncated gzip data; expected a whole .gz file");
  return text;
}

void replace_text_file(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::path temporary = path;
  temporary += fmt::format(".{}.partial", getpid());
  errno = 0;
  try {
    path.extension() == ".gz" ? write_gzip(temporary, text) : write_plain(temporary, text);
    std::filesystem::rename(temporary, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

}  // namespace epsim

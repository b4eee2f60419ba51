#include "sim/base/text_file.hpp"

#include <unistd.h>
#ifdef EPSIM_HAS_ZLIB
#include <zlib.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#ifndef EPSIM_HAS_ZLIB
#include "sim/base/plain_gzip.hpp"
#endif

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
  // A pipe or a terminal cannot be synchronised and says EINVAL.
  const bool flushed =
      std::fflush(file) == 0 && (fsync(fileno(file)) == 0 || std::exchange(errno, 0) == EINVAL);
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

void write(const std::filesystem::path& path, std::string_view text, bool is_gzip) {
  errno = 0;
  is_gzip ? write_gzip(path, text) : write_plain(path, text);
}

// Removes a file when it goes, whatever happened; one that was renamed is no longer there.
struct Leftover {
  std::filesystem::path path;
  ~Leftover() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

}  // namespace

std::string read_text_file(const std::filesystem::path& path, Bytes limit) {
  std::error_code unknown;
  const std::filesystem::file_status status = std::filesystem::status(path, unknown);
  if (status.type() == std::filesystem::file_type::not_found)
    throw InputError(path.string(), "", "no such file");
  if (std::filesystem::is_directory(status))
    throw InputError(path.string(), "", "expected a file, found a folder");
  const GzipFile file(gzopen(path.c_str(), "rb"));
  if (!file) throw InputError(path.string(), "", "cannot be opened for reading");
  const auto fail_too_large = [&] {
    throw InputError(path.string(),
                     "",
                     fmt::format("larger than {} MiB; expected a smaller file", limit.count >> 20));
  };
  // A plain file tells its size before it is read.
  if (gzdirect(file.get()) != 0 && std::filesystem::is_regular_file(status) &&
      std::filesystem::file_size(path) > static_cast<std::uintmax_t>(limit.count))
    fail_too_large();

  std::string text;
  std::string piece(1U << 20, '\0');
  for (;;) {
    const int count = gzread(file.get(), piece.data(), static_cast<unsigned>(piece.size()));
    if (count < 0)
      throw InputError(path.string(), "", "damaged gzip data; expected a whole .gz file");
    if (count == 0) break;
    text.append(piece, 0, static_cast<std::size_t>(count));
    if (static_cast<std::int64_t>(text.size()) > limit.count) fail_too_large();
  }
  int state = Z_OK;
  (void)gzerror(file.get(), &state);
  if (state != Z_OK && state != Z_STREAM_END)
    throw InputError(path.string(), "", "truncated gzip data; expected a whole .gz file");
  return text;
}

void replace_text_file(const std::filesystem::path& path, std::string_view text) {
  namespace fs = std::filesystem;
  const bool is_gzip = path.extension() == ".gz";
  std::error_code unknown;
  const fs::file_status status = fs::status(path, unknown);
  // A pipe or device such as /dev/stdout is written to: replacing it would break it for others.
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status))
    return write(path, text, is_gzip);

  // A link stays a link: what it points to is replaced.
  const fs::path target = fs::is_symlink(path) && fs::exists(status) ? fs::canonical(path) : path;
  Leftover temporary{target};
  temporary.path += fmt::format(".{}.partial", getpid());
  try {
    write(temporary.path, text, is_gzip);
    fs::rename(temporary.path, target);
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), path.string());  // the name that the caller knows
  }
}

}  // namespace epsim

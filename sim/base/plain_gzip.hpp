// plain_gzip: the part of zlib's interface that text_file uses, for builds on machines without
// zlib. Plain files are read and written; compressed ones are refused.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>

struct gzFile_s {
  std::FILE* file;
  bool is_compressed;
};
using gzFile = gzFile_s*;
inline constexpr int Z_OK = 0;
inline constexpr int Z_STREAM_END = 1;

// A mode with a level ("wb6") asks for compression.
inline gzFile gzopen(const char* path, const char* mode) {
  if (std::strcmp(mode, "wb6") == 0) {
    errno = ENOTSUP;
    return nullptr;
  }
  std::FILE* file = std::fopen(path, mode);
  if (file == nullptr) return nullptr;
  const bool is_compressed = std::fgetc(file) == 0x1f && std::fgetc(file) == 0x8b;
  std::rewind(file);
  return new gzFile_s{file, is_compressed};
}
inline int gzclose(gzFile gz) {
  const int status = std::fclose(gz->file);
  delete gz;
  return status == 0 ? Z_OK : -1;
}
inline int gzdirect(gzFile gz) {
  return gz->is_compressed ? 0 : 1;
}
inline int gzread(gzFile gz, void* to, unsigned count) {
  if (gz->is_compressed) return -1;
  return static_cast<int>(std::fread(to, 1, count, gz->file));
}
inline int gzwrite(gzFile gz, const void* from, unsigned count) {
  return static_cast<int>(std::fwrite(from, 1, count, gz->file));
}
inline const char* gzerror(gzFile, int* state) {
  *state = Z_OK;
  return "";
}

#include "traces/byte_stream.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::size_t kInputSize = 256U << 10;
constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, gzip headers only

struct FileCloser {
  void operator()(std::FILE* file) const { (void)std::fclose(file); }
};

bool is_gzip_head(std::string_view bytes) {
  return bytes.starts_with("\x1f\x8b");
}

}  // namespace

struct ByteStream::State {
  std::string name;
  std::unique_ptr<std::FILE, FileCloser> file;  // null: `memory`
  std::string_view memory;
  std::string input;            // raw bytes taken from the file
  std::size_t input_begin = 0;  // of those not yet handed on
  std::uint64_t raw_count = 0;  // bytes taken from the file
  std::string head;             // inflated, looked at, not yet read
  std::size_t head_begin = 0;   // of those not yet read
  bool is_gzip = false;
  bool is_inflating = false;  // `inflater` is alive and inside a member
  z_stream inflater{};

  ~State() {
    if (is_gzip) (void)inflateEnd(&inflater);
  }

  std::size_t take_raw(char* to, std::size_t capacity);
  bool fill_input(std::size_t count = kInputSize);
  std::string_view pending() const { return std::string_view(input).substr(input_begin); }
  std::uint64_t raw_offset() const { return raw_count - pending().size(); }
  [[noreturn]] void fail(std::uint64_t offset, std::string_view what) const {
    throw InputError(name, "byte " + std::to_string(offset), what);
  }
  void start();
  void end_member();
  std::size_t inflate_into(char* to, std::size_t capacity);
  std::size_t plain_into(char* to, std::size_t capacity);
  std::size_t next_into(char* to, std::size_t capacity) {
    return is_gzip ? inflate_into(to, capacity) : plain_into(to, capacity);
  }
};

std::size_t ByteStream::State::take_raw(char* to, std::size_t capacity) {
  std::size_t count = 0;
  if (file) {
    count = std::fread(to, 1, capacity, file.get());
    if (count < capacity && std::ferror(file.get()) != 0)
      fail(raw_count + count, "cannot be read: " + std::generic_category().message(errno));
  } else {
    count = std::min(capacity, memory.size());
    if (count > 0) std::memcpy(to, memory.data(), count);
    memory.remove_prefix(count);
  }
  raw_count += count;
  return count;
}

// Adds raw bytes behind those that wait. False at the end of the file.
bool ByteStream::State::fill_input(std::size_t count) {
  input.erase(0, input_begin);
  input_begin = 0;
  const std::size_t waiting = input.size();
  input.resize(waiting + count);
  input.resize(waiting + take_raw(input.data() + waiting, count));
  return input.size() > waiting;
}

void ByteStream::State::start() {
  (void)fill_input(kHeadSize);  // plain bytes are then read to where they are wanted
  if (!is_gzip_head(input)) return;
  check(inflateInit2(&inflater, kGzipWindow) == Z_OK, "zlib has memory for one inflater");
  is_gzip = true;
  is_inflating = true;
}

std::size_t ByteStream::State::plain_into(char* to, std::size_t capacity) {
  const std::size_t count = std::min(capacity, pending().size());
  if (count > 0) std::memcpy(to, pending().data(), count);
  input_begin += count;
  return count + (count < capacity ? take_raw(to + count, capacity - count) : 0);
}

// What follows a member: another one, zeros that pad a block, or nothing.
void ByteStream::State::end_member() {
  is_inflating = false;
  while (pending().size() < 2 && fill_input()) {
  }
  if (is_gzip_head(pending())) {
    check(inflateReset(&inflater) == Z_OK, "an inflater that worked can start again");
    is_inflating = true;
    return;
  }
  do {
    const std::size_t other = pending().find_first_not_of('\0');
    if (other != std::string_view::npos)
      fail(raw_offset() + other,
           "expected the end of the file or another gzip member behind the first, "
           "found something else");
    input_begin = input.size();
  } while (fill_input());
}

std::size_t ByteStream::State::inflate_into(char* to, std::size_t capacity) {
  std::size_t count = 0;
  while (count < capacity && is_inflating) {
    if (pending().empty() && !fill_input())
      fail(raw_count, "truncated gzip data: the file ends inside; expected a whole .gz file");
    constexpr std::size_t kMost = 1U << 30;  // zlib counts in unsigned int
    std::string_view from = pending().substr(0, kMost);
    const std::size_t room = std::min(capacity - count, kMost);
    // zlib does not write to its input; its interface is older than const.
    inflater.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
    inflater.avail_in = static_cast<unsigned>(from.size());
    inflater.next_out = reinterpret_cast<Bytef*>(to + count);
    inflater.avail_out = static_cast<unsigned>(room);
    const int state = inflate(&inflater, Z_NO_FLUSH);
    input_begin += from.size() - inflater.avail_in;
    count += room - inflater.avail_out;
    if (state == Z_STREAM_END) {
      end_member();
    } else if (state != Z_OK && state != Z_BUF_ERROR) {
      const char* why = inflater.msg != nullptr ? inflater.msg : "no gzip data";
      fail(raw_offset(), "damaged gzip data (" + std::string(why) + "); expected a whole .gz file");
    }
  }
  return count;
}

ByteStream::ByteStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;
ByteStream::~ByteStream() = default;

ByteStream ByteStream::of_file(const std::string& path) {
  std::error_code unknown;
  const std::filesystem::file_status status = std::filesystem::status(path, unknown);
  if (status.type() == std::filesystem::file_type::not_found)
    throw InputError(path, "", "no such file");
  if (std::filesystem::is_directory(status))
    throw InputError(path, "", "expected a file, found a folder");
  auto state = std::make_unique<State>();
  state->name = path;
  state->file.reset(std::fopen(path.c_str(), "rb"));
  if (!state->file)
    throw InputError(
        path, "", "cannot be opened for reading: " + std::generic_category().message(errno));
  // Reads are large: the C library's own buffer would only copy.
  (void)std::setvbuf(state->file.get(), nullptr, _IONBF, 0);
  state->start();
  return ByteStream(std::move(state));
}

ByteStream ByteStream::of_bytes(std::string_view bytes, const std::string& name) {
  auto state = std::make_unique<State>();
  state->name = name;
  state->memory = bytes;
  state->start();
  return ByteStream(std::move(state));
}

const std::string& ByteStream::name() const {
  return state_->name;
}

bool ByteStream::is_gzip() const {
  return state_->is_gzip;
}

std::string_view ByteStream::head() {
  if (state_->head.empty()) {
    state_->head.resize(kHeadSize);
    state_->head.resize(state_->next_into(state_->head.data(), kHeadSize));
  }
  return state_->head;
}

std::size_t ByteStream::read(char* to, std::size_t capacity) {
  const std::string_view looked_at = std::string_view(state_->head).substr(state_->head_begin);
  const std::size_t count = std::min(capacity, looked_at.size());
  if (count > 0) std::memcpy(to, looked_at.data(), count);
  state_->head_begin += count;
  return count + (count < capacity ? state_->next_into(to + count, capacity - count) : 0);
}

std::string ByteStream::place(std::uint64_t offset) const {
  return "byte " + std::to_string(offset) + (state_->is_gzip ? " of the inflated text" : "");
}

}  // namespace epsim

// ByteStream: a file's bytes in order, inflated where they are gzip, and never all of them at once.
//
// Gzip is told by its first bytes, not by the file's name; members that follow one another are one
// stream, as gzip itself has it. A file that ends inside a member or goes on with something else
// throws InputError with the byte of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace epsim {

class ByteStream {
 public:
  // Throws InputError for a missing file, a folder, or one that cannot be read.
  [[nodiscard]] static ByteStream of_file(const std::string& path);
  // `bytes` must outlive the stream; `name` stands in errors where the path would.
  [[nodiscard]] static ByteStream of_bytes(std::string_view bytes, const std::string& name);

  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;
  ~ByteStream();

  [[nodiscard]] const std::string& name() const;
  [[nodiscard]] bool is_gzip() const;

  // The first bytes, at most `kHeadSize`, which stay in the stream. Before the first read only.
  static constexpr std::size_t kHeadSize = 4096;
  [[nodiscard]] std::string_view head();

  // Writes the next bytes to `to`: `capacity` of them unless the stream ends.
  [[nodiscard]] std::size_t read(char* to, std::size_t capacity);

  // How an error names byte `offset` of what read() gave.
  [[nodiscard]] std::string place(std::uint64_t offset) const;

 private:
  struct State;
  explicit ByteStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace epsim

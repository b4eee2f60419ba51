#include "traces/gpu_trace.hpp"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "traces/byte_stream.hpp"
#include "traces/kineto_reader.hpp"
#include "traces/nsys_reader.hpp"
#include "traces/recording_reader.hpp"

namespace epsim {
namespace {

constexpr std::string_view kSqliteMagic = "SQLite format 3";
constexpr std::string_view kSpaces = " \t\r\n";

// What a dump may be, for whoever brought something else.
constexpr std::string_view kExpected =
    "expected a PyTorch profiler dump (JSON), an Nsight Systems export (SQLite; nsys export --type "
    "sqlite makes one of an .nsys-rep file) or an epsim recording";

std::string_view without_spaces(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpaces);
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin);
}

// Takes `sign` and the spaces before it off `text`; false when it does not stand there.
bool take(std::string_view& text, std::string_view sign) {
  const std::string_view rest = without_spaces(text);
  if (!rest.starts_with(sign)) return false;
  text = rest.substr(sign.size());
  return true;
}

// The schema of a file of ours, which has it first; empty for files of others.
std::string_view schema_of(std::string_view head) {
  if (!take(head, "{") || !take(head, R"("schema")") || !take(head, ":") || !take(head, "\""))
    return {};
  return head.substr(0, head.find('"'));
}

}  // namespace

GpuTrace read_gpu_trace(const std::string& path) {
  ByteStream stream = ByteStream::of_file(path);
  std::string_view head = stream.head();
  if (head.starts_with(kSqliteMagic)) return read_nsys(path);
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  if (begins_as_recording(head)) return read_recording(path);
  const std::string_view schema = schema_of(head);
  if (!schema.empty())
    throw InputError(
        path, "/schema", fmt::format("{}, found a file of schema \"{:.40}\"", kExpected, schema));
  const std::string_view text = without_spaces(head);
  if (text.starts_with('{') || text.starts_with('[')) return read_kineto(std::move(stream));
  if (text.empty())
    throw InputError(path, stream.place(0), fmt::format("{}, found an empty file", kExpected));
  const auto offset = static_cast<std::uint64_t>(text.data() - stream.head().data());
  throw InputError(path,
                   stream.place(offset),
                   fmt::format("{}, found \"{:.20}\"", kExpected, text.substr(0, 20)));
}

}  // namespace epsim

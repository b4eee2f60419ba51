#include "traces/kineto_reader.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include <simdjson.h>

#include "sim/base/input_error.hpp"
#include "traces/byte_stream.hpp"
#include "traces/json_splitter.hpp"
#include "traces/kineto_fields.hpp"
#include "traces/kineto_glance.hpp"
#include "traces/kineto_trace.hpp"

namespace epsim {
namespace {

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;
using simdjson::SUCCESS;

static_assert(JsonSplitter::kPadding >= simdjson::SIMDJSON_PADDING);

// Whether `key` starts with `name` and its closing quote.
template <std::size_t N>
bool is_key(const char* key, const char (&name)[N]) {
  return std::memcmp(key, name, N - 1) == 0 && key[N - 1] == '"';
}

void take_arg(const char* key,
              std::string_view token,
              std::string_view rest,
              KinetoFields& fields) {
  const auto take = [&](const auto& name, std::string_view& field, std::string_view value) {
    if (is_key(key, name)) field = value;
  };
  switch (*key) {  // most keys of most events are none of these
    case 'd':
      return take("device", fields.device, token);
    case 'i':
      return take("inDevice", fields.device, token);
    case 's':
      take("stream", fields.stream, token);
      return take("shared memory", fields.shared_memory, token);
    case 'c':
      take("correlation", fields.correlation, token);
      return take("cuda_sync_kind", fields.synchronisation, token);
    case 'r':
      return take("registers per thread", fields.registers, token);
    case 'g':
      take("grid", fields.grid, rest);
      return take("graph node id", fields.graph_node, token);
    case 'b':
      take("block", fields.block, rest);
      return take("bytes", fields.bytes, token);
    case 'w':
      take("wait_on_stream", fields.waited_stream, token);
      return take("wait_on_cuda_event_record_corr_id", fields.waited_record, token);
    default:
      return;
  }
}

// Calls `visit(field)` for each member in order, until one is no JSON: an object that simdjson has
// found broken must not be asked again.
template <typename Visit>
error_code for_each_member(ondemand::object& object, Visit visit) {
  for (auto member : object) {
    ondemand::field field;
    if (const error_code error = std::move(member).get(field)) return error;
    if (const error_code error = visit(field)) return error;
  }
  return SUCCESS;
}

error_code parse_args(ondemand::value value, std::string_view event, KinetoFields& fields) {
  ondemand::object args;
  const error_code not_object = value.get_object().get(args);
  if (not_object == simdjson::INCORRECT_TYPE) return SUCCESS;  // null stands for none
  if (not_object != SUCCESS) return not_object;
  fields.has_args = true;
  return for_each_member(args, [&](ondemand::field& field) {
    const std::string_view token = field.value().raw_json_token();
    const auto begin = static_cast<std::size_t>(token.data() - event.data());
    take_arg(field.key().raw(), token, event.substr(begin), fields);
    return SUCCESS;
  });
}

// The value of "name" without escapes, or as it stands where an escape is none of JSON's.
std::string_view unescaped(ondemand::value value, std::string_view token) {
  std::string_view text;
  if (token.find('\\') == std::string_view::npos || value.get_string().get(text) != SUCCESS)
    return bare_text(token);
  return text;
}

void take_member(ondemand::field& field, KinetoFields& fields) {
  const char* key = field.key().raw();
  const std::string_view token = field.value().raw_json_token();
  if (is_key(key, "name")) fields.name = unescaped(field.value(), token);
  if (is_key(key, "ph")) fields.phase = bare_text(token);
  if (is_key(key, "cat")) fields.category = bare_text(token);
  if (is_key(key, "pid")) fields.process = token;
  if (is_key(key, "tid")) fields.thread = token;
  if (is_key(key, "ts")) fields.start = bare_text(token);
  if (is_key(key, "dur")) fields.time = bare_text(token);
}

class KinetoReader {
 public:
  explicit KinetoReader(ByteStream stream) : stream_(std::move(stream)), trace_(stream_.name()) {}

  GpuTrace read();

 private:
  void take_ranks(const JsonPiece& piece);
  void take_devices(const JsonPiece& piece);
  void take_event(const JsonPiece& piece);
  void take_mended(const JsonPiece& piece);
  error_code iterate(std::string_view text, ondemand::document& document) {
    return parser_.iterate(text.data(), text.size(), text.size() + JsonSplitter::kPadding)
        .get(document);
  }
  error_code parse_event(std::string_view text, KinetoFields& fields);
  std::string warn_of_ending(const JsonSplitter::Ending& ending);

  ByteStream stream_;
  KinetoTrace trace_;
  ondemand::parser parser_;
};

GpuTrace KinetoReader::read() {
  JsonSplitter splitter(stream_, "traceEvents");
  JsonPiece piece;
  while (splitter.next(piece)) {
    if (piece.is_element)
      take_event(piece);
    else if (piece.key == "distributedInfo")
      take_ranks(piece);
    else if (piece.key == "deviceProperties")
      take_devices(piece);
    else
      trace_.set_member(piece.key, piece.text, stream_.place(piece.offset));
  }
  const std::string hint = warn_of_ending(splitter.ending());
  return trace_.finish(hint);
}

// Says what the document's end has to say; the answer is a reason why events may be missing.
std::string KinetoReader::warn_of_ending(const JsonSplitter::Ending& ending) {
  if (ending.text_behind)
    trace_.warn("text behind the end of the dump read past", stream_.place(*ending.text_behind));
  if (ending.first_stray)
    trace_.warn("texts between events that are no comma read past",
                stream_.place(*ending.first_stray),
                ending.stray_count);
  if (ending.cut_short) {
    const std::string place = stream_.place(*ending.cut_short);
    trace_.warn("end of the file inside the dump: what begins there is lost", place);
    return "the file ends inside the dump, in what begins at " + place;
  }
  if (!ending.has_array)
    throw InputError(stream_.name(),
                     stream_.place(0),
                     "expected a PyTorch profiler dump, found JSON without \"traceEvents\"");
  return {};
}

void KinetoReader::take_ranks(const JsonPiece& piece) {
  const std::string place = stream_.place(piece.offset);
  ondemand::document document;
  ondemand::object object;
  if (iterate(piece.text, document) != SUCCESS || document.get_object().get(object) != SUCCESS)
    return trace_.warn("distributedInfo that is no JSON object left out", place);
  std::optional<std::string_view> rank, rank_count;
  const error_code broken = for_each_member(object, [&](ondemand::field& field) {
    const char* key = field.key().raw();
    const std::string_view token = field.value().raw_json_token();
    if (is_key(key, "rank")) rank = token;
    if (is_key(key, "world_size")) rank_count = token;
    return SUCCESS;
  });
  if (broken != SUCCESS) trace_.warn("distributedInfo that is broken read in part", place);
  trace_.set_rank(rank, rank_count, place);
}

void KinetoReader::take_devices(const JsonPiece& piece) {
  const auto warn = [&] {
    trace_.warn("deviceProperties that are no JSON objects left out", stream_.place(piece.offset));
  };
  ondemand::document document;
  ondemand::array devices;
  if (iterate(piece.text, document) != SUCCESS || document.get_array().get(devices) != SUCCESS)
    return warn();
  for (auto element : devices) {
    ondemand::object device;
    if (element.get_object().get(device) != SUCCESS) return warn();
    std::string_view id, sm_count, name;
    const error_code broken = for_each_member(device, [&](ondemand::field& field) {
      const char* key = field.key().raw();
      const std::string_view token = field.value().raw_json_token();
      if (is_key(key, "id")) id = token;
      if (is_key(key, "numSms")) sm_count = token;
      if (is_key(key, "name")) name = bare_text(token);
      return SUCCESS;
    });
    if (broken != SUCCESS) return warn();
    trace_.add_device(id, sm_count, name);
  }
}

void KinetoReader::take_event(const JsonPiece& piece) {
  if (!trace_.wants(glance_at_event(piece.text))) return;
  KinetoFields fields;
  if (parse_event(piece.text, fields) == SUCCESS)
    trace_.add(fields, [&] { return stream_.place(piece.offset); });
  else
    take_mended(piece);
}

error_code KinetoReader::parse_event(std::string_view text, KinetoFields& fields) {
  ondemand::document document;
  ondemand::object event;
  if (const error_code error = iterate(text, document)) return error;
  if (const error_code error = document.get_object().get(event)) return error;
  return for_each_member(event, [&](ondemand::field& field) -> error_code {
    if (is_key(field.key().raw(), "args")) return parse_args(field.value(), text, fields);
    take_member(field, fields);
    return SUCCESS;
  });
}

// Kineto does not always escape what others named: control characters and broken UTF-8 are written
// over, then the event is read once more.
void KinetoReader::take_mended(const JsonPiece& piece) {
  const bool is_utf8 = simdjson::validate_utf8(piece.text.data(), piece.text.size());
  std::string text(piece.text);
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ') c = ' ';
    if (byte >= 0x80 && !is_utf8) c = '?';
  }
  const bool is_changed = text != piece.text;
  text.append(JsonSplitter::kPadding, ' ');
  const std::string place = stream_.place(piece.offset);
  KinetoFields fields;
  const std::string_view event = std::string_view(text).substr(0, piece.text.size());
  if (parse_event(event, fields) != SUCCESS)
    return trace_.warn("events that are no JSON objects dropped", place);
  if (is_changed) trace_.warn("events with characters that JSON forbids mended", place);
  trace_.add(fields, [&] { return place; });
}

}  // namespace

GpuTrace read_kineto(const std::string& path) {
  return read_kineto(ByteStream::of_file(path));
}

GpuTrace read_kineto(ByteStream stream) {
  return KinetoReader(std::move(stream)).read();
}

GpuTrace parse_kineto(std::string_view bytes, const std::string& name) {
  return read_kineto(ByteStream::of_bytes(bytes, name));
}

}  // namespace epsim

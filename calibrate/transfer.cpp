#include "calibrate/transfer.hpp"

#include <array>
#include <string_view>

#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr std::array<std::string_view, 3> kUnitNames = {"us", "GB/s", "Mmsg/s"};
constexpr std::int64_t kMostBytes = 1LL << 50;
constexpr std::int64_t kMostRanks = 1'000'000;
constexpr double kGreatest = 1e12;

std::uint32_t whole(const JsonValue& value) {
  return static_cast<std::uint32_t>(value.integer_in(0, kMostRanks));
}

double positive(const JsonValue& value) {
  const double number = value.number_in(0, kGreatest);
  if (number == 0) value.fail_expected("a number above 0");
  return number;
}

Transfer read_transfer(const JsonValue& value) {
  JsonObject object = value.object();
  Transfer transfer;
  transfer.id = object.required("id").string();
  transfer.tool = object.required("tool").string();
  transfer.operation = object.required("operation").string();
  if (const auto variant = object.optional("variant")) transfer.variant = variant->string();
  if (const auto bytes = object.optional("bytes"))
    transfer.size = Bytes{bytes->integer_in(1, kMostBytes)};
  if (const auto ranks = object.optional("ranks")) transfer.ranks = whole(*ranks);
  if (const auto pair = object.optional("pair")) {
    const auto ends = pair->array();
    if (ends.size() != 2) pair->fail_expected("[from, to]");
    transfer.pair = {whole(ends[0]), whole(ends[1])};
  }
  if (const auto count = object.optional("queue_pairs")) transfer.queue_pairs = whole(*count);
  if (const auto count = object.optional("writes_per_doorbell"))
    transfer.writes_per_doorbell = whole(*count);
  transfer.value = positive(object.required("value"));
  const JsonValue unit = object.required("unit");
  transfer.unit = static_cast<TransferUnit>(unit.one_of({kUnitNames.begin(), kUnitNames.end()}));
  if (const auto interval = object.optional("interval")) {
    const auto ends = interval->array();
    if (ends.size() != 2) interval->fail_expected("[low, high]");
    transfer.interval = Spread{positive(ends[0]), positive(ends[1])};
    if (transfer.interval->low > transfer.interval->high) interval->fail_expected("[low, high]");
  }
  transfer.file = object.required("file").string();
  transfer.place = object.required("place").string();
  object.finish();
  return transfer;
}

void write_transfer(const Transfer& transfer, JsonWriter& writer) {
  writer.begin_object().field("id", transfer.id).field("tool", transfer.tool);
  writer.field("operation", transfer.operation);
  if (!transfer.variant.empty()) writer.field("variant", transfer.variant);
  if (transfer.size > Bytes{}) writer.field("bytes", transfer.size.count);
  if (transfer.ranks > 0) writer.field("ranks", transfer.ranks);
  if (transfer.pair)
    writer.key("pair")
        .begin_array()
        .value(transfer.pair->first)
        .value(transfer.pair->second)
        .end_array();
  if (transfer.queue_pairs > 0) writer.field("queue_pairs", transfer.queue_pairs);
  if (transfer.writes_per_doorbell > 0)
    writer.field("writes_per_doorbell", transfer.writes_per_doorbell);
  writer.field("value", transfer.value).field("unit", name_of(transfer.unit));
  if (transfer.interval)
    writer.key("interval")
        .begin_array()
        .value(transfer.interval->low)
        .value(transfer.interval->high)
        .end_array();
  writer.field("file", transfer.file).field("place", transfer.place).end_object();
}

void write_words(std::string_view key, const std::vector<std::string>& words, JsonWriter& writer) {
  writer.key(key).begin_array();
  for (const std::string& word : words) writer.value(word);
  writer.end_array();
}

}  // namespace

std::string_view name_of(TransferUnit unit) {
  return kUnitNames[static_cast<std::size_t>(unit)];
}

std::string transfers_text(const TransferSet& set) {
  JsonWriter writer(2);
  writer.begin_object().field("schema", "epsim.transfers/1").field("system", set.system);
  write_words("files", set.files, writer);
  write_words("notes", set.notes, writer);
  writer.key("records").begin_array();
  for (const Transfer& transfer : set.records) write_transfer(transfer, writer);
  writer.end_array().end_object();
  return writer.take();
}

TransferSet read_transfers(const std::filesystem::path& path) {
  const JsonDocument document = JsonDocument::read(path);
  JsonObject object = document.root().object();
  (void)object.required("schema").one_of({"epsim.transfers/1"});
  TransferSet set;
  set.system = object.required("system").string();
  for (const JsonValue& file : object.required("files").array()) set.files.push_back(file.string());
  for (const JsonValue& note : object.required("notes").array()) set.notes.push_back(note.string());
  for (const JsonValue& record : object.required("records").array())
    set.records.push_back(read_transfer(record));
  object.finish();
  return set;
}

}  // namespace epsim

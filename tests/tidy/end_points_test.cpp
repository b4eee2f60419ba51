// examples/published/end_points.json: records that scripts/update-plan can ask about, and whose
// figures agree with each other.
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kEndPoints =
    std::filesystem::path(EPSIM_SOURCE_DIR) / "examples/published/end_points.json";

std::vector<JsonValue> listed(std::string_view key) {
  JsonObject file = JsonDocument::read(kEndPoints).root().object();
  return file.required(key).array();
}

std::string text_of(JsonObject& record, std::string_view key) {
  return record.required(key).string();
}

// A record's throughput under "published" or "comparable"; 0 where there is none.
double figure_of(JsonObject& record, std::string_view kind, std::string_view key) {
  const auto kept = record.optional(kind);
  if (!kept || kept->is_null()) return 0;
  JsonObject figures = kept->object();
  return figures.required(key).number();
}

}  // namespace

TEST_CASE("end points: each record names its source, and a name is used once") {
  std::set<std::string> names;
  for (const JsonValue& value : listed("records")) {
    JsonObject record = value.object();
    const std::string name = text_of(record, "id");
    CAPTURE(name);
    CHECK(names.insert(name).second);
    CHECK(text_of(record, "source").starts_with("https://"));
    CHECK(record.required("role").one_of({"target", "unseen"}) <= 1);
    CHECK(record.required("phase").one_of({"prefill", "decode"}) <= 1);
  }
  CHECK(names.size() >= 19);
}

TEST_CASE("end points: a GPU's published figure is its node's, divided by the node's GPUs") {
  for (const JsonValue& value : listed("records")) {
    JsonObject record = value.object();
    const std::string name = text_of(record, "id");
    CAPTURE(name);
    const double gpus = record.required("gpus_per_node").number();
    const double node = figure_of(record, "published", "tokens_per_s_per_node");
    const double gpu = figure_of(record, "published", "tokens_per_s_per_gpu");
    // Sources round both: 42.6k a node beside 5333 a GPU is 0.2 % apart, 14.7k beside 1850 0.7 %.
    CHECK(std::abs(gpu * gpus - node) <= 0.01 * node);
  }
}

TEST_CASE("end points: a record is asked with one deployment, or says why it is not") {
  for (const JsonValue& value : listed("records")) {
    JsonObject record = value.object();
    const std::string name = text_of(record, "id");
    CAPTURE(name);
    if (record.optional("not_run")) {
      CHECK_FALSE(record.optional("settings").has_value());
      continue;
    }
    JsonObject settings = record.required("settings").object();
    const auto ranks = settings.required("ranks").integer_in(1, 4096);
    CHECK(record.required("gpus").integer_in(1, 4096) == ranks);
    CHECK(ranks % settings.required("attention_ranks").integer_in(1, 64) == 0);
    // Experts and copies fill the ranks evenly: DeepSeek-V3 has 256, Kimi K2 384.
    const std::int64_t experts = text_of(record, "model") == "kimi-k2" ? 384 : 256;
    CHECK((experts + settings.required("redundant").integer_in(0, 4096)) % ranks == 0);
    for (const char* key : {"isl", "osl", "batch"})
      CHECK(settings.required(key).integer_in(1, 1 << 20) >= 1);
    CHECK(settings.required("micro_batching").one_of({"none", "tbo"}) <= 1);
    CHECK_FALSE(settings.required("kernel").string().empty());
    if (const auto topology = settings.optional("topology"))
      CHECK(std::filesystem::exists(std::filesystem::path(EPSIM_SOURCE_DIR) / topology->string()));
    CHECK_FALSE(text_of(record, "missing").empty());
    if (figure_of(record, "comparable", "tokens_per_s_per_gpu") > 0)
      CHECK(record.required("aim_pct").number() == 15);
  }
}

TEST_CASE("end points: a pair's halves differ in micro-batching alone") {
  std::map<std::string, JsonValue> settings;
  for (const JsonValue& value : listed("records")) {
    JsonObject record = value.object();
    if (const auto kept = record.optional("settings"))
      settings.emplace(text_of(record, "id"), *kept);
  }
  for (const JsonValue& value : listed("pairs")) {
    JsonObject pair = value.object();
    JsonObject with = settings.at(text_of(pair, "record")).object();
    JsonObject without = settings.at(text_of(pair, "against")).object();
    CAPTURE(text_of(pair, "id"));
    CHECK(with.keys() == without.keys());
    for (const std::string& key : with.keys()) {
      CAPTURE(key);
      const bool is_same = with.required(key).dump() == without.required(key).dump();
      CHECK(is_same == (key != "micro_batching"));
    }
    CHECK(pair.required("published_gain_pct").array().size() == 2);
  }
}

TEST_CASE("end points: cache hits and two verified tokens a step are reckoned as the file says") {
  std::map<std::string, double> comparable;
  for (const JsonValue& value : listed("records")) {
    JsonObject record = value.object();
    comparable[text_of(record, "id")] = figure_of(record, "comparable", "tokens_per_s_per_gpu");
  }
  // 73700 x (1 - 0.563) / 8 = 4025.9
  CHECK(comparable.at("deepseek-production-prefill") == doctest::Approx(4026).epsilon(0.0005));
  // 18598 / 8 x 2 / 1.6 = 2905.9
  CHECK(comparable.at("deepseek-profile-decode") == doctest::Approx(2905.9).epsilon(0.0005));
  // 17373 / 8 x 2 / 1.6 = 2714.5, 12929 / 8 x 2 / 1.6 = 2020.2
  CHECK(comparable.at("sglang-h100-decode-4k-two-tokens") ==
        doctest::Approx(2714.5).epsilon(0.0005));
  CHECK(comparable.at("sglang-h100-decode-4k-two-tokens-one-batch") ==
        doctest::Approx(2020.2).epsilon(0.0005));
  // 22310 / 1.255 / 8 = 2222.1
  CHECK(comparable.at("sglang-h100-decode-2k-one-batch") ==
        doctest::Approx(2222.1).epsilon(0.0005));
}

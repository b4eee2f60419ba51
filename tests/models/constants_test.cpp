#include "models/constants.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "models/calibration.hpp"
#include "models/kernel_families.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

constexpr std::array kTable = {
    ConstantSpec{"hop", "us", 0, 10, "one way"},
    ConstantSpec{"rate", "GB/s", 1, 500, "of a link"},
};

const std::string kGood =
    R"({"hop": {"value": 1.5, "unit": "us", "interval": [1, 2], "source": "probe"},
        "rate": {"value": 100, "unit": "GB/s", "interval": [90, 110], "source": "probe"}})";

ConstantSet read(const std::string& text) {
  return read_constants(JsonDocument::parse(text, "c.json").root(), kTable);
}

std::string good_with(const std::string& piece, const std::string& replacement) {
  std::string text = kGood;
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

}  // namespace

TEST_CASE("constants: a set gives each value in the type of its unit") {
  const ConstantSet set = read(kGood);
  CHECK(set.duration("hop") == 1500ns);
  CHECK(set.bandwidth("rate") == Bandwidth{100e9});
  CHECK(set.at("hop").low == 1.0);
  CHECK(set.at("hop").high == 2.0);
  CHECK(set.at("rate").source == "probe");
  CHECK(set.contains("rate"));
  CHECK_FALSE(set.contains("Rate"));
}

TEST_CASE("constants: what is written reads back the same") {
  JsonWriter writer;
  write_constants(read(kGood), writer);
  const ConstantSet again = read(writer.take());
  CHECK(again.duration("hop") == 1500ns);
  CHECK(again.at("rate").high == 110.0);
  CHECK(again.at("rate").source == "probe");
}

TEST_CASE("constants: a file that breaks its table is refused at the place that breaks it") {
  const auto refused =
      [](const std::string& piece, const std::string& replacement, const char* text) {
        CAPTURE(replacement);
        CHECK_THROWS_WITH_AS((void)read(good_with(piece, replacement)), text, InputError);
      };
  refused("\"hop\"", "\"hopp\"", "c.json: missing key \"hop\"");
  refused("{\"hop\"", "{\"hip\": 1, \"hop\"", "c.json: /hip: unknown key; did you mean \"hop\"?");
  refused("\"us\"", "\"ns\"", "c.json: /hop/unit: expected \"us\", found \"ns\"");
  refused("1.5", "10.5", "c.json: /hop/value: expected a number from 0 to 10, found 10.5");
  refused("100", "0.5", "c.json: /rate/value: expected a number from 1 to 500, found 0.5");
  refused("1.5", "\"1.5 us\"", "c.json: /hop/value: expected a number, found \"1.5 us\"");
  refused("[1, 2]", "[1]", "c.json: /hop/interval: expected [low, high], found an array of 1");
  refused(", \"source\": \"probe\"},", "},", "c.json: /hop: missing key \"source\"");
  refused("\"source\"",
          "\"note\": 1, \"source\"",
          "c.json: /hop/note: unknown key; expected one of interval, source, unit, value");
}

TEST_CASE("constants: a name or a unit that the table does not have is a bug") {
  const ConstantSet set = read(kGood);
  CHECK_THROWS_WITH_AS((void)set.duration("hops"), "no constant \"hops\" in this set", Bug);
  CHECK_THROWS_AS((void)set.duration("rate"), Bug);
  CHECK_THROWS_AS((void)set.bandwidth("hop"), Bug);
  CHECK_THROWS_AS((void)set.ratio("hop"), Bug);
  CHECK_THROWS_AS((void)set.with("hops", 1.0), Bug);
}

TEST_CASE("constants: a copy with another value leaves the set as it was") {
  const ConstantSet set = read(kGood);
  CHECK(set.with("hop", 3.0).duration("hop") == 3us);
  CHECK(set.duration("hop") == 1500ns);
}

TEST_CASE("constants: a constant put twice stands once, with the later value") {
  ConstantSet set;
  set.put({.name = "x", .unit = "1", .value = 1, .low = 0, .high = 1, .source = ""});
  set.put({.name = "x", .unit = "1", .value = 2, .low = 0, .high = 1, .source = ""});
  CHECK(set.all().size() == 1);
  CHECK(set.ratio("x") == 2.0);
}

TEST_CASE("constants: every table has names of its own, known units and bounds in order") {
  std::vector<std::span<const ConstantSpec>> tables = {hardware_constants()};
  for (const FamilyKind& kind : kernel_families()) tables.push_back(kind.constants());
  for (const auto table : tables)
    for (const ConstantSpec& spec : table) {
      CAPTURE(spec.name);
      CHECK(std::count_if(table.begin(), table.end(), [&](const ConstantSpec& other) {
              return other.name == spec.name;
            }) == 1);
      const bool is_known =
          spec.unit == "us" || spec.unit == "ns" || spec.unit == "GB/s" || spec.unit == "1";
      CHECK(is_known);
      CHECK(spec.low < spec.high);
      CHECK_FALSE(spec.meaning.empty());
    }
}

TEST_CASE("constants: every fence costs what its constant says, and none costs nothing") {
  ConstantSet hardware;
  double cost = 100;
  for (const char* name : {"fence_acq_rel_cta",
                           "fence_acq_rel_gpu",
                           "fence_acq_rel_sys",
                           "fence_proxy_async",
                           "fence_proxy_async_global",
                           "fence_proxy_async_shared_cta"})
    hardware.put(
        {.name = name, .unit = "ns", .value = cost += 100, .low = 0, .high = 0, .source = ""});
  CHECK(fence_cost(hardware, FenceKind::none) == Duration{});
  CHECK(fence_cost(hardware, FenceKind::acq_rel_cta) == 200ns);
  CHECK(fence_cost(hardware, FenceKind::acq_rel_gpu) == 300ns);
  CHECK(fence_cost(hardware, FenceKind::acq_rel_sys) == 400ns);
  CHECK(fence_cost(hardware, FenceKind::proxy_async) == 500ns);
  CHECK(fence_cost(hardware, FenceKind::proxy_async_global) == 600ns);
  CHECK(fence_cost(hardware, FenceKind::proxy_async_shared_cta) == 700ns);
}

#include <string>

#include <doctest/doctest.h>

#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/export_document.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

// One deployment of 32 ranks; `what` are its batch, micro-batches, latency and throughput.
std::string result(const std::string& what, bool is_pareto) {
  return R"({"ranks": 32, "attention_ranks": 1, "redundant_experts": 0, "kernel": "ll", "sms": 0,
    "step_us": 40000, "step_interval_us": [38000, 42000], "latency_interval_ms": [38, 42],
    "throughput_interval": [900, 1100], "compute_us": 30000, "communication_us": 15000,
    "exposed_us": 10000, "overlap_pct": 33, "dispatch_us": 90, "combine_us": 160,
    "expert_imbalance": 1.2, "parts": [{"name": "experts", "share": 0.6},
    {"name": "attention", "share": 0.4}], "memory": {"weights_bytes": 3e10, "cache_bytes": 2e10,
    "buffers_bytes": 5e9, "activations_bytes": 1e9, "capacity_bytes": 7e10,
    "buffers_needed_bytes": 2e9}, "meets_slo": true, "beyond_range": [], "pareto": )" +
         std::string(is_pareto ? "true" : "false") + ", " + what + "}";
}

std::string plan(const std::string& recommended, const std::string& gains) {
  return R"({"schema": "epsim.capacity/1", "question": {"model": "m", "model_source": "preset",
    "system": "hgx", "gpus": 32, "phase": "decode", "input_tokens": 4096, "output_tokens": 1024,
    "slo_ms": 50, "routing": "random", "memory_share": 0.9, "seed": 0}, "topology": "hgx",
    "gpu": "H200", "counts": {"enumerated": 10000, "impossible": 1, "too_large": 2, "too_slow": 3,
    "dominated": 4, "simulated": 3}, "results": [)" +
         result(R"("batch": 128, "micro_batching": "tbo", "latency_ms": 40,
           "tokens_per_s_per_gpu": 3000)",
                true) +
         ", " +
         result(R"("batch": 64, "micro_batching": "none", "latency_ms": 25,
           "tokens_per_s_per_gpu": 2000)",
                true) +
         ", " +
         result(R"("batch": 128, "micro_batching": "none", "latency_ms": 45,
           "tokens_per_s_per_gpu": 2800)",
                false) +
         R"(], "recommended": )" + recommended + R"(, "nearest": null, "reason": "it is fast",
    "two_batch": {"pays_from": 128, "batches": [64, 128], "gain_pct": )" +
         gains + R"(}, "notes": ["attention is a roofline"]})";
}

ExportDocument read_text(const std::string& text) {
  const TemporaryFolder folder;
  replace_text_file(folder / "plan.json", text);
  return read_results({folder / "plan.json"});
}

std::string word(const ExportTable& table, std::size_t row, const std::string& column) {
  return cell_text(table.rows.at(row)[column_index(table, column)]);
}

}  // namespace

TEST_CASE(
    "Capacity plan: deployments are named by what differs, and the recommended one stands out") {
  const ExportDocument document = read_text(plan("0", "[-2, 5]"));
  CHECK(document.title == "Decode of m on 32 GPUs of hgx");
  CHECK(document.sections[0].paragraphs[0].starts_with("Recommended: EP "));
  CHECK(document.sections[0].paragraphs[0].ends_with(". Why: it is fast."));
  const ExportTable& table = table_of(document, "deployments_1");
  REQUIRE(table.rows.size() == 3);
  CHECK(word(table, 0, "deployment") == "batch 128 · tbo");
  CHECK(word(table, 0, "way") == "recommended");
  CHECK(word(table, 1, "deployment") == "batch 64");
  CHECK(word(table, 1, "way") == "ll");
  CHECK(word(table, 0, "bottleneck") == "experts");
  CHECK(word(table, 0, "memory_gb") == "56");  // 30 + 20 + 5 + 1
  CHECK(column_label(table, "latency_ms") == "time per output token, ms");
}

TEST_CASE("Capacity plan: the recommended deployment comes first, whichever it is") {
  const ExportTable table = table_of(read_text(plan("1", "[-2, 5]")), "deployments_1");
  REQUIRE(table.rows.size() == 3);
  CHECK(word(table, 0, "deployment") == "batch 64");
  CHECK(word(table, 0, "way") == "recommended");
  CHECK(word(table, 1, "deployment") == "batch 128 · tbo");
  CHECK(word(table, 1, "way") == "ll, tbo");
}

TEST_CASE("Capacity plan: a rank that exchanges with nobody has a way of serving too") {
  std::string text = plan("null", "[-2, 5]");
  for (std::size_t at = 0; (at = text.find("\"kernel\": \"ll\"", at)) != std::string::npos;)
    text.replace(at, std::string("\"kernel\": \"ll\"").size(), "\"kernel\": \"\"");
  const ExportTable table = table_of(read_text(text), "deployments_1");
  CHECK(word(table, 1, "way") == "no exchange");
}

TEST_CASE("Capacity plan: steps and memory are compared along the Pareto line by rising latency") {
  const ExportDocument document = read_text(plan("null", "[-2, 5]"));
  const ExportTable& parts = table_of(document, "parts_1");
  REQUIRE(parts.rows.size() == 4);  // two parts of each of two deployments
  CHECK(word(parts, 0, "deployment") == "batch 64");
  CHECK(word(parts, 0, "share_pct") == "60");
  CHECK(word(parts, 2, "deployment") == "batch 128 · tbo");
  const ExportTable& memory = table_of(document, "memory_1");
  REQUIRE(memory.rows.size() == 10);
  CHECK(word(memory, 3, "use") == "buffers, in reserve");
  CHECK(word(memory, 3, "size_gb") == "3");  // 5 GB, of which even load needs 2
  const ExportTable& gains = table_of(document, "two_batch_1");
  CHECK(word(gains, 1, "gain_pct") == "5");
}

TEST_CASE("Capacity plan: indices and lists that do not fit the results are refused") {
  CHECK_THROWS_AS((void)read_text(plan("3", "[-2, 5]")), InputError);
  CHECK_THROWS_AS((void)read_text(plan("-1", "[-2, 5]")), InputError);
  CHECK_THROWS_AS((void)read_text(plan("0", "[-2]")), InputError);
}

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

// A search of few deployments: two EP degrees with one kernel, and one rank without.
const std::string kSmall =
    "plan --model qwen3-30b-a3b --system hgx-h200 --gpus 8 --kernel epsim-ll --ranks 1,8 "
    "--attention-ranks 1 ";

std::set<std::string> keys_of(const JsonValue& value, const std::vector<std::string>& expected) {
  JsonObject object = value.object();
  std::set<std::string> found;
  for (const std::string& key : expected)
    if (object.optional(key)) found.insert(key);
  return found;
}

void check_keys(const JsonValue& value, const std::vector<std::string>& expected) {
  CHECK(keys_of(value, expected) == std::set<std::string>(expected.begin(), expected.end()));
}

}  // namespace

TEST_CASE("cli: plan recommends a deployment, says why, and gives the same for any jobs") {
  const Outcome outcome = shell(kSmall + "--batch 16,64 --slo-tpot '30 ms'");
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());
  CHECK(has(outcome.out, "TPOT at most 30 ms\n"));
  // 2 batches on one rank; 2 batches x with and without two micro-batches on eight.
  CHECK(has(outcome.out, "\n6 deployments: "));
  CHECK(has(outcome.out, "\nrecommended: EP 8 "));
  CHECK(has(outcome.out, "\n  because    most tokens/s/GPU of all"));
  CHECK(has(outcome.out, "\n  memory     "));
  CHECK(shell(kSmall + "--batch 16,64 --slo-tpot '30 ms' --jobs 1").out == outcome.out);
}

TEST_CASE("cli: plan refuses with the nearest point where nothing meets the target, and exits 0") {
  const Outcome outcome = shell(kSmall + "--batch 16 --slo-tpot '1 us'");
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, "\nrefused: no deployment reaches a time per output token of 0.001 ms."));
  CHECK(has(outcome.out, "The nearest is EP "));
  const Outcome memory = shell("plan --model deepseek-v3 --system hgx-h200 --gpus 1");
  CHECK(memory.code == 0);
  CHECK(has(memory.out, "\nrefused: nothing fits the GPUs' memory."));
  CHECK(has(memory.out, "(--gpus) spread"));
}

TEST_CASE("cli: plan tells a machine everything, and no table then goes to stdout") {
  const Outcome outcome = shell(kSmall + "--batch 64 --json -");
  REQUIRE(outcome.code == 0);
  const JsonDocument document = JsonDocument::parse(outcome.out, "plan");
  JsonObject root = document.root().object();
  CHECK(root.required("schema").string() == "epsim.capacity/1");
  check_keys(document.root(),
             {"question",
              "topology",
              "gpu",
              "counts",
              "results",
              "recommended",
              "nearest",
              "reason",
              "two_batch",
              "notes"});
  check_keys(root.required("question"),
             {"model",
              "system",
              "gpus",
              "phase",
              "input_tokens",
              "output_tokens",
              "slo_ms",
              "routing",
              "memory_share",
              "seed"});
  const std::vector<JsonValue> results = root.required("results").array();
  REQUIRE(!results.empty());
  check_keys(results.front(),
             {"ranks",
              "attention_ranks",
              "batch",
              "micro_batching",
              "redundant_experts",
              "kernel",
              "sms",
              "step_us",
              "step_interval_us",
              "latency_ms",
              "latency_interval_ms",
              "tokens_per_s_per_gpu",
              "throughput_interval",
              "compute_us",
              "communication_us",
              "exposed_us",
              "overlap_pct",
              "dispatch_us",
              "combine_us",
              "expert_imbalance",
              "parts",
              "memory",
              "meets_slo",
              "pareto",
              "beyond_range"});
}

TEST_CASE("cli: plan plays two micro-batches whose kernels do not fit the SMs together") {
  // The graph exchange holds most SMs, attention's collectives 20 more: run side by side on two
  // ranks, each would wait for the other's.
  const Outcome outcome = shell(
      "plan --model mixtral-8x7b --system hgx-h200 --gpus 8 --ranks 8 --attention-ranks 2 "
      "--kernel epsim-graph --micro-batching tbo --batch 64");
  CAPTURE(outcome.err);
  CHECK(outcome.code == 0);
}

TEST_CASE("cli: plan says in one line what is wrong with a question") {
  const std::string asked = "plan --model deepseek-v3 --system hgx-h200 --gpus 8 ";
  for (const BadInput& bad : std::vector<BadInput>{
           {"plan --model deepseek-v3", "--system is required"},
           {"plan --model nope --system hgx-h200", "nope: no such model; known: "},
           {"plan --model '' --system hgx-h200", "--model: expected a name or a file"},
           {"plan --model deepseek-v3 --system ''", "--system: expected a name or a file"},
           {"plan --model deepseek-v3 --system nope",
            "nope: expected a calibration file or one of"},
           {asked + "--topology nope", "nope: no such topology"},
           {asked + "--gpus 0", "--gpus"},
           {asked + "--gpus -3", "--gpus"},
           {asked + "--batch 0", "--batch"},
           {asked + "--batch 1,x", "--batch"},
           {asked + "--isl 99999999999999999999", "--isl"},
           {asked + "--memory-share 0", "--memory-share"},
           {asked + "--phase both", "--phase"},
           {asked + "--slo-tpot 50", "--slo-tpot: \"50\" has no unit"},
           {asked + "--slo-tpot '0 ms'", "--slo-tpot: expected a time above 0"},
           {asked + "--slo-ttft '1 s'", "--slo-ttft: expected --slo-tpot for --phase decode"},
           {asked + "--routing nope", "--routing: unknown routing \"nope\""},
           {asked + "--routing local-rand", "does not say how busy each expert is"},
           {asked + "--routing node-limited:7:4", "expected groups that divide the 256 experts"},
           {asked + "--kernel nope", "--kernel: expected a kernel family, found \"nope\""},
           {asked + "--kernel deepep-normal-v1", "hgx-h200: /families: expected one of"},
           {asked + "--kernel deepep-intranode-1.2.1 --ranks 8 --sms 3",
            "takes an even number of SMs from 2 to 132, not 3"},
           {asked + "--ranks 16", "16 ranks are more than the 8 GPUs"},
           {asked + "--attention-ranks 3", "3 attention ranks do not divide"},
           {asked + "--trace-tokens 8", "--compute-trace"},
           {asked + "--compute-times /nonexistent", "/nonexistent: no such file"}})
    check_refused(bad);
}

TEST_CASE("cli: plan refuses a model without experts") {
  const TemporaryFolder folder;
  const std::string file = (folder / "config.json").string();
  replace_text_file(file, R"({"model_type": "llama", "hidden_size": 4096})");
  check_refused(
      {"plan --model " + file + " --system hgx-h200", "/model_type: expected one of deepseek_v2"});
}

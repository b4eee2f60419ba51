#include "calibrate/compute_records.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <string>

#include <doctest/doctest.h>

#include "calibrate/robust_stats.hpp"
#include "models/compute_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "topologies/registry.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kRecords =
    std::filesystem::path(EPSIM_SOURCE_DIR) / "calibrate/observations/compute_h800.json";

struct H800 {
  Calibration calibration = load_calibration("hgx-h800-cx7");
  Topology topology = load_topology(calibration.topology).topology;
  ComputeConstants constants = compute_constants(calibration, topology);
  StepMachine machine = step_machine(constants, calibration.hardware, topology.gpu_spec(), 0);
};

// Median of the errors, without sign.
double median_error(const std::vector<ComputeRecord>& records,
                    const StepMachine& machine,
                    const ComputeLaw& law,
                    const std::function<bool(const ComputeRecord&)>& counts) {
  std::vector<double> errors;
  for (const ComputeRecord& record : records)
    if (counts(record))
      errors.push_back(std::abs(compute_law_us(record, machine, law) / record.time_us - 1));
  return quantile(errors, 0.5);
}

std::string records_of(const std::string& record) {
  return R"({"schema": "epsim.compute_records/1", "records": [)" + record + "]}";
}

constexpr const char* kOne =
    R"({"id": "a", "kind": "gemm", "kernel": "k", "dtype": "fp8", "rows": [64], "columns": 128,
        "depth": 256, "time_us": 5, "held_out": false, "source": "test"})";

}  // namespace

TEST_CASE("compute records: the constants built in are what the committed records give") {
  const H800 h800;
  const auto records = read_compute_records(kRecords);
  const ComputeLaw fitted = fit_compute_law(records, h800.machine, "records");
  const ComputeLaw built_in;
  CHECK(built_in.block_scaled.fixed_us ==
        doctest::Approx(fitted.block_scaled.fixed_us).epsilon(0.01));
  CHECK(built_in.block_scaled.block_us ==
        doctest::Approx(fitted.block_scaled.block_us).epsilon(0.01));
  CHECK(built_in.latent_fixed_us == doctest::Approx(fitted.latent_fixed_us).epsilon(0.01));
  // FlashInfer's rate; the one built in is FlashMLA's.
  CHECK(fitted.latent_tflops == doctest::Approx(546).epsilon(0.01));
}

TEST_CASE("compute records: kernels held out are met within a tenth by half") {
  const H800 h800;
  const auto records = read_compute_records(kRecords);
  const auto held_out = [](const ComputeRecord& record) {
    return record.held_out && record.kernel == "DeepGEMM";
  };
  const auto few_rows = [&](const ComputeRecord& record) {
    return held_out(record) && std::ranges::max(record.rows) <= 300;
  };
  CHECK(median_error(records, h800.machine, {}, held_out) < 0.08);
  CHECK(median_error(records, h800.machine, {}, few_rows) < 0.08);
  // Without its latency a block of depth of a small tile is too short: a fixed part that fits
  // best without, 8.2 us, leaves more.
  const ComputeLaw constant{.block_scaled = {.fixed_us = 8.2, .block_us = 0}};
  CHECK(median_error(records, h800.machine, {}, held_out) <
        median_error(records, h800.machine, constant, held_out));
  const auto chosen = [](const ComputeRecord& record) { return record.chosen_keys > 0; };
  CHECK(median_error(records, h800.machine, {}, chosen) < 0.03);
}

TEST_CASE("compute records: FlashInfer is met by its own rate, held out lines too") {
  const H800 h800;
  const auto records = read_compute_records(kRecords);
  const ComputeLaw fitted = fit_compute_law(records, h800.machine, "records");
  const auto batches = [](const ComputeRecord& record) {
    return record.kernel == "FlashInfer" && record.held_out && record.sequences > 1;
  };
  CHECK(median_error(records, h800.machine, fitted, batches) < 0.06);
}

TEST_CASE("compute records: what is wrong with a file is said with its place") {
  const TemporaryFolder folder;
  const auto error_of = [&](std::string text) {
    replace_text_file(folder / "r.json", text);
    try {
      (void)read_compute_records(folder / "r.json");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(error_of(records_of(kOne)).empty());
  CHECK(error_of(records_of("")).find("/records: expected a record") != std::string::npos);
  std::string text = records_of(kOne);
  text.replace(text.find("[64]"), 4, "[0]");
  CHECK(error_of(text).find("/records/0/rows: expected a group with rows") != std::string::npos);
  text = records_of(kOne);
  text.replace(text.find("\"gemm\""), 6, "\"gem\"");
  CHECK(error_of(text).find("/records/0/kind") != std::string::npos);
}

TEST_CASE("compute records: a fit of nothing says what it lacks") {
  const H800 h800;
  const TemporaryFolder folder;
  replace_text_file(folder / "r.json", records_of(kOne));
  const auto records = read_compute_records(folder / "r.json");
  CHECK_THROWS_WITH_AS(
      (void)fit_compute_law(records, h800.machine, "r.json"),
      doctest::Contains("expected mla_decode of all keys not held out, found none"),
      InputError);
}

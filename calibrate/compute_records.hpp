// compute_records: times of single kernels that others published (epsim.compute_records/1), and
// what the laws of models/ say of the same kernels.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "models/attention_layers.hpp"
#include "models/formatted_gemm.hpp"
#include "models/step_times.hpp"

namespace epsim {

enum class ComputeKind : std::uint8_t { gemm, grouped_gemm, mla_decode, attention_prefill };
inline constexpr std::array<std::string_view, 4> kComputeKindNames = {
    "gemm", "grouped_gemm", "mla_decode", "attention_prefill"};

struct ComputeRecord {
  std::string id, kernel, source;
  ComputeKind kind = ComputeKind::gemm;
  StepDtype dtype = StepDtype::bf16;
  double time_us = 0;
  bool held_out = false;  // of fits; chosen before any
  // GEMMs: rows of each group, then the matrix.
  std::vector<std::int64_t> rows;
  std::int64_t columns = 0, depth = 0;
  // Attention: of mla_decode one query a sequence, latent rows of 512 and 64 numbers; of
  // attention_prefill one causal prompt of `tokens`, each head with keys and values of its own.
  std::int64_t sequences = 1, heads = 0, keys = 0, tokens = 0;
  std::int64_t chosen_keys = 0;  // that each query looks at; 0: all
  std::int64_t key_size = 192, value_size = 128;
  StepDtype cache = StepDtype::bf16;
};

// In the file's order. Throws InputError.
[[nodiscard]] std::vector<ComputeRecord> read_compute_records(const std::filesystem::path& file);

// What a fit moves; as built in, what the models use.
struct ComputeLaw {
  BlockScaledTimes block_scaled = kBlockScaledTimes;
  double latent_fixed_us = kLatentDecodeFixedUs;
  double latent_tflops = kLatentDecodeTflops;  // of dense latent decode
};
[[nodiscard]] double compute_law_us(const ComputeRecord& record,
                                    const StepMachine& machine,
                                    const ComputeLaw& law = {});

// Moves block_scaled to the gemm and grouped_gemm records, latent_* to the mla_decode records of
// all keys, so that the mean error, as a logarithm and without sign, is least over those not held
// out. By grids that close in: the same records give the same law everywhere. Records of one kind
// and another kernel must be held out. Throws InputError, naming `file`, where none is left.
[[nodiscard]] ComputeLaw fit_compute_law(const std::vector<ComputeRecord>& records,
                                         const StepMachine& machine,
                                         std::string_view file);

}  // namespace epsim

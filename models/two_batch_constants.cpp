#include <array>

#include "models/two_batch.hpp"

namespace epsim {
namespace {

constexpr std::string_view kEfficiency =
    "share of the tensor cores' peak that large GEMMs reach on the SMs they are told to use";
constexpr std::string_view kCrowded =
    "share of a GEMM's CTAs that find room when the exchange, on the SMs left free, came first";
constexpr std::string_view kCrowdedUnsplit = "the same when no SM was left free for the exchange";
constexpr std::string_view kLinkRate =
    "payload that an exchange of all GPUs sends from each, when links and not SMs are the limit";

constexpr std::array kConstants = {
    ConstantSpec{"gemm_efficiency_0", "1", 0.2, 1, kEfficiency},
    ConstantSpec{"gemm_efficiency_4", "1", 0.2, 1, kEfficiency},
    ConstantSpec{"gemm_efficiency_8", "1", 0.2, 1, kEfficiency},
    ConstantSpec{"gemm_efficiency_16", "1", 0.2, 1, kEfficiency},
    ConstantSpec{"gemm_efficiency_20", "1", 0.2, 1, kEfficiency},
    ConstantSpec{"gemm_efficiency_32", "1", 0.2, 1, kEfficiency},
    ConstantSpec{"gemm_efficiency_64", "1", 0.2, 1, kEfficiency},
    ConstantSpec{"gemm_memory_exposed", "1", 0.01, 1, "part of a GEMM's memory time not hidden"},
    ConstantSpec{"gemm_memory_share",
                 "1",
                 0,
                 0.9,
                 "part of a GEMM's time that grows as others take from the memory's rate"},
    ConstantSpec{"gemm_fixed", "us", 0.1, 20, "of a GEMM, before and behind its tiles"},
    ConstantSpec{"memory_rate", "GB/s", 100, 20'000, "HBM, read plus written, by many SMs"},
    ConstantSpec{"crowded_share_4", "1", 0.05, 1, kCrowded},
    ConstantSpec{"crowded_share_8", "1", 0.05, 1, kCrowded},
    ConstantSpec{"crowded_share_16", "1", 0.05, 1, kCrowded},
    ConstantSpec{"crowded_share_20", "1", 0.05, 1, kCrowded},
    ConstantSpec{"crowded_share_32", "1", 0.05, 1, kCrowded},
    ConstantSpec{"crowded_share_64", "1", 0.05, 1, kCrowded},
    ConstantSpec{"crowded_share_unsplit_8", "1", 0.05, 1, kCrowdedUnsplit},
    ConstantSpec{"crowded_share_unsplit_32", "1", 0.05, 1, kCrowdedUnsplit},
    ConstantSpec{"sm_copy", "GB/s", 1, 500, "rows that one SM of an exchange reads and writes"},
    ConstantSpec{"link_rate_16", "GB/s", 10, 2'000, kLinkRate},
    ConstantSpec{"link_rate_20", "GB/s", 10, 2'000, kLinkRate},
    ConstantSpec{"link_rate_32", "GB/s", 10, 2'000, kLinkRate},
    ConstantSpec{"link_rate_64", "GB/s", 10, 2'000, kLinkRate},
    ConstantSpec{"link_rate_pair", "GB/s", 10, 2'000, "the same between two GPUs"},
    ConstantSpec{"exchange_fixed", "us", 0.1, 50, "of an exchange, whatever its bytes"},
    ConstantSpec{"stream_gap", "us", 0.01, 20, "end of a kernel to the next one of its stream"},
    ConstantSpec{"event_hop", "us", 0.01, 20, "end of a kernel to one of another stream"},
};

}  // namespace

std::span<const ConstantSpec> two_batch_constants() {
  return kConstants;
}

}  // namespace epsim

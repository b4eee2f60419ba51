#include "models/low_latency.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kWarpsPerCta = 32;

constexpr std::uint32_t ceil_divide(std::uint32_t a, std::uint32_t b) {
  return (a + b - 1) / b;
}

constexpr std::array kTagged = {
    // Dispatch, send phase.
    ConstantSpec{"dispatch_overhead", "us", 0, 20, "launch and prologue beyond an empty kernel"},
    ConstantSpec{"cast_row", "us", 0, 20, "read a token's row, scale and cast it, fixed part"},
    ConstantSpec{"cast_kilochannel", "us", 0, 5, "the same, for 1024 channels of the row"},
    ConstantSpec{
        "slot_reserve", "us", 0, 10, "expert id to a slot at the target (atomic, address)"},
    ConstantSpec{"message_start", "us", 0, 10, "a warp's copy loop before its first byte leaves"},
    ConstantSpec{"message_warp_rate", "GB/s", 0.5, 200, "rate at which one warp copies a message"},
    ConstantSpec{"message_sm_share", "1", 0.2, 1, "of an SM's aligned store rate"},
    ConstantSpec{"scan_trip", "us", 0, 10, "count warp: 256 expert ids read and compared"},
    ConstantSpec{"dispatch_link_share", "1", 0.2, 1, "of the link's payload rate, at one source"},
    // Dispatch, receive phase.
    ConstantSpec{"receive_setup", "us", 0, 20, "count word seen to the first row's copy"},
    ConstantSpec{"receive_row", "us", 0, 10, "latency of one row's copy, first trip"},
    ConstantSpec{"receive_trip", "us", 0, 5, "a further trip of seven 16-byte loads a lane"},
    ConstantSpec{"receive_sm_row", "us", 0, 5, "SM time of a row, beside its bytes"},
    ConstantSpec{"receive_sm_rate", "GB/s", 1, 1000, "rate at which one SM copies rows"},
    // Combine, send phase.
    ConstantSpec{"combine_overhead", "us", 0, 20, "launch and prologue beyond an empty kernel"},
    ConstantSpec{"combine_row", "us", 0, 10, "latency of sending a row, fixed part"},
    ConstantSpec{"combine_block", "us", 0, 10, "latency of a further 2 KB block of a row"},
    ConstantSpec{
        "combine_sm_block", "us", 0.001, 5, "SM time of a 2 KB block: bulk load and store"},
    ConstantSpec{"combine_link_share", "1", 0.2, 1, "of the link's payload rate, at one source"},
    ConstantSpec{"combine_link_crowd", "1", 0.2, 1, "the same share with many sources, relative"},
    ConstantSpec{"combine_publish", "us", 0, 20, "all rows of an expert sent to its flag released"},
    // Combine, receive phase.
    ConstantSpec{"reduce_setup", "us", 0, 20, "grid sync to the first row's load"},
    ConstantSpec{"row_decode", "us", 0, 10, "reduce a row out of the ring, for 7168 channels"},
    ConstantSpec{"token_store", "us", 0, 10, "store a reduced row"},
    ConstantSpec{"generic_trip", "us", 0, 5, "P6: a 16-byte load by each lane, rows in L2"},
    ConstantSpec{"generic_trip_hbm", "us", 0, 5, "the same, rows in HBM"},
    ConstantSpec{"logfmt_block", "us", 0, 10, "encode or decode a 2 KB block in LogFMT-10"},
};

constexpr std::array kCleaning = {
    ConstantSpec{"clean_signals", "us", 0, 50, "first CTA: other parity zeroed, fixed part"},
    ConstantSpec{"clean_release", "us", 0, 5, "first CTA: one release atomic by each lane"}};

const std::vector<ConstantSpec>& with_cleaning() {
  static const std::vector<ConstantSpec> specs = [] {
    std::vector<ConstantSpec> all(kTagged.begin(), kTagged.end());
    all.insert(all.end(), kCleaning.begin(), kCleaning.end());
    return all;
  }();
  return specs;
}

}  // namespace

LowLatencyLaunch dispatch_launch(std::uint32_t experts, std::uint32_t sm_count) {
  check(experts > 0 && sm_count > 0, "a launch has experts and SMs");
  LowLatencyLaunch launch{};
  launch.groups_per_cta = ceil_divide(experts, sm_count);
  // DeepEP itself asks for two warps a group; see FamilyKind::experts_per_sm_max.
  check(launch.groups_per_cta <= kWarpsPerCta, "a warp group has a warp");
  launch.warps_per_group = kWarpsPerCta / launch.groups_per_cta;
  launch.cta_count = ceil_divide(experts, launch.groups_per_cta);
  return launch;
}

LowLatencyLaunch combine_launch(std::uint32_t experts,
                                std::uint32_t sm_count,
                                std::uint32_t tokens) {
  LowLatencyLaunch launch = dispatch_launch(experts, sm_count);
  if (tokens == 0) return launch;
  const std::uint32_t tokens_per_sm = ceil_divide(tokens, sm_count);
  launch.cta_count = std::max(launch.cta_count, ceil_divide(tokens, tokens_per_sm));
  return launch;
}

std::span<const ConstantSpec> low_latency_constants() {
  return with_cleaning();
}

std::span<const ConstantSpec> tagged_low_latency_constants() {
  return kTagged;
}

}  // namespace epsim

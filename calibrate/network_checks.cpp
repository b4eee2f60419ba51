#include "calibrate/network_checks.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "models/network_constants.hpp"

namespace epsim {
namespace {

// Bytes that one rank sends in its NVLink domain, and out of it.
struct Sent {
  double inside = 0;
  double outside = 0;
};

// An alltoall gives every rank, itself too, an equal part; of a sendrecv's ring the last rank of a
// domain sends out.
Sent sent_by_rank(const Transfer& record, std::uint32_t domain) {
  const auto size = static_cast<double>(record.size.count);
  const std::uint32_t near = std::min(record.ranks, domain);
  if (record.operation == "sendrecv")
    return record.ranks > domain ? Sent{.outside = size} : Sent{.inside = size};
  const double part = size / record.ranks;
  return {.inside = part * (near - 1), .outside = part * (record.ranks - near)};
}

double bound_us(const Sent& sent, const FabricFacts& facts, const ConstantSet& hardware) {
  double seconds = 0;
  if (sent.inside > 0)
    seconds = sent.inside / (facts.nvlink.bytes_per_second * hardware.ratio("link_efficiency"));
  if (sent.outside > 0)
    seconds = std::max(
        seconds, sent.outside / (facts.wire.bytes_per_second * hardware.ratio("wire_efficiency")));
  return seconds * 1e6;
}

bool is_known(const Sent& sent, const FabricFacts& facts, const ConstantSet& hardware) {
  if (sent.inside > 0 && facts.nvlink.bytes_per_second == 0) return false;
  return sent.outside == 0 || (facts.has_network && has_network(hardware));
}

}  // namespace

void check_collectives(const TransferSet& transfers,
                       const FabricFacts& facts,
                       NetworkDerivation& result) {
  std::map<std::string, const Transfer*> largest;
  for (const Transfer& record : transfers.records) {
    if (record.operation != "alltoall" && record.operation != "sendrecv") continue;
    if (record.ranks < 2) continue;
    const Transfer*& kept =
        largest[fmt::format("{} {} {}", record.operation, record.ranks, record.variant)];
    if (kept == nullptr || kept->size < record.size) kept = &record;
  }
  const ConstantSet& hardware = result.calibration.hardware;
  for (const auto& [key, record] : largest) {
    const Sent sent = sent_by_rank(*record, facts.domain);
    if (!is_known(sent, facts, hardware)) continue;
    const double bound = bound_us(sent, facts, hardware);
    result.checks.push_back(fmt::format(
        "{} of {} B over {} ranks, {}: {:.4g} us, links need {:.4g} us ({:.2f} of it){}",
        record->operation,
        record->size.count,
        record->ranks,
        record->variant,
        record->value,
        bound,
        bound / record->value,
        bound > record->value ? ": faster than its links, so one of the two is wrong" : ""));
  }
}

}  // namespace epsim

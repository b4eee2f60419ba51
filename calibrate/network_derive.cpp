#include "calibrate/network_derive.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "calibrate/network_checks.hpp"
#include "calibrate/robust_stats.hpp"
#include "models/network_constants.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr Bytes kSmall{64};         // a message that costs what any message costs
constexpr Bytes kLarge{1LL << 20};  // one whose bytes cost all
constexpr Bytes kLargeEnough{65536};
constexpr std::uint32_t kBatch = 8;  // writes a doorbell, to tell the NIC: a judgement
constexpr double kLowShare = 0.7;    // of a link: less is rather another link, a judgement
constexpr double kGb = 1e9;

using Picked = std::vector<const Transfer*>;

// A reading before it becomes a constant: the median of the records, and their spread.
struct Reading {
  double value = 0;
  double low = 0;
  double high = 0;
  std::string records;  // where they stand
};

const ConstantSpec& spec_of(std::string_view name) {
  for (const auto table : {network_constants(), hardware_constants()})
    for (const ConstantSpec& spec : table)
      if (spec.name == name) return spec;
  throw Bug(fmt::format("no constant \"{}\"", name));
}

std::string where(const Picked& picked) {
  const Transfer& first = *picked.front();
  const std::string more = picked.size() == 1 ? "" : fmt::format(" and {} more", picked.size() - 1);
  return fmt::format("{} {}{}", first.file, first.place, more);
}

Reading read(const Picked& picked) {
  check(!picked.empty(), "a reading has records");
  std::vector<double> values;
  std::vector<double> lows;
  std::vector<double> highs;
  for (const Transfer* record : picked) {
    values.push_back(record->value);
    lows.push_back(record->interval ? record->interval->low : record->value);
    highs.push_back(record->interval ? record->interval->high : record->value);
  }
  return {.value = quantile(values, 0.5),
          .low = *std::min_element(lows.begin(), lows.end()),
          .high = *std::max_element(highs.begin(), highs.end()),
          .records = where(picked)};
}

class Derivation {
 public:
  Derivation(const Calibration& base, const TransferSet& transfers, const FabricFacts& facts)
      : transfers_(transfers), facts_(facts) {
    result_.calibration = base;
  }

  NetworkDerivation run() {
    check_rates();
    if (needs_network()) {
      check_network();
      derive_wire();
      derive_nic_message();  // the two before the latency, which they are a part of
      derive_queue_message();
      derive_latency();
    }
    derive_nvlink();
    note_rest();
    check_collectives(transfers_, facts_, result_);
    return std::move(result_);
  }

 private:
  [[nodiscard]] const ConstantSet& hardware() const { return result_.calibration.hardware; }
  [[nodiscard]] double us(std::string_view name) const { return to_us(hardware().duration(name)); }

  template <typename Accept>
  Picked pick(std::string_view operation, Accept accept) {
    Picked picked;
    for (const Transfer& record : transfers_.records)
      if (record.operation == operation && accept(record)) picked.push_back(&record);
    return picked;
  }

  [[nodiscard]] bool needs_network() const {
    return std::any_of(transfers_.records.begin(),
                       transfers_.records.end(),
                       [](const Transfer& record) { return record.queue_pairs > 0; });
  }

  void check_network() const {
    if (!facts_.has_network)
      throw InputError(facts_.topology,
                       "",
                       "expected a topology with NICs, as the transfers crossed some; found none");
    if (!has_network(hardware()))
      throw InputError(
          "calibration " + result_.calibration.system,
          "",
          "missing key \"network\": the constants that the transfers do not tell must be there");
  }

  // Faster than its link is a wrong unit or a wrong topology.
  void check_rates() const {
    for (const Transfer& record : transfers_.records) {
      if (record.unit != TransferUnit::gb_per_s) continue;
      const bool is_peer = record.operation.starts_with("peer_");
      if (!is_peer && (record.queue_pairs == 0 || !facts_.has_network)) continue;
      const double link = (is_peer ? facts_.nvlink : facts_.wire).bytes_per_second / kGb;
      if (link == 0) continue;
      const double most = record.operation.ends_with("_bidirectional") ? 2 * link : link;
      if (record.value > most)
        throw InputError(record.file,
                         record.place,
                         fmt::format("expected at most the {:.6g} GB/s of the link in {}, found "
                                     "{:.6g} GB/s",
                                     most,
                                     facts_.topology,
                                     record.value));
    }
  }

  void keep(std::string_view name, std::string_view why) {
    result_.kept.push_back(fmt::format("{}: {}", name, why));
  }

  void put(std::string_view name, const Reading& reading, const Transfer& record, std::string why) {
    const ConstantSpec& spec = spec_of(name);
    if (reading.value < spec.low || reading.value > spec.high)
      throw InputError(record.file,
                       record.place,
                       fmt::format("expected {} from {} to {} {}, found {:.6g}",
                                   name,
                                   spec.low,
                                   spec.high,
                                   spec.unit,
                                   reading.value));
    Constant constant{.name = std::string(name),
                      .unit = std::string(spec.unit),
                      .value = reading.value,
                      .low = std::clamp(reading.low, spec.low, reading.value),
                      .high = std::clamp(reading.high, reading.value, spec.high),
                      .source = std::move(why)};
    const double before = hardware().contains(name) ? hardware().at(name).value : 0;
    result_.calibration.hardware.put(constant);
    result_.derived.push_back({before, std::move(constant)});
  }

  // Of the largest writes: payload share of the slowest RDMA link on the way.
  void derive_wire() {
    Picked picked =
        pick("rdma_write_bandwidth", [](const Transfer& r) { return r.size >= kLarge; });
    if (picked.empty())
      picked =
          pick("rdma_write_bandwidth", [](const Transfer& r) { return r.size >= kLargeEnough; });
    if (picked.empty())
      return keep("wire_efficiency", "no bandwidth of writes of 64 KiB or more (ib_write_bw -a)");
    const double wire = facts_.wire.bytes_per_second;
    const double others = facts_.host_links.bytes_per_second * hardware().ratio("pcie_efficiency");
    if (others > 0 && others < wire)
      return keep("wire_efficiency",
                  fmt::format("the links from GPU to NIC carry {:.4g} GB/s, less than the {:.4g} "
                              "GB/s of the RDMA link",
                              others / kGb,
                              wire / kGb));
    Reading reading = read(picked);
    const std::string source =
        fmt::format("perftest: {:.4g} GB/s of writes of {} to {} B of {} GB/s of {}; {}",
                    reading.value,
                    picked.front()->size.count,
                    picked.back()->size.count,
                    wire / kGb,
                    facts_.topology,
                    reading.records);
    for (double* part : {&reading.value, &reading.low, &reading.high}) *part *= kGb / wire;
    put("wire_efficiency", reading, *picked.front(), source);
    question_low("wire_efficiency", reading);
  }

  void question_low(std::string_view name, const Reading& reading) {
    if (reading.value < kLowShare)
      result_.checks.push_back(
          fmt::format("{} {:.3g} is low: is {} what was measured, and were its links up to their "
                      "rate?",
                      name,
                      reading.value,
                      facts_.topology));
  }

  // Time of a message, from a rate of them: fast is short.
  static Reading time_of(const Picked& picked) {
    Reading reading = read(picked);
    return {.value = 1 / reading.value,
            .low = 1 / reading.high,
            .high = 1 / reading.low,
            .records = reading.records};
  }

  // Of the run with the most queue pairs: what is left is the NIC's own limit, or more than that.
  void derive_nic_message() {
    std::uint32_t most = 1;
    for (const Transfer& record : transfers_.records)
      if (record.operation == "message_rate" && record.size <= kSmall)
        most = std::max(most, record.queue_pairs);
    if (most == 1)
      return keep("nic_message",
                  "no message rate of several queue pairs (ib_write_bw -s 8 -q 8 --post_list 32)");
    const Picked picked = small_rates(most);
    const Reading reading = time_of(picked);
    put_bound("nic_message",
              reading,
              *picked.front(),
              fmt::format("perftest: {:.4g} Mmsg/s of writes of up to {} B over {} queue pairs; {}",
                          1 / reading.value,
                          kSmall.count,
                          most,
                          reading.records));
  }

  void derive_queue_message() {
    const Picked picked = small_rates(1);
    if (picked.empty())
      return keep("queue_message",
                  "no message rate of one queue pair (ib_write_bw -s 8 --post_list 32)");
    const std::uint32_t writes = std::max(1U, picked.front()->writes_per_doorbell);
    const double doorbell = us("doorbell") / writes;
    Reading reading = time_of(picked);
    if (reading.value <= doorbell)
      return keep("queue_message",
                  fmt::format("{:.4g} us a message of one queue pair is less than the base's "
                              "doorbell, {:.4g} us a message ({})",
                              reading.value,
                              doorbell,
                              reading.records));
    std::string source = fmt::format(
        "perftest: {:.4g} Mmsg/s of writes of up to {} B over one queue pair, less {:.4g} us of "
        "doorbell, one for {}; {}",
        1 / reading.value,
        kSmall.count,
        doorbell,
        writes,
        reading.records);
    for (double* part : {&reading.value, &reading.low, &reading.high}) *part -= doorbell;
    put_bound("queue_message", reading, *picked.front(), std::move(source));
  }

  // A thread of the host posts: where it rings for every few messages, it may be slower than the
  // NIC, and its rate tells no more than what a message takes at most.
  void put_bound(std::string_view name,
                 const Reading& reading,
                 const Transfer& record,
                 std::string source) {
    if (record.writes_per_doorbell >= kBatch) return put(name, reading, record, std::move(source));
    if (us(name) <= reading.value)
      return keep(name,
                  fmt::format("the base's {:.4g} us is within the {:.4g} us that it takes at most, "
                              "of which one host thread's posts, {} a doorbell, may be a part ({})",
                              us(name),
                              reading.value,
                              record.writes_per_doorbell,
                              reading.records));
    put(name,
        reading,
        record,
        std::move(source) + "; at most that, as the host's thread may be slower");
  }

  // Runs that ring seldom, if there are any, else all.
  Picked small_rates(std::uint32_t queue_pairs) {
    const auto accept = [&](const Transfer& record) {
      return record.size <= kSmall && record.queue_pairs == queue_pairs;
    };
    Picked batched = pick("message_rate", [&](const Transfer& record) {
      return accept(record) && record.writes_per_doorbell >= kBatch;
    });
    return batched.empty() ? pick("message_rate", accept) : batched;
  }

  // What is left of a small write when all that the engine adds besides is taken away.
  void derive_latency() {
    const Picked picked =
        pick("rdma_write_latency", [](const Transfer& r) { return r.size <= kSmall; });
    if (picked.empty())
      return keep("write_latency", "no latency of writes of up to 64 B (ib_write_lat -a)");
    const double links = to_us(facts_.path_latency);
    const double steps =
        us("post_write") + us("doorbell") + us("queue_message") + us("nic_message");
    Reading reading = read(picked);
    if (reading.value <= links + steps)
      return keep("write_latency",
                  fmt::format("{:.4g} us of a small write is less than {:.4g} us of links and "
                              "{:.4g} us of post, doorbell, queue pair and NIC ({})",
                              reading.value,
                              links,
                              steps,
                              reading.records));
    const std::string source = fmt::format(
        "perftest: {:.4g} us for writes of up to {} B, less {:.4g} us of links ({}) and {:.4g} us "
        "of post_write, doorbell, queue_message and nic_message; the host's post is taken to be as "
        "long as post_write; {} memory; {}",
        reading.value,
        kSmall.count,
        links,
        facts_.path,
        steps,
        picked.front()->variant,
        reading.records);
    for (double* part : {&reading.value, &reading.low, &reading.high}) *part -= links + steps;
    put("write_latency", reading, *picked.front(), source);
  }

  // Kernels that write to a peer, as ours do. Copy engines have figures of their own.
  void derive_nvlink() {
    const Picked picked =
        pick("peer_write", [](const Transfer& record) { return record.variant == "sm"; });
    if (picked.empty())
      return keep("link_efficiency", "no nvbandwidth testcase device_to_device_memcpy_write_sm");
    const double link = facts_.nvlink.bytes_per_second;
    if (link == 0) return keep("link_efficiency", "the topology has no NVLink");
    Reading reading = read(picked);
    std::vector<double> values;
    for (const Transfer* record : picked) values.push_back(record->value);
    const Quantiles spread = quantiles(values);
    const std::string source = fmt::format(
        "nvbandwidth: {:.4g} GB/s of device_to_device_memcpy_write_sm of {} GB/s of {}; p10 to p90 "
        "of the pairs; {}",
        reading.value,
        link / kGb,
        facts_.topology,
        reading.records);
    reading = {.value = spread.median * kGb / link,
               .low = spread.p10 * kGb / link,
               .high = spread.p90 * kGb / link,
               .records = reading.records};
    put("link_efficiency", reading, *picked.front(), source);
    question_low("link_efficiency", reading);
  }

  // What no constant was read from: how many records of each kind.
  void note_rest() {
    std::map<std::string, int> counts;
    for (const Transfer& record : transfers_.records) {
      const bool is_input = record.operation == "rdma_write_bandwidth" ||
                            record.operation == "message_rate" ||
                            record.operation == "rdma_write_latency" ||
                            (record.operation == "peer_write" && record.variant == "sm");
      if (is_input) continue;
      const std::string how = record.variant.empty() ? "" : ", " + record.variant;
      ++counts[fmt::format("{}: {}{}", record.tool, record.operation, how)];
    }
    for (const auto& [what, count] : counts)
      result_.observations.push_back(fmt::format("{} ({})", what, count));
  }

  const TransferSet& transfers_;
  const FabricFacts& facts_;
  NetworkDerivation result_;
};

}  // namespace

NetworkDerivation derive_network(const Calibration& base,
                                 const TransferSet& transfers,
                                 const FabricFacts& facts) {
  return Derivation(base, transfers, facts).run();
}

}  // namespace epsim

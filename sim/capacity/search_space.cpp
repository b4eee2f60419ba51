#include "sim/capacity/search_space.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/kernel_families.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

// Domains that a deployment may span, beside one: sizes that divide usual numbers of experts, or
// that somebody serves on.
constexpr std::array<std::int64_t, 11> kDomains = {2, 4, 6, 8, 9, 12, 16, 18, 24, 32, 40};
constexpr std::array<std::int64_t, 2> kSms = {16, 24};
constexpr std::array<std::int64_t, 26> kDecodeBatches = {
    1,  2,   4,   8,   12,  16,  24,  32,  40,  48,  56,  64,  80,
    96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 768, 1024};
constexpr std::array<std::int64_t, 6> kPrefillTokens = {1024, 2048, 4096, 8192, 16384, 32768};
constexpr std::int64_t kMostPrefillTokens = 65'536;
constexpr std::int64_t kToldByHost = 128;  // ranks
// Copies a rank beside the least number that fills all ranks, where loads differ.
constexpr std::array<std::int64_t, 3> kMoreCopies = {0, 1, 2};

std::vector<std::int64_t> usual_ranks(const CapacityQuestion& question,
                                      const ServingSystem& system) {
  std::vector<std::int64_t> ranks;
  const std::int64_t domain = system.domain;
  for (std::int64_t r = 1; r < domain; r *= 2) ranks.push_back(r);
  ranks.push_back(domain);
  if (system.can_grow)
    for (const std::int64_t d : kDomains) ranks.push_back(d * domain);
  // Fabrics of many hosts that differ have to be told host by host, which takes minutes for all.
  std::erase_if(ranks, [&](std::int64_t r) {
    return r > std::int64_t{question.gpus} ||
           (r > kToldByHost && !system.folds_to_one(static_cast<std::uint32_t>(r)));
  });
  return ranks;
}

std::vector<std::int64_t> usual_attention_ranks(const ServingSystem& system, std::int64_t ranks) {
  std::vector<std::int64_t> parts;
  for (std::int64_t t = 1; t <= std::min<std::int64_t>({system.domain, ranks, 8}); t *= 2)
    parts.push_back(t);
  return parts;
}

std::vector<std::int64_t> usual_redundant(const ModelDescription& model,
                                          std::int64_t ranks,
                                          bool is_skewed) {
  const std::int64_t least = (ranks - model.experts % ranks) % ranks;
  std::vector<std::int64_t> copies;
  for (const std::int64_t more : kMoreCopies)
    if (more == 0 || (is_skewed && ranks > 1)) copies.push_back(least + more * ranks);
  return copies;
}

// Normal kernels make the host wait for the rows' counts, so that a decode step with them cannot be
// a captured graph; low-latency kernels keep room for all tokens of all ranks, which prefill has
// too many of. Nobody serves so.
bool is_usual(const FamilyKind& kind, ServingPhase phase) {
  return phase == ServingPhase::prefill ? !kind.takes_split : !kind.takes_sms;
}

class Enumeration {
 public:
  Enumeration(const CapacityQuestion& question, const ServingSystem& system, bool is_skewed)
      : question_(question), system_(system), is_skewed_(is_skewed) {
    batches_ = question.limits.batches.empty() ? usual_batches(question) : question.limits.batches;
    micro_batching_ = question.limits.micro_batching;
    if (micro_batching_.empty()) micro_batching_ = {MicroBatching::none, MicroBatching::tbo};
    kernels_ = question.limits.kernels;
    if (kernels_.empty())
      for (const KernelFamily& family : system.calibration.families)
        if (is_usual(*find_family(family.name), question.phase)) kernels_.push_back(family.name);
    if (kernels_.empty()) add_unusual_kernels();
  }

  SearchSpace take() {
    const SearchLimits& limits = question_.limits;
    const auto ranks = limits.ranks.empty() ? usual_ranks(question_, system_) : limits.ranks;
    for (const std::int64_t r : ranks) {
      const auto parts = limits.attention_ranks.empty() ? usual_attention_ranks(system_, r)
                                                        : limits.attention_ranks;
      const auto copies = limits.redundant_experts.empty()
                              ? usual_redundant(question_.model, r, is_skewed_)
                              : limits.redundant_experts;
      for (const std::int64_t part : parts)
        for (const std::int64_t copy : copies) {
          Deployment deployment{.ranks = static_cast<std::uint32_t>(r),
                                .attention_ranks = static_cast<std::uint32_t>(part),
                                .redundant_experts = static_cast<std::uint32_t>(copy),
                                .kernel = {}};
          const std::string why = shape_refusal(r, part, copy);
          r == 1 ? add(deployment, why) : add_kernels(deployment, why);
        }
    }
    return std::move(space_);
  }

 private:
  // Better than no exchange at all.
  void add_unusual_kernels() {
    for (const KernelFamily& family : system_.calibration.families) kernels_.push_back(family.name);
    if (!kernels_.empty())
      space_.notes.push_back(
          fmt::format("{} has no kernels that {} is usually served with; tried are {}",
                      question_.system,
                      kServingPhaseNames[static_cast<std::size_t>(question_.phase)],
                      fmt::join(kernels_, ", ")));
  }

  [[nodiscard]] std::string shape_refusal(std::int64_t ranks,
                                          std::int64_t parts,
                                          std::int64_t copies) const {
    const ModelDescription& model = question_.model;
    if (ranks > std::int64_t{question_.gpus})
      return fmt::format("{} ranks are more than the {} GPUs", ranks, question_.gpus);
    if (!system_.holds(static_cast<std::uint32_t>(ranks)))
      return fmt::format("{} has NVLink domains of {} GPUs{}, which {} ranks do not fill",
                         system_.preset,
                         system_.domain,
                         system_.can_grow ? "" : " and no network",
                         ranks);
    if (ranks % parts != 0 || parts > std::int64_t{system_.domain})
      return fmt::format("{} attention ranks do not divide {} ranks inside an NVLink domain of {}",
                         parts,
                         ranks,
                         system_.domain);
    if (model.attention.heads % parts != 0)
      return fmt::format("{} heads on {} attention ranks", model.attention.heads, parts);
    if ((model.experts + copies) % ranks != 0)
      return fmt::format(
          "{} experts and {} copies do not fill {} ranks evenly", model.experts, copies, ranks);
    // A rank without an expert of its own would only hold copies.
    if (copies > model.experts)
      return fmt::format("{} copies are more than the {} experts", copies, model.experts);
    return {};
  }

  void add_kernels(Deployment deployment, const std::string& why) {
    for (const std::string& kernel : kernels_) {
      const FamilyKind& kind = *find_family(kernel);
      deployment.kernel = kernel;
      std::vector<std::int64_t> sms = question_.limits.sms;
      if (!kind.takes_sms) sms = {0};
      if (sms.empty()) sms.assign(kSms.begin(), kSms.end());
      for (const std::int64_t s : sms) {
        deployment.sms = s;
        add(deployment, why.empty() ? kernel_refusal(kind, deployment) : why);
      }
    }
  }

  [[nodiscard]] std::string kernel_refusal(const FamilyKind& kind,
                                           const Deployment& deployment) const {
    const ModelDescription& model = question_.model;
    const std::int64_t slots = model.experts + deployment.redundant_experts;
    const std::int64_t all_sms = system_.gpu.sm_count;
    const std::int64_t most_slots = std::int64_t{kind.experts_per_sm_max} * all_sms;
    if (slots > most_slots)
      return fmt::format("{} takes {} experts at most", kind.name, most_slots);
    if (kind.takes_sms &&
        (deployment.sms < 2 || deployment.sms % 2 != 0 || deployment.sms > all_sms))
      return fmt::format("{} takes an even number of SMs from 2 to {}, not {}",
                         kind.name,
                         all_sms,
                         deployment.sms);
    if (model.top_k > kind.top_k_max)
      return fmt::format("{} takes top-{} at most", kind.name, kind.top_k_max);
    if (deployment.ranks > system_.domain && !kind.takes_network)
      return fmt::format("{} cannot leave an NVLink domain", kind.name);
    if (kind.needs_network && system_.nic.bytes_per_second == 0)
      return fmt::format("{} posts to NICs, of which there are none", kind.name);
    return {};
  }

  // All batches of one way to lay a model out.
  void add(Deployment deployment, const std::string& why) {
    for (const MicroBatching turns : micro_batching_) {
      if (turns == MicroBatching::tbo && deployment.ranks == 1) continue;  // nothing to hide
      for (const std::int64_t batch : batches_) {
        if (turns == MicroBatching::tbo && batch < 2) continue;
        deployment.micro_batching = turns;
        deployment.batch = batch;
        if (why.empty()) {
          space_.deployments.push_back(deployment);
          continue;
        }
        ++space_.impossible;
        space_.why_impossible = why;
      }
    }
  }

  const CapacityQuestion& question_;
  const ServingSystem& system_;
  bool is_skewed_;
  std::vector<std::int64_t> batches_;
  std::vector<MicroBatching> micro_batching_;
  std::vector<std::string> kernels_;
  SearchSpace space_;
};

}  // namespace

std::vector<std::int64_t> usual_batches(const CapacityQuestion& question) {
  if (question.phase == ServingPhase::decode) return {kDecodeBatches.begin(), kDecodeBatches.end()};
  std::vector<std::int64_t> batches;
  const std::int64_t prompt = question.lengths.input;
  // Parts of a prompt, or whole ones.
  for (const std::int64_t tokens : kPrefillTokens) {
    if (tokens < prompt)
      batches.push_back(tokens);
    else if (tokens % prompt != 0)
      batches.push_back(tokens / prompt * prompt);
    else
      batches.push_back(tokens);
  }
  for (std::int64_t tokens = prompt; tokens <= kMostPrefillTokens; tokens *= 2)
    batches.push_back(tokens);
  std::sort(batches.begin(), batches.end());
  batches.erase(std::unique(batches.begin(), batches.end()), batches.end());
  return batches;
}

SearchSpace search_space(const CapacityQuestion& question,
                         const ServingSystem& system,
                         bool is_skewed) {
  for (const std::string& kernel : question.limits.kernels) {
    if (find_family(kernel) == nullptr)
      throw InputError(
          "--kernel", "", fmt::format("expected a kernel family, found \"{}\"", kernel));
    (void)system.calibration.family(kernel);
  }
  SearchSpace space = Enumeration(question, system, is_skewed).take();
  if (space.deployments.empty())
    throw InputError("epsim plan",
                     "",
                     space.why_impossible.empty()
                         ? std::string("no deployment is left to try")
                         : "no deployment is possible; for example " + space.why_impossible);
  if (space.impossible > 0)
    space.notes.push_back("impossible are those where, for example, " + space.why_impossible);
  return space;
}

}  // namespace epsim

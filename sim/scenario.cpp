#include "sim/scenario.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/quantity_text.hpp"
#include "sim/scenario_reach.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMostTokens = 1'048'576;
constexpr std::int64_t kMostHidden = 65'536;
constexpr std::array<std::string_view, 2> kModeNames = {"fused", "split"};
constexpr std::array<std::string_view, 2> kFabricNames = {"pieces", "fluid"};
constexpr std::array<std::string_view, 2> kNotifyNames = {"cached", "counted"};

template <typename Enum, std::size_t N>
Enum read_enum(const JsonValue& value, const std::array<std::string_view, N>& names) {
  return static_cast<Enum>(value.one_of({names.begin(), names.end()}));
}

void read_traffic(JsonObject& root, const std::filesystem::path& folder, Scenario& scenario) {
  JsonObject object = root.required("traffic").object();
  RoutingSpec& routing = scenario.routing;
  routing.where = fmt::format("{}: /traffic", scenario.file);
  routing.folder = folder;
  routing.name = read_routing_name(object.required("routing"));
  const std::uint32_t gpus = scenario.gpu_count;
  routing.shape.ranks = gpus;
  if (const auto ranks = object.optional("ranks")) {
    routing.shape.ranks = static_cast<std::uint32_t>(ranks->integer_in(1, UINT32_MAX));
    if (routing.shape.ranks > gpus)
      ranks->fail_expected(
          fmt::format("at most the {} GPUs of {} (topology.override.hosts asks for more hosts, "
                      ".gpus for more of one)",
                      gpus,
                      scenario.topology_name));
  }
  routing.drawn_ranks = scenario.fold.planned;
  const JsonValue experts = object.required("experts");
  routing.shape.experts = static_cast<std::uint32_t>(experts.integer_in(1, kMostExperts));
  if (routing.shape.experts % routing.shape.ranks != 0)
    experts.fail_expected(fmt::format("a multiple of the {} ranks", routing.shape.ranks));
  const JsonValue top_k = object.required("top_k");
  routing.shape.top_k = static_cast<std::uint32_t>(top_k.integer_in(1, 64));
  if (routing.shape.top_k > routing.shape.experts)
    top_k.fail_expected(fmt::format("at most the {} experts", routing.shape.experts));
  const auto tokens = object.optional("tokens_per_rank");
  if (tokens)
    routing.tokens_per_rank = static_cast<std::uint32_t>(tokens->integer_in(0, kMostTokens));
  if (!tokens && routing.name.kind != "file") (void)object.required("tokens_per_rank");
  if (const auto masked = object.optional("masked_fraction"))
    routing.masked_fraction = masked->number_in(0, 1);
  const PlacementShape shape{.ranks = routing.shape.ranks, .experts = routing.shape.experts};
  const auto placement = object.optional("placement");
  scenario.placement = placement ? placement->dump() : "\"contiguous\"";
  scenario.experts = std::make_shared<const ExpertPlacement>(
      placement ? read_expert_placement(*placement, shape) : ExpertPlacement::contiguous(shape));
  object.finish();
}

constexpr std::int64_t kDefaultCopyCtas = 32;

// What the user chooses of a graph exchange; rows are BF16 and go as they are.
void read_exchange(JsonObject& kernel, Scenario& scenario) {
  ExchangeOptions& exchange = scenario.exchange;
  scenario.dispatch_format = DispatchFormat::bf16;
  if (const auto mode = kernel.optional("mode"))
    exchange.mode = read_enum<ExchangeMode>(*mode, kExchangeModeNames);
  if (const auto copy = kernel.optional("copy"))
    exchange.copy = read_enum<ExchangeCopy>(*copy, kExchangeCopyNames);
  if (const auto capacity = kernel.optional("capacity"))
    exchange.capacity = read_exchange_capacity(*capacity);
  const std::int64_t sm_count = scenario.topology->gpu_spec().sm_count;
  const bool is_persistent = exchange.copy == ExchangeCopy::persistent;
  scenario.sms = is_persistent ? std::min(kDefaultCopyCtas, sm_count) : 0;
  if (const auto sms = kernel.optional("sms")) {
    if (!is_persistent) sms->fail("only the persistent copy kernel has a number of SMs");
    scenario.sms = sms->integer_in(1, sm_count);
  }
}

// Of a low-latency kernel, in one launch or in two.
void read_split(JsonObject& kernel, bool is_taken, Scenario& scenario) {
  if (const auto mode = kernel.optional("mode")) {
    if (!is_taken) mode->fail(fmt::format("{} does not take this option", scenario.kernel));
    scenario.split.split = mode->one_of({kModeNames.begin(), kModeNames.end()}) == 1;
  }
  if (const auto gap = kernel.optional("split_gap")) {
    if (!scenario.split.split) gap->fail("only a split kernel has a gap; set mode to \"split\"");
    scenario.split.gap = gap->duration();
    if (scenario.split.gap < Duration{}) gap->fail_expected("a time that is not negative");
  }
}

// Options that only some families take: asking another for them is an error, not silence.
void read_kernel(JsonObject& root, Scenario& scenario) {
  JsonObject object = root.required("kernel").object();
  const JsonValue family = object.required("family");
  std::vector<std::string_view> names;
  for (const FamilyKind& kind : kernel_families()) names.push_back(kind.name);
  const FamilyKind& kind = kernel_families()[family.one_of(names)];
  scenario.kernel = kind.name;
  const auto refuse = [&](const JsonValue& value) {
    value.fail(fmt::format("{} does not take this option", kind.name));
  };
  if (kind.takes_exchange) {
    read_exchange(object, scenario);
  } else if (const auto sms = object.optional("sms")) {
    if (!kind.takes_sms) refuse(*sms);
    scenario.sms = sms->integer_in(2, scenario.topology->gpu_spec().sm_count);
    if (scenario.sms % 2 != 0) sms->fail_expected("an even number: channels are pairs of SMs");
  } else if (kind.takes_sms) {
    (void)object.required("sms");
  }
  if (!kind.takes_exchange) read_split(object, kind.takes_split, scenario);
  if (const auto notify = object.optional("notify")) {
    if (!kind.takes_sms) refuse(*notify);
    scenario.counted = notify->one_of({kNotifyNames.begin(), kNotifyNames.end()}) == 1;
  }
  object.finish();
  const auto sms = static_cast<std::uint32_t>(scenario.topology->gpu_spec().sm_count);
  if (scenario.routing.shape.experts > kind.experts_per_sm_max * sms)
    throw InputError(scenario.file,
                     "/traffic/experts",
                     fmt::format("expected at most {} for {} on {} SMs, found {}",
                                 kind.experts_per_sm_max * sms,
                                 kind.name,
                                 sms,
                                 scenario.routing.shape.experts));
  if (scenario.routing.shape.top_k > kind.top_k_max)
    throw InputError(scenario.file,
                     "/traffic/top_k",
                     fmt::format("expected at most {} for {}, found {}",
                                 kind.top_k_max,
                                 kind.name,
                                 scenario.routing.shape.top_k));
}

void write_exchange(const Scenario& scenario, JsonWriter& writer) {
  const ExchangeOptions& exchange = scenario.exchange;
  writer.field("mode", kExchangeModeNames[static_cast<std::size_t>(exchange.mode)]);
  writer.field("copy", kExchangeCopyNames[static_cast<std::size_t>(exchange.copy)]);
  if (exchange.copy == ExchangeCopy::persistent) writer.field("sms", scenario.sms);
  writer.key("capacity");
  exchange.capacity > 0 ? writer.value(exchange.capacity) : writer.value("worst");
}

constexpr std::array kNoFences = {FencePlacement::P0};

// Whether the receive side of an operation acquires through one proxy and reads through another is
// a matter of the family.
FenceRules combine_fence_rules(const FamilyKind& kind) {
  static constexpr auto kAll = [] {
    std::array<FencePlacement, kFencePlacementNames.size()> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<FencePlacement>(i);
    return all;
  }();
  if (kind.takes_fences) return {.placements = kAll, .otherwise = ""};
  if (kind.takes_sms)
    return {.placements = kNoFences,
            .otherwise = "this combine reads its rings by ordinary loads, as it does their tails"};
  return {.placements = kNoFences, .otherwise = "kernels end between a meeting and what it guards"};
}

FenceRules dispatch_fence_rules(const FamilyKind& kind) {
  if (!kind.dispatch_fences.empty())
    return {.placements = kind.dispatch_fences,
            .in_shared_memory = false,
            .otherwise =
                "a receiver has no grid sync, no decode warps and no second kernel, and "
                "no ordinary access to the shared memory that its rows pass"};
  if (kind.takes_fences)
    return {.placements = kNoFences,
            .otherwise = "this dispatch reads its messages by ordinary loads; see combine.fence"};
  return {.placements = kNoFences, .otherwise = "kernels end between a meeting and what it guards"};
}

void read_dispatch(JsonObject& root, Scenario& scenario) {
  const auto dispatch = root.optional("dispatch");
  if (!dispatch) return;
  const FamilyKind& kind = *find_family(scenario.kernel);
  JsonObject object = dispatch->object();
  if (const auto format = object.optional("format")) {
    const auto formats = dispatch_formats(kind);
    scenario.dispatch_format =
        static_cast<DispatchFormat>(format->one_of({formats.begin(), formats.end()}));
    if (kind.takes_exchange && scenario.dispatch_format != DispatchFormat::bf16)
      format->fail_expected("\"bf16\": this exchange moves rows as they are");
  }
  scenario.dispatch_fence = read_fence_choice(object, dispatch_fence_rules(kind));
  object.finish();
}

void read_combine(JsonObject& root, Scenario& scenario) {
  const auto combine = root.optional("combine");
  if (!combine) return;
  const FamilyKind& kind = *find_family(scenario.kernel);
  JsonObject object = combine->object();
  if (const auto format = object.optional("format")) {
    scenario.combine_format = read_enum<CombineFormat>(*format, kCombineFormatNames);
    if (kind.takes_exchange && scenario.combine_format != CombineFormat::bf16)
      format->fail_expected("\"bf16\": this exchange moves rows as they are");
  }
  const FenceChoice fence = read_fence_choice(object, combine_fence_rules(kind));
  scenario.fence = fence.placement;
  scenario.fence_form = fence.form;
  object.finish();
}

void read_operations(JsonObject& root, Scenario& scenario) {
  const auto operations = root.optional("operations");
  if (!operations) return;
  scenario.run_dispatch = scenario.run_combine = false;
  for (const JsonValue& word : operations->array())
    (word.one_of({"dispatch", "combine"}) == 0 ? scenario.run_dispatch : scenario.run_combine) =
        true;
  if (!scenario.run_dispatch && !scenario.run_combine)
    operations->fail_expected("\"dispatch\", \"combine\" or both");
}

// The kernel and what it is asked to do.
void write_kernel(const Scenario& scenario, JsonWriter& writer) {
  const FamilyKind& kind = *find_family(scenario.kernel);
  writer.key("kernel").begin_object().field("family", scenario.kernel);
  if (kind.takes_sms)
    writer.field("sms", scenario.sms).field("notify", kNotifyNames[scenario.counted ? 1 : 0]);
  if (kind.takes_split) writer.field("mode", kModeNames[scenario.split.split ? 1 : 0]);
  if (kind.takes_exchange) write_exchange(scenario, writer);
  if (scenario.split.split) writer.field("split_gap", to_exact_text(scenario.split.gap));
  writer.end_object();
  writer.key("dispatch").begin_object();
  writer.field("format", kDispatchFormatNames[static_cast<std::size_t>(scenario.dispatch_format)]);
  if (!kind.dispatch_fences.empty()) write_fence_choice(scenario.dispatch_fence, writer);
  writer.end_object().key("combine").begin_object();
  writer.field("format", kCombineFormatNames[static_cast<std::size_t>(scenario.combine_format)]);
  write_fence_choice({scenario.fence, scenario.fence_form}, writer);
  writer.end_object();
  writer.key("operations").begin_array();
  if (scenario.run_dispatch) writer.value("dispatch");
  if (scenario.run_combine) writer.value("combine");
  writer.end_array();
}

// A step whose experts are sliced gathers rows by collectives: it has no exchange to ask about.
void read_exchange_kernel(JsonObject& root, Scenario& scenario) {
  if (!scenario.schedule || scenario.schedule->sharing == ExpertSharing::whole) {
    read_kernel(root, scenario);
    read_dispatch(root, scenario);
    read_combine(root, scenario);
    read_operations(root, scenario);
    return;
  }
  for (const char* key : {"kernel", "dispatch", "combine", "operations"})
    if (const auto value = root.optional(key))
      value->fail("sliced experts gather rows by collectives; leave this out");
}

void read_step(JsonObject& root, Scenario& scenario) {
  const auto schedule = root.optional("schedule");
  if (!schedule) return;
  const RoutingSpec& routing = scenario.routing;
  ScheduleFrame frame{.hidden = scenario.hidden,
                      .sm_count = scenario.topology->gpu_spec().sm_count,
                      .ranks = std::int64_t{routing.shape.ranks},
                      .tokens_per_rank = {}};
  if (routing.tokens_per_rank) frame.tokens_per_rank = std::int64_t{*routing.tokens_per_rank};
  if (!frame.tokens_per_rank)
    schedule->fail(
        "the tokens of a routing file are those of a whole batch and cannot be split; "
        "name a routing instead");
  scenario.schedule = read_schedule(*schedule, frame);
}

}  // namespace

void apply_settings(JsonDocument& document, const std::vector<std::string>& settings) {
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos)
      throw InputError("--set " + setting, "", "expected dotted.key=value");
    document.set(setting.substr(0, equals), setting.substr(equals + 1));
  }
}

Scenario load_scenario(const std::filesystem::path& path,
                       const std::vector<std::string>& settings) {
  JsonDocument document = JsonDocument::read(path);
  apply_settings(document, settings);
  return read_scenario(document, path.parent_path());
}

Scenario read_scenario(const JsonDocument& document, const std::filesystem::path& folder) {
  JsonObject root = document.root().object();
  (void)root.required("schema").one_of({"epsim.scenario/1"});
  Scenario scenario;
  scenario.file = document.root().file();
  const auto name = root.optional("name");
  scenario.name = name ? name->string() : std::filesystem::path(scenario.file).stem().string();
  read_topology(root, scenario);
  read_traffic(root, folder, scenario);
  const JsonValue hidden = root.required("hidden");
  scenario.hidden = hidden.integer_in(128, kMostHidden);
  if (scenario.hidden % 128 != 0) hidden.fail_expected("a multiple of 128 channels");
  read_step(root, scenario);
  read_exchange_kernel(root, scenario);
  if (const auto skew = root.optional("launch_skew")) {
    scenario.launch_skew = skew->duration();
    if (scenario.launch_skew < Duration{}) skew->fail_expected("a time that is not negative");
  }
  if (const auto fabric = root.optional("fabric"))
    scenario.fluid_fabric = fabric->one_of({kFabricNames.begin(), kFabricNames.end()}) == 1;
  check_reach(scenario);
  const auto calibration = root.optional("calibration");
  scenario.calibration = calibration ? calibration->string() : scenario.topology_name;
  if (const auto seed = root.optional("seed"))
    scenario.seed = static_cast<std::uint64_t>(seed->integer_in(0, INT64_MAX));
  root.finish();
  return scenario;
}

void write_scenario(const Scenario& scenario, JsonWriter& writer) {
  writer.begin_object().field("schema", "epsim.scenario/1").field("name", scenario.name);
  writer.key("topology").begin_object().field("preset", scenario.topology_name);
  writer.key("override").raw(scenario.topology_override).end_object();
  writer.field("symmetry", scenario.fold.planned != 0);
  const RoutingSpec& routing = scenario.routing;
  writer.key("traffic").begin_object().field("routing", to_text(routing.name));
  writer.field("ranks", routing.shape.ranks).field("experts", routing.shape.experts);
  writer.field("top_k", routing.shape.top_k);
  if (routing.tokens_per_rank) writer.field("tokens_per_rank", *routing.tokens_per_rank);
  writer.field("masked_fraction", routing.masked_fraction);
  writer.key("placement").raw(scenario.placement).end_object();
  writer.field("hidden", scenario.hidden);
  if (!scenario.kernel.empty()) write_kernel(scenario, writer);
  writer.field("fabric", kFabricNames[scenario.fluid_fabric ? 1 : 0]);
  writer.field("launch_skew", to_exact_text(scenario.launch_skew));
  if (scenario.schedule) {
    writer.key("schedule");
    write_schedule(*scenario.schedule, writer);
  }
  writer.field("calibration", scenario.calibration).field("seed", scenario.seed).end_object();
}

Workload make_workload(const Scenario& scenario) {
  if (scenario.kernel.empty())
    throw InputError(scenario.file,
                     "/schedule/experts/sharing",
                     "sliced experts have no dispatch and no combine; ask epsim run or show");
  const Rng rng(scenario.seed);
  Workload workload;
  workload.routing =
      std::make_shared<const Routing>(make_routing(scenario.routing, rng.stream("routing")));
  workload.placement = scenario.experts;
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.topology = scenario.topology;
  workload.hidden = scenario.hidden;
  workload.dispatch_format = scenario.dispatch_format;
  workload.combine_format = scenario.combine_format;
  workload.fence = scenario.fence;
  workload.fence_form = scenario.fence_form;
  workload.dispatch_fence = scenario.dispatch_fence;
  workload.sms = scenario.sms;
  workload.counted = scenario.counted;
  workload.split = scenario.split;
  workload.exchange = scenario.exchange;
  workload.fluid_fabric = scenario.fluid_fabric;
  workload.fold = scenario.fold;
  Rng skew = rng.stream("launch skew");
  for (std::uint32_t r = 0; r < workload.rank_count(); ++r)
    workload.rank_start.push_back(Duration{static_cast<std::int64_t>(
        skew.below(static_cast<std::uint64_t>(scenario.launch_skew.count()) + 1))});
  return workload;
}

}  // namespace epsim

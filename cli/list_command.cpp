// epsim list: the names that scenarios and command lines may use, and the models.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/model_list.hpp"
#include "models/calibration.hpp"
#include "models/kernel_families.hpp"
#include "topologies/registry.hpp"
#include "traces/kernel_class.hpp"
#include "traces/routing_generators.hpp"

namespace epsim {
namespace {

struct Entry {
  std::string name;
  std::string description;
};

std::vector<Entry> topologies() {
  std::vector<Entry> entries;
  for (const TopologyPreset& preset : topology_presets())
    entries.push_back({preset.name, preset.description});
  for (const TopologyKind& kind : kTopologyKinds)
    entries.push_back({fmt::format("kind {}", kind.name), std::string(kind.description)});
  return entries;
}

std::string joined(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

// What can be asked of each operation of each family.
std::vector<Entry> operations() {
  std::vector<Entry> entries;
  for (const FamilyKind& kind : kernel_families()) {
    std::string launch = kind.takes_split ? "; mode fused, split" : "";
    if (kind.takes_sms) launch = "; any even number of SMs; notify cached, counted";
    std::string fences;
    for (const FencePlacement fence : kind.dispatch_fences)
      fences += fmt::format("{} {}",
                            fences.empty() ? "; fence" : ",",
                            kFencePlacementNames[static_cast<std::size_t>(fence)]);
    entries.push_back(
        {fmt::format("{} dispatch", kind.name),
         fmt::format("format {}{}{}", joined(dispatch_formats(kind)), launch, fences)});
    fences.clear();
    if (kind.takes_fences)
      fences = fmt::format("; fence {}; fence_scope of P5 {}; fence_space of proxy fences {}",
                           joined(kFencePlacementNames),
                           joined(kScopeNames),
                           joined(std::span(kFenceSpaceNames).subspan(1)));
    entries.push_back({fmt::format("{} combine", kind.name),
                       fmt::format("format {}{}", joined(kCombineFormatNames), fences)});
  }
  return entries;
}

std::vector<Entry> kernels() {
  std::vector<Entry> entries;
  for (const FamilyKind& kind : kernel_families())
    entries.push_back({std::string(kind.name),
                       fmt::format("{}; top-k up to {}", kind.description, kind.top_k_max)});
  return entries;
}

std::vector<Entry> routings() {
  std::vector<Entry> entries;
  for (const RoutingKind& kind : routing_kinds())
    entries.push_back({kind.argument.empty() ? std::string(kind.name)
                                             : fmt::format("{}:{}", kind.name, kind.argument),
                       std::string(kind.description)});
  return entries;
}

std::vector<Entry> calibrations() {
  std::vector<Entry> entries;
  for (const std::string& name : calibration_names()) {
    const Calibration calibration = load_calibration(name);
    std::string text = fmt::format("{}, topology {}", calibration.system, calibration.topology);
    for (const KernelFamily& family : calibration.families)
      text += fmt::format("; {} from {} observations, residual {:.1f} %",
                          family.name,
                          family.fit.residuals.size(),
                          100 * family.fit.residual_sigma);
    entries.push_back({name, text});
  }
  return entries;
}

// In the order in which they are tried.
std::vector<Entry> classes() {
  std::vector<Entry> entries;
  const KernelClassTable table = KernelClassTable::built_in();  // holds what its rules point to
  for (const KernelRule& rule : table.rules()) {
    const KernelRole& role = rule.role;
    std::string name = fmt::format(
        "{} ({}", role.family, kKernelClassNames[static_cast<std::size_t>(role.kernel_class)]);
    if (role.phase != CommunicationPhase::none)
      name += fmt::format(", {}", kCommunicationPhaseNames[static_cast<std::size_t>(role.phase)]);
    entries.push_back({name + ")", rule.match});
  }
  return entries;
}

struct Listing {
  const char* name;
  const char* description;
  std::vector<Entry> (*entries)();
};
constexpr std::array kListings = {
    Listing{"topologies", "fabrics that a scenario's topology.preset names", &topologies},
    Listing{"operations", "what can be asked of each operation of a kernel family", &operations},
    Listing{"kernels", "kernel families for kernel.family", &kernels},
    Listing{"routings", "kinds of traffic for traffic.routing", &routings},
    Listing{"classes", "rules by which epsim replay tells what a kernel is for", &classes},
    Listing{"calibrations", "measured systems for calibration", &calibrations},
};

std::string list_text(const std::vector<Entry>& entries) {
  std::size_t width = 0;
  for (const Entry& entry : entries) width = std::max(width, entry.name.size());
  std::string text;
  for (const Entry& entry : entries)
    text += fmt::format("{:<{}}   {}\n", entry.name, width, entry.description);
  return text;
}

std::string list_json(const Listing& listing, const std::vector<Entry>& entries) {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.list/1").key(listing.name).begin_array();
  for (const Entry& entry : entries)
    writer.begin_object()
        .field("name", entry.name)
        .field("description", entry.description)
        .end_object();
  writer.end_array().end_object();
  return writer.take();
}

void add_listing(CLI::App& verb,
                 const std::string& name,
                 const std::string& description,
                 const std::function<std::string()>& text,
                 const std::function<std::string()>& json_text) {
  CLI::App* what = verb.add_subcommand(name, description);
  const auto json = std::make_shared<std::string>();
  add_json_option(*what, *json);
  what->footer(fmt::format("Example:\n  epsim list {}", name));
  what->callback([text, json_text, json] {
    if (!json->empty()) write_result(*json, json_text());
    if (*json != "-") print_result(text());
  });
}

}  // namespace

void add_list_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("list", "print the names that epsim knows");
  verb->require_subcommand(1);
  verb->footer("Example:\n  epsim list routings");
  add_listing(*verb,
              "models",
              "models that epsim carries, and their dimensions",
              &model_list_text,
              &model_list_json);
  for (const Listing& listing : kListings)
    add_listing(
        *verb,
        listing.name,
        listing.description,
        [&listing] { return list_text(listing.entries()); },
        [&listing] { return list_json(listing, listing.entries()); });
}

}  // namespace epsim

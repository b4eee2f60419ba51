#include "sim/protocols/protocol_builder.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include <fmt/format.h>

#include "sim/protocols/protocol_verbs.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMostCopies = 4096;
constexpr std::int64_t kMostRepeats = 1'000'000;
constexpr std::size_t kMostWalked = 1'000'000;

std::string performer_name(Performer performer) {
  switch (performer) {
    case kThread:
      return "a GPU thread";
    case kStream:
      return "a stream";
    case kCpu:
      return "a CPU thread";
    case kHostFunction:
      return "a host function";
  }
  return "nobody";
}

// A new variable of a loop or of copies. Hiding another would make a reader guess.
std::string read_variable(const JsonValue& value, const Variables& variables) {
  const std::string name = value.string();
  const bool is_word = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
                       std::all_of(name.begin(), name.end(), [](char c) {
                         return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
                       });
  if (!is_word) value.fail_expected("a name of letters and digits");
  if (variables.contains(name)) value.fail(fmt::format("\"{}\" is in use already", name));
  return name;
}

std::vector<JsonValue> one_or_more(const JsonValue& value) {
  if (value.is_array()) return value.array();
  return {value};
}

bool names_one_of(const JsonValue& value,
                  const std::string& variant,
                  const std::set<std::string>& variants) {
  bool is_named = false;
  for (const JsonValue& word : one_or_more(value)) {
    if (!variants.contains(word.string())) word.fail_expected("a variant of this file");
    is_named = is_named || word.string() == variant;
  }
  return is_named;
}

}  // namespace

ProtocolBuilder::ProtocolBuilder(JsonObject& root, std::string variant, const Variables& parameters)
    : names(root, parameters, draft.program),
      variant_(std::move(variant)),
      parameters_(parameters) {
  if (const auto variants = root.optional("variants"))
    for (const std::string& name : variants->object().keys()) variants_.insert(name);
}

bool ProtocolBuilder::is_present(JsonObject& object) const {
  bool is_here = true;
  if (const auto only = object.optional("only_in"))
    is_here = names_one_of(*only, variant_, variants_);
  if (const auto not_in = object.optional("not_in"))
    is_here = !names_one_of(*not_in, variant_, variants_) && is_here;
  return is_here;
}

// Calls `visit(name, object, value, variables)` for each agent of a section, copies apart.
template <typename Visit>
void ProtocolBuilder::for_each_copy(JsonObject& root, std::string_view section, Visit visit) {
  const auto agents = root.optional(section);
  if (!agents) return;
  JsonObject object = agents->object();
  for (const std::string& name : object.keys()) {
    const JsonValue value = object.required(name);
    JsonObject agent = value.object();
    const bool is_here = is_present(agent);
    const auto copies = agent.optional("copies");
    const auto as = agent.optional("as");
    if (copies.has_value() != as.has_value())
      value.fail("\"copies\" and \"as\", the variable that counts them, go together");
    const std::int64_t count = copies ? read_number(*copies, parameters_, 1, kMostCopies) : 1;
    const std::string counter = as ? read_variable(*as, parameters_) : std::string();
    for (std::int64_t copy = 0; copy < count; ++copy) {
      Variables variables = parameters_;
      if (as) variables[counter] = copy;
      std::string filled = name;
      try {
        filled = fill_in(name, variables);
      } catch (const std::invalid_argument& error) {
        value.fail(error.what());
      }
      count_walked(value);
      if (count > 1 && filled == name)
        value.fail(fmt::format(
            "expected a name that tells copies apart, such as \"{} {{{}}}\"", name, counter));
      visit(is_here, Instance{std::move(filled), std::move(variables), value, {}}, agent);
    }
    agent.finish();
  }
}

void ProtocolBuilder::read_threads(JsonObject& root) {
  for_each_copy(root, "threads", [&](bool is_here, Instance instance, JsonObject& object) {
    for (const char* key : {"gpu", "cluster", "cta"}) (void)object.optional(key);
    (void)object.required("ops");
    if (const auto kernel = object.optional("kernel"))
      for (const JsonValue& name : one_or_more(*kernel))
        instance.kernels.push_back(read_filled(name, instance.variables));
    kernel_names_.insert(instance.kernels.begin(), instance.kernels.end());
    if (!is_here) return;
    for (const std::string& kernel : instance.kernels) members_[kernel].push_back(threads_.size());
    threads_.push_back(std::move(instance));
  });
}

void ProtocolBuilder::read_host_functions(JsonObject& root) {
  for_each_copy(root, "host_functions", [&](bool is_here, Instance instance, JsonObject& object) {
    (void)object.required("ops");
    instance.kernels = {instance.name};
    host_function_names_.insert(instance.name);
    if (is_here) host_functions_.push_back(std::move(instance));
  });
}

void ProtocolBuilder::declare_streams(JsonObject& root, std::vector<Instance>& filled) {
  for_each_copy(root, "streams", [&](bool is_here, Instance instance, JsonObject& object) {
    const auto gpu = object.optional("gpu");
    StreamEntry entry;
    entry.gpu = draft.gpu(gpu ? read_filled(*gpu, instance.variables) : "0");
    entry.has_own_ops = object.optional("ops").has_value();
    if (!is_here) return;
    draft.stand_at(instance.value);
    entry.agent =
        draft.add_agent("stream " + instance.name, AgentKind::stream, draft.own_place(entry.gpu));
    if (!streams_.emplace(instance.name, entry).second)
      instance.value.fail(fmt::format("stream \"{}\" is declared twice", instance.name));
    if (entry.has_own_ops) filled.push_back(std::move(instance));
  });
}

void ProtocolBuilder::declare_nics(JsonObject& root) {
  for_each_copy(root, "nics", [&](bool is_here, const Instance& instance, JsonObject& object) {
    NicEntry entry;
    if (const auto ordering = object.optional("ordering"))
      entry.ordering =
          static_cast<NicEntry::Ordering>(1 + ordering->one_of({"none", "owner", "all devices"}));
    if (!is_here) return;
    draft.stand_at(instance.value);
    entry.agent = draft.add_agent(instance.name, AgentKind::nic, draft.own_place(kHostGpu));
    if (!nics_.emplace(instance.name, entry).second)
      instance.value.fail(fmt::format("NIC \"{}\" is declared twice", instance.name));
  });
}

std::uint32_t ProtocolBuilder::add_thread(const Instance& instance,
                                          const std::string& kernel,
                                          const std::string& call) {
  JsonObject object = instance.value.object();
  const auto filled = [&](const char* key) -> std::optional<std::string> {
    const auto value = object.optional(key);
    return value ? std::optional(read_filled(*value, instance.variables)) : std::nullopt;
  };
  const std::string gpu_name = filled("gpu").value_or("0");
  const std::uint32_t gpu = draft.gpu(gpu_name);
  // A CTA is one of a launch of a kernel on a GPU; without a name it is the agent's own.
  const std::string prefix = gpu_name + '\n' + kernel + call + '\n';
  const std::string cta = filled("cta").value_or('\n' + instance.name);
  const std::string cluster = filled("cluster").value_or('\n' + cta);
  const Place place = draft.place(gpu, prefix + cluster, prefix + cluster + '\n' + cta);
  return draft.add_agent(instance.name + call, AgentKind::threads, place);
}

void ProtocolBuilder::run_instance(const Instance& instance,
                                   std::uint32_t agent,
                                   Performer performer) {
  walk(instance.value.object().required("ops"), performer, agent, instance.variables);
}

void ProtocolBuilder::read_agents(JsonObject& root) {
  read_threads(root);
  read_host_functions(root);
  std::vector<Instance> filled;
  declare_streams(root, filled);
  declare_nics(root);
  for (const Instance& instance : threads_)
    if (instance.kernels.empty()) run_instance(instance, add_thread(instance, "", ""), kThread);
  for (const Instance& instance : filled)
    run_instance(instance, streams_.find(instance.name)->second.agent, kStream);
  for_each_copy(
      root, "cpu_threads", [&](bool is_here, const Instance& instance, JsonObject& object) {
        (void)object.required("ops");
        if (!is_here) return;
        run_instance(instance,
                     draft.add_agent(instance.name, AgentKind::cpu, draft.own_place(kHostGpu)),
                     kCpu);
      });
  if (!variants_.empty()) return;
  for (const Instance& instance : threads_)
    for (const std::string& kernel : instance.kernels)
      if (!calls_.contains(kernel))
        instance.value.fail(fmt::format("nothing launches kernel \"{}\"", kernel));
}

void ProtocolBuilder::count_walked(const JsonValue& value) {
  if (++walked_ > kMostWalked) value.fail(fmt::format("more than {} operations", kMostWalked));
}

void ProtocolBuilder::walk(const JsonValue& ops,
                           Performer performer,
                           std::uint32_t agent,
                           const Variables& variables) {
  for (const JsonValue& value : ops.array()) {
    count_walked(ops);
    JsonObject object = value.object();
    const bool is_here = is_present(object);
    const auto when = object.optional("when");
    if (!is_here || (when && read_number(*when, variables, INT32_MIN, INT32_MAX) == 0)) continue;
    if (const auto times = object.optional("repeat")) {
      (void)object.optional("text");
      walk_repeat(object, *times, performer, agent, variables);
    } else {
      walk_op(object, performer, agent, variables);
    }
    object.finish();
  }
}

void ProtocolBuilder::walk_repeat(JsonObject& object,
                                  const JsonValue& times,
                                  Performer performer,
                                  std::uint32_t agent,
                                  const Variables& variables) {
  const std::int64_t count = read_number(times, variables, 0, kMostRepeats);
  Variables inner = variables;
  std::string counter;
  if (const auto as = object.optional("as")) counter = read_variable(*as, variables);
  const JsonValue ops = object.required("ops");
  for (std::int64_t i = 0; i < count; ++i) {
    count_walked(times);
    if (!counter.empty()) inner[counter] = i;
    walk(ops, performer, agent, inner);
  }
}

// A CPU thread's operation on a stream: the thread goes on, the stream has it from then on.
void ProtocolBuilder::enqueue(OpSite& site) {
  const JsonValue on = site.object.required("on");
  const std::string name = read_filled(on, site.variables);
  StreamEntry& entry = stream(on, site.variables);
  if (entry.has_own_ops) on.fail(fmt::format("stream \"{}\" has operations of its own", name));
  if (entry.enqueuer != kNone && entry.enqueuer != site.agent)
    on.fail(fmt::format("\"{}\" enqueues on stream \"{}\" too, and nothing says which comes first",
                        draft.agents[entry.enqueuer].name,
                        name));
  entry.enqueuer = site.agent;
  if (entry.enqueue_flag == kNone)
    entry.enqueue_flag = draft.add_flag(FlagOrder::progress, "queue of stream " + name);
  const OpAt where = draft.emit(site.agent,
                                {.kind = SyncOpKind::signal,
                                 .order = Order::release,
                                 .traits = kApiEdge,
                                 .target = entry.enqueue_flag,
                                 .position = entry.enqueued++},
                                "enqueue on stream " + name);
  if (const auto takes = site.object.optional("call_takes"))
    draft.set_takes(where, takes->duration());
  draft.emit(entry.agent,
             {.kind = SyncOpKind::wait,
              .order = Order::acquire,
              .traits = kApiEdge,
              .target = entry.enqueue_flag,
              .count = entry.enqueued},
             "enqueued by " + draft.agents[site.agent].name);
  site.caller = site.agent;
  site.agent = entry.agent;
  site.performer = kStream;
}

void ProtocolBuilder::walk_op(JsonObject& object,
                              Performer performer,
                              std::uint32_t agent,
                              const Variables& variables) {
  draft.stand_at(object.value());
  const ProtocolVerb& verb = find_verb(object);
  OpSite site{*this, performer, agent, kNone, object, object.required(verb.name), variables};
  const bool is_enqueued = performer == kCpu && (verb.performers & kStream) != 0 &&
                           ((verb.performers & kCpu) == 0 || object.optional("on"));
  if (is_enqueued)
    enqueue(site);
  else if ((verb.performers & performer) == 0)
    object.value().fail(fmt::format("{} cannot \"{}\"", performer_name(performer), verb.name));
  verb.lower(site);
  if (const auto takes = object.optional("takes")) {
    if (takes->duration() < Duration{}) takes->fail_expected("a time that is not negative");
    if (const auto last = draft.last_of(site.agent)) draft.set_takes(*last, takes->duration());
  }
  if (const auto text = object.optional("text"))
    if (const auto last = draft.last_of(site.agent))
      draft.agents[last->agent].texts[last->op] = read_filled(*text, variables);
  note_label(site);
}

void ProtocolBuilder::note_label(const OpSite& site) {
  const auto label = site.object.optional("label");
  if (!label) return;
  const auto last = draft.last_of(site.agent);
  if (!last) label->fail("nothing here to point at");
  const std::string name = read_filled(*label, site.variables);
  if (!labels_.emplace(name, *last).second)
    label->fail(fmt::format("\"{}\" labels two operations; put a variable into it", name));
}

OpAt ProtocolBuilder::labelled(const JsonValue& label) const {
  const auto found = labels_.find(label.string());
  if (found == labels_.end()) label.fail_expected("the label of an operation");
  return found->second;
}

}  // namespace epsim

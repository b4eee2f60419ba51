#include "sim/protocols/protocol_verbs.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::int64_t kLargestWord = 0xffff'fffe;
constexpr std::int64_t kLargestCount = 1'000'000;
constexpr std::uint8_t kGpuThread = kThread;
constexpr std::uint8_t kAnyThread = kThread | kCpu | kHostFunction;
constexpr std::uint8_t kAnyAgent = kAnyThread | kStream;

template <typename Enum, std::size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

std::uint32_t number(OpSite& site,
                     std::string_view key,
                     std::int64_t fallback,
                     std::int64_t low,
                     std::int64_t high) {
  const auto value = site.object.optional(key);
  return static_cast<std::uint32_t>(value ? read_number(*value, site.variables, low, high)
                                          : fallback);
}

// GPU threads say how far a flag or a fence reaches, or the flag does; all others reach everybody.
Scope scope_of(OpSite& site, std::optional<Scope> of_flag) {
  if (site.performer != kThread) return Scope::sys;
  if (const auto scope = site.object.optional("scope"))
    return read_word<Scope>(*scope, kScopeNames);
  if (!of_flag)
    site.object.value().fail(
        "missing key \"scope\": cta, cluster, gpu or sys, here or where the flag is declared");
  return *of_flag;
}

Order order_of(OpSite& site, Order fallback) {
  const auto order = site.object.optional("order");
  if (!order) return fallback;
  return order->one_of({"relaxed", name_of(kOrderNames, fallback)}) == 0 ? Order::relaxed
                                                                         : fallback;
}

// "if": the edge is there only on platforms that have this.
void add_condition(OpSite& site, SyncOp& op) {
  const auto condition = site.object.optional("if");
  if (!condition) return;
  op.traits |= kConditional;
  op.condition = static_cast<std::uint16_t>(site.builder.names.condition(*condition));
}

// Shared memory belongs to a cluster: touching it from elsewhere is a slip of the pen.
void touch(OpSite& site, std::uint32_t agent, const BufferRange& range, const JsonValue& value) {
  if (range.buffer->space != MemorySpace::shared) return;
  const DraftAgent& draft = site.builder.draft.agents[agent];
  const std::pair here{draft.place.gpu, draft.place.cluster};
  if (!range.buffer->gpu_and_cluster) range.buffer->gpu_and_cluster = here;
  if (draft.kind != AgentKind::threads || *range.buffer->gpu_and_cluster != here)
    value.fail(fmt::format(
        "{} is shared memory of another CTA; \"{}\" cannot reach it", range.text, draft.name));
}

void lower_read(OpSite& site) {
  emit_access(site, site.agent, site.main, SyncOpKind::read);
}

void lower_write(OpSite& site) {
  emit_access(site, site.agent, site.main, SyncOpKind::write);
}

void lower_end_life(OpSite& site) {
  emit_access(site, site.agent, site.main, SyncOpKind::end_life);
}

// An arrival, whose step is known when all arrivals are.
void emit_arrival(OpSite& site, const FlagUse& use) {
  ProtocolDraft& draft = site.builder.draft;
  const Order order = order_of(site, Order::release);
  const Scope scope = scope_of(site, use.entry->scope);
  const OpAt where =
      draft.emit(site.agent,
                 {.kind = SyncOpKind::signal, .scope = scope, .order = order, .target = use.flag},
                 fmt::format("arrive on {} ({}.{})",
                             use.text,
                             name_of(kOrderNames, order),
                             name_of(kScopeNames, scope)));
  draft.arrive(use.flag, use.entry->arrivals, where, site.object.value());
}

void lower_signal(OpSite& site) {
  const FlagUse use = site.builder.names.flag(site.main, site.variables);
  if (use.entry->is_mbarrier) site.main.fail("this is an mbarrier: arrive there");
  if (use.entry->arrivals > 0) return emit_arrival(site, use);
  (void)emit_signal(site, site.agent, site.main, order_of(site, Order::release));
}

void lower_wait(OpSite& site) {
  (void)emit_wait(site, site.main, order_of(site, Order::acquire));
}

void lower_fence(OpSite& site) {
  constexpr std::array kOrders = {Order::acq_rel, Order::acq_rel, Order::release, Order::acquire};
  const std::size_t word = site.main.one_of({"acq_rel", "sc", "release", "acquire"});
  const Scope scope = scope_of(site, std::nullopt);
  site.builder.draft.emit(
      site.agent,
      {.kind = SyncOpKind::fence, .scope = scope, .order = kOrders[word]},
      fmt::format("fence.{}.{}", site.main.string(), name_of(kScopeNames, scope)));
}

void lower_proxy_fence(OpSite& site) {
  SyncOp op{.kind = SyncOpKind::proxy_fence, .order = Order::acq_rel};
  op.proxy = read_word<Proxy>(site.main, kProxyNames);
  if (op.proxy == Proxy::generic) site.main.fail_expected("the proxy on the other side");
  if (const auto space = site.object.optional("space"))
    op.space = read_word<MemorySpace>(*space, kMemorySpaceNames);
  if (const auto order = site.object.optional("order")) {
    op.order = read_word<Order>(*order, kOrderNames);
    if (op.order == Order::relaxed) order->fail_expected("acq_rel, acquire or release");
  }
  constexpr std::array<std::string_view, 3> kSuffixes = {".global", ".shared::cta", ""};
  site.builder.draft.emit(
      site.agent,
      op,
      fmt::format(
          "fence.proxy.{}{}", name_of(kProxyNames, op.proxy), name_of(kSuffixes, op.space)));
}

void lower_sync(OpSite& site) {
  const auto use = site.builder.names.barrier(site.main, site.variables);
  site.builder.draft.emit(
      site.agent, {.kind = SyncOpKind::barrier, .target = use.barrier}, use.text);
}

void lower_arrive(OpSite& site) {
  if (!site.builder.names.is_flag(site.main, site.variables)) {
    const auto use = site.builder.names.barrier(site.main, site.variables);
    site.builder.draft.emit(site.agent,
                            {.kind = SyncOpKind::arrive, .target = use.barrier},
                            fmt::format("arrive on {}", use.text));
    return;
  }
  const FlagUse use = site.builder.names.flag(site.main, site.variables);
  if (!use.entry->is_mbarrier) site.main.fail("this is a flag: signal it");
  emit_arrival(site, use);
}

void emit_bulk(OpSite& site, std::string_view what, const std::optional<JsonValue>& completes) {
  ProtocolBuilder& builder = site.builder;
  const BufferRange from = builder.names.buffer(site.main, site.variables);
  const JsonValue into = site.object.required("into");
  const BufferRange to = builder.names.buffer(into, site.variables);
  touch(site, site.agent, from, site.main);
  touch(site, site.agent, to, into);
  auto& engines = builder.draft.program.engine_ops;
  const auto engine = static_cast<std::uint32_t>(engines.size());
  engines.push_back({.read_from = from.first,
                     .read_count = from.count,
                     .write_to = to.first,
                     .write_count = to.count});
  const OpAt where =
      builder.draft.emit(site.agent,
                         {.kind = SyncOpKind::issue, .proxy = Proxy::async, .target = engine},
                         fmt::format("{} of {} into {}", what, from.text, to.text));
  if (!completes) return;
  const FlagUse use = builder.names.flag(*completes, site.variables);
  if (!use.entry->is_mbarrier) completes->fail_expected("an mbarrier");
  builder.draft.land(use.flag, use.entry->arrivals, where, engine, site.object.value());
}

void lower_bulk_load(OpSite& site) {
  emit_bulk(site, "bulk load", site.object.required("completes"));
}

void lower_bulk_store(OpSite& site) {
  emit_bulk(site, "bulk store", std::nullopt);
}

void lower_wait_group(OpSite& site) {
  SyncOp op{.kind = SyncOpKind::wait_group};
  op.count = static_cast<std::uint32_t>(read_number(site.main, site.variables, 0, kLargestCount));
  const auto reads_only = site.object.optional("reads_only");
  const bool is_read = reads_only && reads_only->boolean();
  if (is_read) op.traits = kReadOnly;
  site.builder.draft.emit(
      site.agent,
      op,
      fmt::format("cp.async.bulk.wait_group{} {}", is_read ? ".read" : "", op.count));
}

constexpr std::array kVerbs = {
    ProtocolVerb{"read",
                 kAnyThread,
                 "places",
                 "proxy, nc",
                 "Ordinary (weak) loads; `nc`: "
                 "ld.global.nc; `proxy`: generic (default), async, texture, surface or constant",
                 lower_read},
    ProtocolVerb{"write", kAnyThread, "places", "proxy", "Ordinary (weak) stores", lower_write},
    ProtocolVerb{"signal",
                 kAnyThread,
                 "flag",
                 "add, value, step, order, scope, atomic, if",
                 "Adds 1 or `add` to a counter, completes the next or the given `step` of a "
                 "progress flag, stores `value` (1) in a word. `order`: release (default) or "
                 "relaxed. `atomic`: an update, which carries earlier releases on (default, but "
                 "not for words)",
                 lower_signal},
    ProtocolVerb{"wait",
                 kAnyThread,
                 "flag or mbarrier",
                 "for, phase, accepts, order, scope, if",
                 "Until the counter, the steps or the word are `for` (1); of an mbarrier until "
                 "`phase` (from 0) is complete. `accepts`: any, for a test that takes any word but "
                 "0. `order`: acquire (default) or relaxed",
                 lower_wait},
    ProtocolVerb{"reset", kAnyThread, "flag", "", "A plain store of zero", emit_reset},
    ProtocolVerb{"fence",
                 kAnyThread,
                 "acq_rel, sc, release or acquire",
                 "scope",
                 "fence, __threadfence and the like",
                 lower_fence},
    ProtocolVerb{"proxy_fence",
                 kGpuThread,
                 "async, texture, surface or constant",
                 "space, order",
                 "fence.proxy, for `space` global, shared or both (default)",
                 lower_proxy_fence},
    ProtocolVerb{
        "sync", kAnyThread, "barrier", "", "Arrives and waits for all members", lower_sync},
    ProtocolVerb{"arrive",
                 kAnyThread,
                 "barrier or mbarrier",
                 "order, scope",
                 "Arrives and goes on; of an mbarrier with release.cta unless said otherwise",
                 lower_arrive},
    ProtocolVerb{"bulk_load",
                 kGpuThread,
                 "places",
                 "into, completes",
                 "cp.async.bulk that completes an mbarrier",
                 lower_bulk_load},
    ProtocolVerb{"bulk_store",
                 kGpuThread,
                 "places",
                 "into",
                 "cp.async.bulk, in a bulk group of its own",
                 lower_bulk_store},
    ProtocolVerb{"wait_group",
                 kGpuThread,
                 "number",
                 "reads_only",
                 "Until all but the newest so many bulk groups of this agent are complete; "
                 "`reads_only`: .read, their sources only",
                 lower_wait_group},
    ProtocolVerb{"free", kAnyAgent, "places", "", "Their memory is freed", lower_end_life},
    ProtocolVerb{"give_back",
                 kAnyAgent,
                 "places",
                 "",
                 "They go back to a pool, whose next user may be anybody",
                 lower_end_life},
};

}  // namespace

void emit_access(OpSite& site, std::uint32_t agent, const JsonValue& buffer, SyncOpKind kind) {
  const BufferRange range = site.builder.names.buffer(buffer, site.variables);
  touch(site, agent, range, buffer);
  SyncOp op{.kind = kind, .target = range.first, .count = range.count};
  std::string suffix;
  if (kind != SyncOpKind::end_life && agent == site.agent && site.performer == kThread) {
    if (const auto proxy = site.object.optional("proxy")) {
      op.proxy = read_word<Proxy>(*proxy, kProxyNames);
      if (op.proxy != Proxy::generic)
        suffix = fmt::format(" by the {} proxy", name_of(kProxyNames, op.proxy));
    }
    const auto nc = kind == SyncOpKind::read ? site.object.optional("nc") : std::nullopt;
    if (nc && nc->boolean()) {
      op.traits = kNonCoherent;
      suffix += " by ld.global.nc";
    }
  }
  const std::string_view verb = kind == SyncOpKind::read    ? "read"
                                : kind == SyncOpKind::write ? "write"
                                                            : "end";
  site.builder.draft.emit(agent, op, fmt::format("{} of {}{}", verb, range.text, suffix));
}

void emit_reset(OpSite& site) {
  const FlagUse use = site.builder.names.flag(site.main, site.variables);
  site.builder.draft.emit(
      site.agent, {.kind = SyncOpKind::reset, .target = use.flag}, "reset of " + use.text);
}

OpAt emit_signal(OpSite& site, std::uint32_t agent, const JsonValue& flag, Order order) {
  const FlagUse use = site.builder.names.flag(flag, site.variables);
  if (use.entry->arrivals > 0) flag.fail("a flag with phases takes the arrivals of threads alone");
  SyncOp op{.kind = SyncOpKind::signal, .order = order, .target = use.flag};
  op.scope = scope_of(site, use.entry->scope);
  std::string what;
  switch (use.entry->order) {
    case FlagOrder::counter:
      op.count = number(site, "add", 1, 1, kLargestCount);
      what = fmt::format("add {} to {}", op.count, use.text);
      break;
    case FlagOrder::progress: {
      std::uint32_t& next = site.builder.next_step(use.flag);
      op.position = number(site, "step", next, 0, kLargestCount);
      next = std::max(next, op.position + 1);
      what = fmt::format("step {} of {}", op.position, use.text);
      break;
    }
    case FlagOrder::word:
      op.count = number(site, "value", 1, 1, kLargestWord);
      what = fmt::format("{} = {}", use.text, op.count);
      break;
  }
  const auto atomic = site.object.optional("atomic");
  if (atomic ? !atomic->boolean() : use.entry->order == FlagOrder::word) op.traits |= kStore;
  add_condition(site, op);
  return site.builder.draft.emit(
      agent,
      op,
      fmt::format("{} ({}.{})", what, name_of(kOrderNames, order), name_of(kScopeNames, op.scope)));
}

OpAt emit_wait(OpSite& site, const JsonValue& flag, Order order) {
  const FlagUse use = site.builder.names.flag(flag, site.variables);
  SyncOp op{.kind = SyncOpKind::wait, .order = order, .target = use.flag};
  op.scope = scope_of(site, use.entry->scope);
  std::string what;
  if (use.entry->arrivals > 0) {
    const std::uint32_t phase = number(site, "phase", 0, 0, kLargestCount);
    op.count = use.entry->arrivals * (phase + 1);
    what = fmt::format("phase {} of {}", phase, use.text);
  } else {
    op.count = number(site, "for", 1, 1, kLargestWord);
    what = fmt::format(
        "{} {} {}", use.text, use.entry->order == FlagOrder::word ? "=" : ">=", op.count);
  }
  if (use.entry->order == FlagOrder::word) {
    if (const auto accepts = site.object.optional("accepts")) {
      (void)accepts->one_of({"any"});
      op.traits |= kAnyWord;
      what = fmt::format("{} != 0 (meant: {})", use.text, op.count);
    }
  }
  add_condition(site, op);
  return site.builder.draft.emit(site.agent,
                                 op,
                                 fmt::format("wait for {} ({}.{})",
                                             what,
                                             name_of(kOrderNames, order),
                                             name_of(kScopeNames, op.scope)));
}

std::span<const ProtocolVerb> memory_verbs() {
  return kVerbs;
}

}  // namespace epsim

#include "sim/litmus/litmus_frame.hpp"

namespace epsim {
namespace {

// Issue, what the engine then does, and completion, as parts of one engine's events.
enum class EnginePart : std::uint8_t { issue, middle, completion };

EnginePart part_of(const std::vector<LitmusEvent>& events,
                   std::uint32_t event,
                   std::uint32_t begin,
                   std::uint32_t end) {
  if (events[event].op == events[begin].op) return EnginePart::issue;
  if (events[event].op == events[end - 1].op) return EnginePart::completion;
  return EnginePart::middle;
}

// Calls `visit(thread, begin, end)` for each thread that has events.
template <typename Visit>
void for_each_thread(const std::vector<LitmusEvent>& events, Visit visit) {
  std::uint32_t begin = 0;
  while (begin < events.size() && events[begin].thread != kNoThread) {
    std::uint32_t end = begin + 1;
    while (end < events.size() && events[end].thread == events[begin].thread) ++end;
    visit(events[begin].thread, begin, end);
    begin = end;
  }
}

bool is_engine(const LitmusTest& test, const LitmusEvent& event) {
  return event.thread != kNoThread && test.threads[event.thread].is_engine;
}

}  // namespace

bool scope_includes(Scope scope, const Place& from, const Place& to) {
  switch (scope) {
    case Scope::cta:
      return from.cta == to.cta;
    case Scope::cluster:
      return from.cluster == to.cluster;
    case Scope::gpu:
      return from.gpu == to.gpu;
    case Scope::sys:
      return true;
  }
  return true;
}

LitmusFrame::LitmusFrame(const LitmusTest& test, const std::vector<const LitmusRun*>& runs) {
  add_events(test, runs);
  add_steps(test);
  add_moral_strength(test);
  add_patterns(test);
  add_places(test);
}

void LitmusFrame::add_events(const LitmusTest& test, const std::vector<const LitmusRun*>& runs) {
  std::vector<std::vector<std::uint32_t>> reads_of_run(runs.size());
  for (std::uint32_t thread = 0; thread < runs.size(); ++thread)
    for (const LitmusEvent& event : runs[thread]->events) {
      const auto index = static_cast<std::uint32_t>(events.size());
      partner.push_back(index);
      if (event.is_half && event.is_write()) {
        partner[index] = index - 1;
        partner[index - 1] = index;
      }
      if (event.is_read()) reads_of_run[thread].push_back(index);
      events.push_back(event);
    }
  for (std::uint32_t storage = 0; storage < test.initial.size(); ++storage) {
    LitmusEvent initial;
    initial.kind = LitmusEventKind::write;
    initial.storage = storage;
    initial.value = test.initial[storage];
    partner.push_back(static_cast<std::uint32_t>(events.size()));
    events.push_back(initial);
  }
  nodes = events.size();
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    entry.push_back(i);
    origin.push_back(i);
  }
  for_each_thread(events, [&](std::uint32_t thread, std::uint32_t begin, std::uint32_t end) {
    if (!test.threads[thread].is_engine) return;
    for (std::uint32_t i = begin; i < end; ++i) {
      if (part_of(events, i, begin, end) != EnginePart::middle) continue;
      entry[i] = static_cast<std::uint32_t>(nodes++);
      origin.push_back(i);
    }
  });
  influence = BitMatrix(nodes);
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    if (events[i].is_read()) reads.push_back(i);
    if (!events[i].is_write()) continue;
    writes.push_back(i);
    if (events[i].thread == kNoThread) continue;
    const std::vector<std::uint32_t>& known = reads_of_run[events[i].thread];
    for (std::size_t read = 0; read < known.size(); ++read)
      if (((events[i].depends_on >> read) & 1U) != 0) influence.add(known[read], i);
  }
}

void LitmusFrame::add_steps(const LitmusTest& test) {
  program_order = BitMatrix(nodes);
  steps = BitMatrix(nodes);
  for_each_thread(events, [&](std::uint32_t thread, std::uint32_t begin, std::uint32_t end) {
    for (std::uint32_t i = begin; i < end; ++i)
      for (std::uint32_t j = i + 1; j < end; ++j) program_order.add(i, j);
    if (test.threads[thread].is_engine) return add_engine_steps(begin, end);
    for (std::uint32_t i = begin; i < end; ++i) steps.add(i, program_order.row(i));
  });
}

// The issue leads to what the engine does, and that to the completion; but no path leads through:
// from the issue on it runs along the doubles, which end before the completion.
void LitmusFrame::add_engine_steps(std::uint32_t begin, std::uint32_t end) {
  for (std::uint32_t i = begin; i < end; ++i)
    for (std::uint32_t j = i + 1; j < end; ++j) {
      const EnginePart from = part_of(events, i, begin, end);
      const EnginePart to = part_of(events, j, begin, end);
      if (from == EnginePart::issue && to == EnginePart::middle) steps.add(i, entry[j]);
      if (from == EnginePart::middle && to == EnginePart::middle) steps.add(entry[i], entry[j]);
      if ((from == EnginePart::issue) == (to == EnginePart::issue)) steps.add(i, j);
    }
}

void LitmusFrame::add_moral_strength(const LitmusTest& test) {
  morally_strong = BitMatrix(nodes);
  for (std::uint32_t i = 0; i < events.size(); ++i)
    for (std::uint32_t j = 0; j < events.size(); ++j) {
      const LitmusEvent& a = events[i];
      const LitmusEvent& b = events[j];
      if (i == j || a.thread == kNoThread || b.thread == kNoThread) continue;
      if (a.proxy != b.proxy) continue;
      if (a.is_access() && b.is_access() && a.address != b.address) continue;
      if (a.is_access() && b.is_access() && a.storage != b.storage) continue;
      const Place& at = test.threads[a.thread].place;
      const Place& bt = test.threads[b.thread].place;
      if (a.thread == b.thread || (a.is_strong && b.is_strong && scope_includes(a.scope, at, bt) &&
                                   scope_includes(b.scope, bt, at)))
        morally_strong.add(i, j);
    }
}

void LitmusFrame::add_patterns(const LitmusTest& test) {
  heads = BitMatrix(nodes);
  tails = BitMatrix(nodes);
  const auto observes = [&](std::uint32_t i) {
    return events[i].is_read() && events[i].is_strong && !events[i].is_red;
  };
  const auto is_fence = [&](std::uint32_t i) {
    return events[i].kind == LitmusEventKind::thread_fence;
  };
  for_each_thread(events, [&](std::uint32_t, std::uint32_t begin, std::uint32_t end) {
    for (std::uint32_t i = begin; i < end; ++i) {
      const LitmusEvent& first = events[i];
      if (first.releases && first.is_write()) heads.add(i, i);
      if (first.acquires && observes(i)) tails.add(i, i);
      for (std::uint32_t j = i + 1; j < end; ++j) {
        const LitmusEvent& last = events[j];
        // What the issue of an engine released does not come out with its completion.
        if (is_engine(test, first) && part_of(events, i, begin, end) == EnginePart::issue &&
            part_of(events, j, begin, end) == EnginePart::completion)
          continue;
        const bool same = first.is_access() && last.is_access() && first.address == last.address;
        if (first.releases && last.is_write() && last.is_strong &&
            (is_fence(i) || (first.is_write() && same)))
          heads.add(i, j);
        if (observes(i) && last.acquires && (is_fence(j) || (last.is_read() && same)))
          tails.add(i, j);
      }
    }
  });
}

void LitmusFrame::add_places(const LitmusTest& test) {
  fenced = BitMatrix(nodes);
  same_address = BitMatrix(nodes);
  same_storage = BitMatrix(nodes);
  near = BitMatrix(nodes);
  sets = BitMatrix(4, nodes);
  const auto cta_of = [&](const LitmusEvent& event) {
    return test.threads[event.thread].place.cta;
  };
  for (std::uint32_t node = 0; node < nodes; ++node) {
    const LitmusEvent& event = events[origin[node]];
    if (event.kind == LitmusEventKind::alias_fence) sets.add(2, node);
    if (event.kind == LitmusEventKind::proxy_fence) sets.add(3, node);
    if (event.is_access() && event.thread != kNoThread && node < events.size())
      sets.add(event.proxy == Proxy::generic ? 0 : 1, node);
    for (std::uint32_t i = 0; i < events.size(); ++i) {
      const LitmusEvent& other = events[i];
      if (!other.is_access()) continue;
      if (event.is_access() && event.storage == other.storage) same_storage.add(node, i);
      if (event.thread == kNoThread || other.thread == kNoThread) continue;
      const bool is_near = event.proxy == other.proxy && cta_of(event) == cta_of(other);
      if (event.kind == LitmusEventKind::proxy_fence && is_near) fenced.add(node, i);
      if (!event.is_access()) continue;
      if (is_near) near.add(node, i);
      if (event.address == other.address && event.storage == other.storage)
        same_address.add(node, i);
    }
  }
}

}  // namespace epsim

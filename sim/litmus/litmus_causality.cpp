#include "sim/litmus/litmus_causality.hpp"

namespace epsim {
namespace {

// A write and the morally strong read of it; the two halves of an atomic.
BitMatrix observation(const LitmusFrame& frame, const ReadsFrom& reads_from) {
  BitMatrix result(frame.nodes);
  for (const std::uint32_t read : frame.reads) {
    const std::uint32_t write = reads_from[read];
    if (write != kNobody && frame.morally_strong.has(write, read)) result.add(write, read);
    if (frame.partner[read] != read) result.add(read, frame.partner[read]);
  }
  return result;
}

// What reached a double reached its event.
void fold(const LitmusFrame& frame, BitMatrix& relation) {
  for (std::size_t node = frame.events.size(); node < frame.nodes; ++node)
    for (std::size_t i = 0; i < frame.events.size(); ++i)
      if (relation.has(i, node)) relation.add(i, frame.origin[node]);
}

// Proxy-preserved causality, row by row.
class ProxyPreserved {
 public:
  ProxyPreserved(const LitmusFrame& frame, const BitMatrix& paths)
      : frame_(frame), paths_(paths), scratch_(kScratchRows, frame.nodes) {}

  [[nodiscard]] BitMatrix all() {
    BitMatrix result(frame_.nodes);
    for_each_member(frame_.generic(), [&](std::size_t from) { from_access(from, true, result); });
    for_each_member(frame_.other_proxies(),
                    [&](std::size_t from) { from_access(from, false, result); });
    return result;
  }

 private:
  enum Scratch : std::size_t { direct, past_source, past_alias, arrived, kScratchRows };

  void from_access(std::size_t from, bool is_generic, BitMatrix& result) {
    for (std::size_t row = 0; row < kScratchRows; ++row) scratch_.clear(row);
    // No fence: both generic, or by one proxy in one CTA.
    add_events(direct, paths_.row(from));
    if (!is_generic) scratch_.keep(direct, frame_.near.row(from));
    if (is_generic) scratch_.keep(direct, frame_.generic());
    // A source fence, unless the source is generic; then, for the same address, a destination
    // fence, unless the destination is. A generic destination of a generic source needs no fence.
    if (is_generic) scratch_.add(past_source, paths_.row(from));
    if (!is_generic)
      for_each_member(paths_.row(from), [&](std::size_t node) {
        if (frame_.fenced.has(node, from)) scratch_.add(past_source, paths_.row(node));
      });
    arrive(past_source);
    scratch_.add(direct, scratch_.row(arrived));
    scratch_.keep(direct, frame_.same_address.row(from));
    result.add(from, scratch_.row(direct));
    // Another address of the same storage: an alias fence between the two.
    bool has_alias = false;
    for_each_member(scratch_.row(past_source), [&](std::size_t node) {
      if (!holds(frame_.alias_fences(), node)) return;
      has_alias = true;
      scratch_.add(past_alias, paths_.row(node));
    });
    if (!has_alias) return;
    scratch_.clear(arrived);
    arrive(past_alias);
    scratch_.keep(arrived, frame_.same_storage.row(from));
    result.add(from, scratch_.row(arrived));
  }

  // The accesses that a path beyond the nodes of row `reached` may end in.
  void arrive(Scratch reached) {
    for_each_member(scratch_.row(reached), [&](std::size_t node) {
      const std::size_t event = frame_.origin[node];
      if (holds(frame_.generic(), event)) scratch_.add(arrived, event);
      if (!holds(frame_.proxy_fences(), node)) return;
      for_each_member(paths_.row(node), [&](std::size_t end) {
        const std::size_t access = frame_.origin[end];
        if (frame_.fenced.has(node, access)) scratch_.add(arrived, access);
      });
    });
  }

  void add_events(Scratch row, BitRow nodes) {
    for_each_member(nodes, [&](std::size_t node) { scratch_.add(row, frame_.origin[node]); });
  }

  const LitmusFrame& frame_;
  const BitMatrix& paths_;
  BitMatrix scratch_;
};

// Base causality as 6.0 has it: at least one edge on every path.
BitMatrix synchronized_paths(const LitmusFrame& frame, const std::vector<LitmusEdge>& edges) {
  BitMatrix result(frame.nodes);
  for (const LitmusEdge& edge : edges) {
    const std::uint32_t to = frame.entry[edge.to];
    for (std::size_t node = 0; node < frame.nodes; ++node) {
      if (node != edge.from && !frame.steps.has(node, edge.from)) continue;
      result.add(node, to);
      result.add(node, frame.steps.row(to));
    }
  }
  result.close();
  return result;
}

}  // namespace

std::vector<LitmusEdge> synchronizing_edges(const LitmusFrame& frame, const ReadsFrom& reads_from) {
  BitMatrix observed = observation(frame, reads_from);
  observed.close();
  std::vector<LitmusEdge> edges;
  BitMatrix ends(1, frame.nodes);
  for (std::uint32_t head = 0; head < frame.events.size(); ++head) {
    ends.clear(0);
    for_each_member(frame.heads.row(head), [&](std::size_t write) {
      for_each_member(observed.row(write),
                      [&](std::size_t read) { ends.add(0, frame.tails.row(read)); });
    });
    ends.keep(0, frame.morally_strong.row(head));
    for_each_member(ends.row(0), [&](std::size_t end) {
      edges.push_back({head, static_cast<std::uint32_t>(end)});
    });
  }
  return edges;
}

BitMatrix litmus_paths(const LitmusFrame& frame, const std::vector<LitmusEdge>& edges) {
  BitMatrix paths = frame.steps;
  for (const LitmusEdge& edge : edges) paths.add_closed(edge.from, frame.entry[edge.to]);
  return paths;
}

BitMatrix litmus_causality(const LitmusFrame& frame,
                           LitmusModel model,
                           const ReadsFrom& reads_from,
                           const std::vector<LitmusEdge>& edges,
                           const BitMatrix& paths) {
  BitMatrix base;
  if (model == LitmusModel::ptx_7_5) {
    base = ProxyPreserved(frame, paths).all();
  } else {
    base = synchronized_paths(frame, edges);
    fold(frame, base);
  }
  const BitMatrix observed = observation(frame, reads_from);
  BitMatrix cause = base;
  for (const std::uint32_t write : frame.writes)
    for_each_member(observed.row(write), [&](std::size_t read) {
      cause.add(write, base.row(read));
      if (model == LitmusModel::ptx_7_5) return;
      // 6.0 as its authors wrote it down (ASPLOS'19): what observes is also before what follows it
      // in its thread at the same place.
      for_each_member(frame.program_order.row(read), [&](std::size_t later) {
        if (frame.same_storage.has(read, later)) cause.add(write, later);
      });
    });
  for (const std::uint32_t read : frame.reads) {
    const std::uint32_t half = frame.partner[read];
    if (half == read) continue;
    cause.add(read, base.row(half));
    if (model == LitmusModel::ptx_7_5) continue;
    for_each_member(frame.program_order.row(half), [&](std::size_t later) {
      if (frame.same_storage.has(half, later)) cause.add(read, later);
    });
  }
  return cause;
}

}  // namespace epsim

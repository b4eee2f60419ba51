#include "models/stream_edges.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace epsim {
namespace {

using namespace std::chrono_literals;

// Clocks of a profiler differ between streams by about this.
constexpr Duration kClockNoise = 1us;
// An event's hop: a kernel that waited for another starts so soon after its end ...
constexpr Duration kLongestHop = 5us;
// ... and one that waited so long after all else that could have held it was held by an event.
constexpr Duration kClearlyHeld = 2us;

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Events that a stream has waited for: of each other stream, how many of its kernels are done.
using DoneCounts = std::vector<std::uint32_t>;

// What a kernel may have waited for on one other stream.
struct Candidate {
  std::uint32_t consumer = 0;  // place in the launch order
  std::uint32_t stream = 0;    // of the producer
  std::uint32_t limit = 0;     // so many of that stream were launched before the wait
  std::uint32_t depth = 0;     // and so many of those last ones it cannot have waited for
  bool is_binding = false;     // the times show that it did wait
};

class EdgeFinder {
 public:
  EdgeFinder(const GpuTrace& trace,
             std::uint32_t device,
             const std::vector<QueuedActivity>& order,
             const StepSplit& split)
      : trace_(trace), order_(order), split_(split) {
    list_streams();
    list_waits();
    add_told(device);
  }

  StreamEdges find() {
    std::vector<Candidate> candidates;
    if (!has_told_)
      for (std::uint32_t place = 0; place < order_.size(); ++place)
        add_candidates(place, candidates);
    weigh(candidates);
    std::size_t next = 0;
    for (std::uint32_t place = 0; place < order_.size(); ++place) {
      const std::size_t first = next;
      while (next < candidates.size() && candidates[next].consumer == place) ++next;
      accept_told(place);
      accept(place, {candidates.data() + first, candidates.data() + next});
    }
    for (std::size_t i = 0; i < wait_place_.size(); ++i)
      if (!is_explained_[i] && streams_.size() > 1) found_.unknown.push_back(wait_place_[i]);
    return std::move(found_);
  }

 private:
  struct CandidateSpan {
    Candidate *first, *last;
  };

  [[nodiscard]] const GpuActivity& activity(std::uint32_t place) const {
    return trace_.activities[order_[place].activity];
  }

  void list_streams() {
    stream_of_.resize(order_.size());
    number_.resize(order_.size());
    for (std::uint32_t place = 0; place < order_.size(); ++place) {
      const auto [row, is_new] = index_.emplace(activity(place).stream, streams_.size());
      if (is_new) streams_.emplace_back();
      stream_of_[place] = row->second;
      number_[place] = static_cast<std::uint32_t>(streams_[row->second].size());
      streams_[row->second].push_back(place);
    }
    changes_.resize(streams_.size());
  }

  // Where each wait stands in the launch order, and which launch it stands directly before in its
  // thread (kNone: another event is recorded in between).
  void list_waits() {
    std::vector<std::uint32_t> first_place(trace_.calls.size(), kNone);
    for (std::uint32_t place = 0; place < order_.size(); ++place) {
      const std::uint32_t call = order_[place].call;
      if (call != kNoCall && first_place[call] == kNone) first_place[call] = place;
    }
    adjacent_waits_.resize(order_.size() + 1);
    waits_before_.resize(order_.size() + 1);
    records_before_.resize(order_.size() + 1);
    std::map<std::uint64_t, std::uint32_t> next_launch;  // of each thread
    for (std::uint32_t i = static_cast<std::uint32_t>(trace_.calls.size()); i-- > 0;) {
      const HostCall& call = trace_.calls[i];
      std::uint32_t& next = next_launch.try_emplace(call.thread, kNone).first->second;
      if (call.kind == HostCallKind::launch) next = first_place[i];
      if (call.kind == HostCallKind::event_record) {
        next = kNone;
        ++records_before_[place_after(call.start)];
        record_start_.push_back(call.start);
      }
      if (call.kind != HostCallKind::event_wait) continue;
      const std::uint32_t place = place_after(call.start);
      ++waits_before_[place];
      if (next != kNone) ++adjacent_waits_[next];
      wait_place_.push_back(place);
      wait_start_.push_back(call.start);
      wait_adjacent_.push_back(next);
      wait_correlation_.push_back(call.correlation);
    }
    for (auto* column : {&wait_place_, &wait_adjacent_})
      std::reverse(column->begin(), column->end());
    std::reverse(wait_start_.begin(), wait_start_.end());
    std::reverse(record_start_.begin(), record_start_.end());
    std::reverse(wait_correlation_.begin(), wait_correlation_.end());
    is_explained_.resize(wait_place_.size());
  }

  // The first place whose launch came after `at`.
  [[nodiscard]] std::uint32_t place_after(Instant at) const {
    const auto found =
        std::upper_bound(order_.begin(), order_.end(), at, [](Instant a, const QueuedActivity& b) {
          return a < b.called;
        });
    return static_cast<std::uint32_t>(found - order_.begin());
  }

  // How many of `stream` were launched before `place`.
  [[nodiscard]] std::uint32_t launched_before(std::uint32_t stream, std::uint32_t place) const {
    const auto& places = streams_[stream];
    return static_cast<std::uint32_t>(std::lower_bound(places.begin(), places.end(), place) -
                                      places.begin());
  }

  [[nodiscard]] bool is_possible(std::uint32_t producer, std::uint32_t consumer) const {
    return activity(producer).end() <= activity(consumer).start + kClockNoise;
  }

  [[nodiscard]] std::uint32_t previous_of_stream(std::uint32_t place) const {
    const std::uint32_t number = number_[place];
    return number == 0 ? kNone : streams_[stream_of_[place]][number - 1];
  }

  // The last wait that the host made between a kernel's launch and the one before it on its stream.
  [[nodiscard]] std::optional<std::size_t> last_wait(std::uint32_t place) const {
    if (order_[place].call == kNoCall || streams_.size() < 2) return std::nullopt;
    const std::uint32_t previous = previous_of_stream(place);
    if (previous != kNone && order_[previous].call == order_[place].call) return std::nullopt;
    const auto next =
        std::lower_bound(wait_start_.begin(), wait_start_.end(), order_[place].called);
    if (next == wait_start_.begin()) return std::nullopt;
    const auto last = next - 1;
    if (previous != kNone && *last < order_[previous].called) return std::nullopt;
    return static_cast<std::size_t>(last - wait_start_.begin());
  }

  void add_candidates(std::uint32_t place, std::vector<Candidate>& candidates) const {
    const auto wait = last_wait(place);
    if (!wait) return;
    const std::uint32_t previous = previous_of_stream(place);
    Instant held = order_[place].queued;
    if (previous != kNone) held = std::max(held, activity(previous).end());
    for (std::uint32_t stream = 0; stream < streams_.size(); ++stream) {
      if (stream == stream_of_[place]) continue;
      Candidate candidate{.consumer = place, .stream = stream};
      candidate.limit = launched_before(stream, wait_place_[*wait]);
      while (candidate.depth < candidate.limit && !(is_possible(producer_of(candidate), place) &&
                                                    is_recorded(candidate, wait_start_[*wait])))
        ++candidate.depth;
      if (candidate.depth == candidate.limit) continue;
      const Instant end = activity(producer_of(candidate)).end();
      candidate.is_binding =
          end > held + kClearlyHeld && activity(place).start - end <= kLongestHop;
      candidates.push_back(candidate);
    }
  }

  [[nodiscard]] std::uint32_t producer_of(const Candidate& candidate) const {
    return streams_[candidate.stream][candidate.limit - candidate.depth - 1];
  }

  // An event can have been recorded behind the producer: after its launch and before its stream's
  // next one, or the wait.
  [[nodiscard]] bool is_recorded(const Candidate& candidate, Instant wait) const {
    const auto first = std::upper_bound(
        record_start_.begin(), record_start_.end(), order_[producer_of(candidate)].called);
    if (candidate.depth > 0)
      wait = order_[streams_[candidate.stream][candidate.limit - candidate.depth]].called;
    return first != record_start_.end() && *first < wait;
  }

  // The place of a launch in its program: the calls around it, which come again with each layer.
  using Site = std::tuple<std::uint32_t,
                          std::uint32_t,
                          std::uint32_t,
                          std::uint32_t,
                          std::uint32_t,
                          std::uint32_t,
                          std::uint32_t>;
  [[nodiscard]] Site site_of(const Candidate& candidate) const {
    const std::uint32_t place = candidate.consumer;
    const bool is_first = place == 0;
    return {stream_of_[place],
            activity(place).name,
            is_first ? kNone : stream_of_[place - 1],
            is_first ? kNone : activity(place - 1).name,
            waits_before_[place],
            records_before_[place],
            candidate.stream};
  }

  // What one layer's or step's times show holds for the others: a site where a kernel once waited
  // always waits, and what one step's times forbid was not waited for in another.
  void weigh(std::vector<Candidate>& candidates) const {
    std::map<Site, bool> is_binding;
    for (const Candidate& candidate : candidates)
      is_binding[site_of(candidate)] |= candidate.is_binding;
    for (Candidate& candidate : candidates)
      candidate.is_binding = is_binding.at(site_of(candidate));
    if (!split_.is_repeating) return;

    using Position = std::pair<std::size_t, std::uint32_t>;  // in the step, stream
    const std::size_t size = split_.steps[0].last - split_.steps[0].first;
    const auto position = [&](const Candidate& candidate) {
      const auto next = std::upper_bound(
          split_.steps.begin(),
          split_.steps.end(),
          candidate.consumer,
          [](std::size_t place, const StepRange& step) { return place < step.first; });
      if (next == split_.steps.begin() || candidate.consumer >= (next - 1)->last)
        return Position{size, candidate.stream};
      return Position{candidate.consumer - (next - 1)->first, candidate.stream};
    };
    std::map<Position, std::uint32_t> depth;
    for (const Candidate& candidate : candidates) {
      std::uint32_t& deepest = depth[position(candidate)];
      deepest = std::max(deepest, candidate.depth);
    }
    for (Candidate& candidate : candidates)
      if (const Position at = position(candidate); at.first < size)
        candidate.depth = std::min(depth.at(at), candidate.limit - 1);
  }

  void add_told(std::uint32_t device) {
    std::map<std::uint64_t, Instant> called;  // by correlation
    for (const HostCall& call : trace_.calls)
      if (call.kind != HostCallKind::launch) called.emplace(call.correlation, call.start);
    std::set<std::uint64_t> told;
    for (const StreamWait& wait : trace_.waits) {
      if (wait.device != device) continue;
      has_told_ = true;
      told.insert(wait.wait_correlation);
      const auto call = called.find(wait.wait_correlation);
      if (call == called.end()) continue;
      const auto record = called.find(wait.record_correlation);
      const bool is_recorded = wait.record_correlation != 0 && record != called.end();
      const std::uint32_t waits = place_after(call->second);
      const std::uint32_t consumer = first_of(wait.stream, waits);
      const std::uint32_t producer =
          last_of(wait.record_stream, is_recorded ? place_after(record->second) : waits);
      if (consumer != kNone && producer != kNone && producer < consumer &&
          stream_of_[producer] != stream_of_[consumer])
        told_[consumer].push_back(producer);
    }
    for (std::size_t i = 0; i < wait_correlation_.size(); ++i)
      if (told.contains(wait_correlation_[i])) is_explained_[i] = true;
  }

  // The first of a stream from a place on, the last before it; kNone without one.
  [[nodiscard]] std::uint32_t first_of(std::uint32_t stream, std::uint32_t place) const {
    const auto row = index_.find(stream);
    if (row == index_.end()) return kNone;
    const std::uint32_t count = launched_before(row->second, place);
    return count < streams_[row->second].size() ? streams_[row->second][count] : kNone;
  }
  [[nodiscard]] std::uint32_t last_of(std::uint32_t stream, std::uint32_t place) const {
    const auto row = index_.find(stream);
    if (row == index_.end()) return kNone;
    const std::uint32_t count = launched_before(row->second, place);
    return count > 0 ? streams_[row->second][count - 1] : kNone;
  }

  void accept_told(std::uint32_t place) {
    const auto producers = told_.find(place);
    if (producers == told_.end()) return;
    for (const std::uint32_t producer : producers->second)
      if (is_possible(producer, place))
        add_edge({.producer = producer, .consumer = place, .is_told = true});
      else
        found_.contradicted.push_back(place);
  }

  void accept(std::uint32_t place, CandidateSpan span) {
    if (span.first == span.last) return;
    std::sort(span.first, span.last, [&](const Candidate& a, const Candidate& b) {
      if (a.is_binding != b.is_binding) return a.is_binding;
      return activity(producer_of(a)).end() > activity(producer_of(b)).end();
    });
    // A wait directly before the launch names one stream; with several such waits, so many streams.
    std::uint32_t adjacent = adjacent_waits_[place];
    bool is_accepted = false;
    for (const Candidate* candidate = span.first; candidate != span.last; ++candidate) {
      if (!candidate->is_binding && adjacent == 0) break;
      if (!is_possible(producer_of(*candidate), place)) continue;
      if (adjacent > 0) --adjacent;
      add_edge({.producer = producer_of(*candidate), .consumer = place});
      is_accepted = true;
    }
    if (!is_accepted) return;
    std::size_t wait = *last_wait(place);
    is_explained_[wait] = true;
    for (; wait_place_[wait] == place; --wait) {
      if (wait_adjacent_[wait] == place) is_explained_[wait] = true;
      if (wait == 0) break;
    }
  }

  // Keeps the edge unless edges before it imply it.
  void add_edge(const StreamEdge& edge) {
    const std::uint32_t source = stream_of_[edge.producer];
    auto& changes = changes_[stream_of_[edge.consumer]];
    const std::uint32_t done = number_[edge.producer] + 1;
    DoneCounts counts(streams_.size());
    if (!changes.empty()) counts = changes.back().second;
    if (counts[source] >= done) return;
    const auto& others = changes_[source];
    const auto known = std::upper_bound(
        others.begin(), others.end(), edge.producer, [](std::uint32_t place, const auto& change) {
          return place < change.first;
        });
    if (known != others.begin())
      for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = std::max(counts[i], (known - 1)->second[i]);
    counts[source] = done;
    changes.emplace_back(edge.consumer, std::move(counts));
    found_.edges.push_back(edge);
  }

  const GpuTrace& trace_;
  const std::vector<QueuedActivity>& order_;
  const StepSplit& split_;
  std::map<std::uint32_t, std::uint32_t> index_;     // by the profiler's number of a stream
  std::vector<std::vector<std::uint32_t>> streams_;  // places, in order
  std::vector<std::uint32_t> stream_of_, number_;    // of a place: its stream, its number there
  std::vector<std::uint32_t> wait_place_, wait_adjacent_;
  std::vector<Instant> wait_start_, record_start_;
  std::vector<std::uint64_t> wait_correlation_;
  std::vector<bool> is_explained_;
  std::vector<std::uint32_t> adjacent_waits_, waits_before_, records_before_;  // by place
  std::map<std::uint32_t, std::vector<std::uint32_t>> told_;                   // by consumer
  bool has_told_ = false;
  std::vector<std::vector<std::pair<std::uint32_t, DoneCounts>>> changes_;  // by stream
  StreamEdges found_;
};

}  // namespace

StreamEdges stream_edges(const GpuTrace& trace,
                         std::uint32_t device,
                         const std::vector<QueuedActivity>& order,
                         const StepSplit& split) {
  return EdgeFinder(trace, device, order, split).find();
}

}  // namespace epsim

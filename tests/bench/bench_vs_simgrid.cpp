// The same all-to-all as flows in SimGrid and in epsim: finish times must agree, wall times are
// compared.
//
// The system: ranks on a star; each rank has a full-duplex link (50 GB/s and 500 ns each way) to a
// switch without limits. Rank i sends to every other rank at once; a flow crosses its source's
// uplink and its target's downlink. Uniform: all messages are 1 MB. Skewed: 0.5 to 1.5 MB by pair.
//
// SimGrid is set to the model that we share: CM02 with bandwidth and latency factors 1, no RTT
// weight, no TCP window, no cross traffic; timing precision 1 ns. It runs as cheaply as we know
// how: one actor starts all flows with Comm::sendto_async, which needs neither mailboxes nor an
// actor a rank, and then waits for them; raw contexts, default (lazy) network updates.
//
// What is timed, for both: making the flows and simulating them to the end. Not timed, for both:
// the platform (hosts and links there, a vector of capacities here) and the message sizes. SimGrid
// needs a process for each Engine, so each of its runs is a fork, timed inside the child around
// Engine::run. Both take the best of their repeats.
//
// Exits 1 when a finish time differs by more than 1 %. --quick: 16 ranks only, for CI.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <simgrid/s4u.hpp>

#include "sim/base/check.hpp"
#include "sim/base/rng.hpp"
#include "sim/fluid_network.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

constexpr Bandwidth kLinkBandwidth{50e9};
constexpr Duration kLinkLatency = 500ns;

struct Message {
  std::uint32_t source;
  std::uint32_t target;
  Bytes size;
};

struct Result {
  double wall_s = std::numeric_limits<double>::infinity();
  std::vector<double> finishes_s;  // one a message
};

std::vector<Message> all_to_all(std::uint32_t rank_count, bool is_skewed) {
  Rng sizes(7);
  std::vector<Message> messages;
  for (std::uint32_t source = 0; source < rank_count; ++source) {
    for (std::uint32_t target = 0; target < rank_count; ++target) {
      if (source == target) continue;
      const std::int64_t skewed = 500'000 + static_cast<std::int64_t>(sizes.below(1'000'001));
      messages.push_back({source, target, Bytes{is_skewed ? skewed : 1'000'000}});
    }
  }
  return messages;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Result run_simgrid(std::uint32_t rank_count, const std::vector<Message>& messages) {
  std::string name = "bench_vs_simgrid";
  std::string quiet = "--log=xbt_cfg.thresh:warning";
  std::vector<char*> arguments = {name.data(), quiet.data(), nullptr};
  int argument_count = 2;
  simgrid::s4u::Engine engine(&argument_count, arguments.data());
  for (const char* setting : {"network/model:CM02",
                              "network/bandwidth-factor:1",
                              "network/latency-factor:1",
                              "network/weight-S:0",
                              "network/TCP-gamma:0",
                              "network/crosstraffic:0",
                              "surf/precision:1e-9"})
    simgrid::s4u::Engine::set_config(setting);

  auto* star = simgrid::s4u::create_star_zone("star");
  std::vector<simgrid::s4u::Host*> hosts;
  for (std::uint32_t rank = 0; rank < rank_count; ++rank) {
    const std::string id = std::to_string(rank);
    hosts.push_back(star->create_host("host" + id, 1e9));
    const auto* link = star->create_split_duplex_link("link" + id, kLinkBandwidth.bytes_per_second)
                           ->set_latency(to_us(kLinkLatency) * 1e-6)
                           ->seal();
    star->add_route(hosts.back()->get_netpoint(),
                    nullptr,
                    nullptr,
                    nullptr,
                    {{link, simgrid::s4u::LinkInRoute::Direction::UP}},
                    true);
  }
  star->seal();

  Result result;
  std::vector<simgrid::s4u::CommPtr> flows;
  flows.reserve(messages.size());
  simgrid::s4u::Actor::create("driver", hosts[0], [&] {
    for (const Message& message : messages)
      flows.push_back(
          simgrid::s4u::Comm::sendto_async(hosts[message.source],
                                           hosts[message.target],
                                           static_cast<std::uint64_t>(message.size.count)));
    for (const auto& flow : flows) flow->wait();
  });
  const auto begin = std::chrono::steady_clock::now();
  engine.run();
  result.wall_s = seconds_since(begin);
  for (const auto& flow : flows) result.finishes_s.push_back(flow->get_finish_time());
  return result;
}

[[noreturn]] void fail_system(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// run_simgrid in a child process; what it found comes back through a pipe.
Result fork_simgrid(std::uint32_t rank_count, const std::vector<Message>& messages) {
  int ends[2];
  if (pipe(ends) != 0) fail_system("pipe");
  const pid_t child = fork();
  if (child < 0) fail_system("fork");
  if (child == 0) {
    close(ends[0]);
    const Result result = run_simgrid(rank_count, messages);
    std::FILE* out = fdopen(ends[1], "wb");
    bool is_written = std::fwrite(&result.wall_s, sizeof(double), 1, out) == 1;
    is_written =
        is_written && std::fwrite(result.finishes_s.data(), sizeof(double), messages.size(), out) ==
                          messages.size();
    is_written = std::fclose(out) == 0 && is_written;
    _exit(is_written ? 0 : 1);  // without SimGrid's teardown, which is not ours to time
  }
  close(ends[1]);
  Result result;
  result.finishes_s.assign(messages.size(), 0.0);
  std::FILE* in = fdopen(ends[0], "rb");
  const bool is_read =
      std::fread(&result.wall_s, sizeof(double), 1, in) == 1 &&
      std::fread(result.finishes_s.data(), sizeof(double), messages.size(), in) == messages.size();
  std::fclose(in);
  int status = 0;
  waitpid(child, &status, 0);
  check(is_read && status == 0, "SimGrid runs to the end");
  return result;
}

Result run_epsim(std::uint32_t rank_count, const std::vector<Message>& messages) {
  const std::vector<Bandwidth> capacities(std::size_t{2} * rank_count, kLinkBandwidth);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<ResourceId> hops;
  std::vector<FlowRequest> flows;
  hops.reserve(2 * messages.size());
  flows.reserve(messages.size());
  for (const Message& message : messages) {
    hops.insert(hops.end(), {ResourceId{message.source}, ResourceId{rank_count + message.target}});
    flows.push_back({.path = std::span(hops).last(2), .size = message.size});
  }
  const std::vector<Instant> finishes = simulate_flows(capacities, 2 * kLinkLatency, flows);
  Result result;
  result.wall_s = seconds_since(begin);
  for (const Instant finish : finishes)
    result.finishes_s.push_back(to_us(finish.time_since_epoch()) * 1e-6);
  return result;
}

template <typename Run>
Result best_of(int repeats, Run run) {
  Result best;
  for (int i = 0; i < repeats; ++i) {
    Result result = run();
    if (result.wall_s < best.wall_s) best = std::move(result);
  }
  return best;
}

// One line of the table. Answers whether all finish times agree within 1 %.
bool compare(std::uint32_t rank_count, bool is_skewed) {
  const std::vector<Message> messages = all_to_all(rank_count, is_skewed);
  const Result theirs = best_of(3, [&] { return fork_simgrid(rank_count, messages); });
  const Result ours = best_of(9, [&] { return run_epsim(rank_count, messages); });
  double worst = 0.0;
  for (std::size_t i = 0; i < messages.size(); ++i)
    worst = std::max(worst, std::abs(ours.finishes_s[i] / theirs.finishes_s[i] - 1.0));
  std::printf("%-8s %5u %7zu %14.3f %12.3f %9.0f %14.5f %s\n",
              is_skewed ? "skewed" : "uniform",
              rank_count,
              messages.size(),
              1e3 * theirs.wall_s,
              1e3 * ours.wall_s,
              theirs.wall_s / ours.wall_s,
              100.0 * worst,
              worst <= 0.01 ? "" : "DISAGREE");
  std::fflush(stdout);
  return worst <= 0.01;
}

}  // namespace

int main(int argument_count, char** arguments) {
  const bool is_quick = argument_count > 1 && std::string_view(arguments[1]) == "--quick";
  std::printf("sizes    ranks   flows     SimGrid ms      ours ms     ratio  worst differ. %%\n");
  std::fflush(stdout);
  bool agrees = compare(16, false);
  agrees = compare(16, true) && agrees;
  if (!is_quick) {
    agrees = compare(64, false) && agrees;
    agrees = compare(64, true) && agrees;
    agrees = compare(256, false) && agrees;
  }
  return agrees ? 0 : 1;
}

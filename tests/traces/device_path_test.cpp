#include "traces/device_path.hpp"

#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/hand_made_trace.hpp"
#include "traces/overlap.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

DevicePath path_of(const GpuTrace& trace) {
  static const KernelClassTable table = KernelClassTable::built_in();
  std::vector<std::uint32_t> all(trace.activities.size());
  std::iota(all.begin(), all.end(), 0U);
  return device_path(trace, activity_roles(trace, table), all);
}

// Starts of the links, in us.
std::vector<double> starts_of(const GpuTrace& trace, const DevicePath& path) {
  std::vector<double> starts;
  for (const PathLink& link : path.links)
    starts.push_back(to_us(trace.activities[link.activity].start - Instant{}));
  return starts;
}

Duration sum_of(const DevicePath& path) {
  return std::accumulate(path.by_class.begin(), path.by_class.end(), path.launch + path.gap);
}

}  // namespace

TEST_CASE("Device path: it goes on at what ended last before a start") {
  // 7: compute 0-10, compute 21-30; 8: communication 11-20. The second compute waited for it.
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 10);
  hand_made.kernel(kCommunicationName, 8, 11, 9);
  hand_made.kernel(kComputeName, 7, 21, 9);
  const GpuTrace trace = hand_made.take();
  const DevicePath path = path_of(trace);
  CHECK(starts_of(trace, path) == std::vector<double>{0, 11, 21});
  CHECK(path.by_class[0] == 19us);
  CHECK(path.by_class[1] == 9us);
  CHECK(path.gap == 2us);
  CHECK_FALSE(path.has_waits);
}

TEST_CASE("Device path: what is hidden is not on it") {
  // Communication 2-8 behind compute 0-10, which the next compute follows at once.
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 10);
  hand_made.kernel(kCommunicationName, 8, 2, 6);
  hand_made.kernel(kComputeName, 7, 10, 5);
  const DevicePath path = path_of(hand_made.take());
  CHECK(path.links.size() == 2);
  CHECK(path.by_class[1] == 0us);
  CHECK(sum_of(path) == 15us);
}

TEST_CASE("Device path: the host that launches late is on it") {
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 10);
  hand_made.kernel(kComputeName, 7, 20, 10);
  hand_made.launch(2, 12, 6);  // through at 18
  const DevicePath path = path_of(hand_made.take());
  CHECK(path.launch == 8us);
  CHECK(path.gap == 2us);
  CHECK(path.by_class[0] == 20us);
}

TEST_CASE("Device path: what begins late while another stream is busy was held up by it") {
  // 8 could have begun at 5; it begins when the compute of 7 is nearly over.
  HandMadeTrace hand_made;
  hand_made.kernel(kCommunicationName, 8, 0, 5);
  hand_made.kernel(kComputeName, 7, 2, 40);
  hand_made.kernel(kCommunicationName, 8, 40, 20);
  const GpuTrace trace = hand_made.take();
  const DevicePath path = path_of(trace);
  CHECK(path.held_up == 1);
  CHECK(starts_of(trace, path) == std::vector<double>{2, 40});
  CHECK(path.by_class[0] == 38us);  // until 40
  CHECK(path.by_class[1] == 20us);
  CHECK(sum_of(path) == 60us);  // 0 to 2 is a gap
}

TEST_CASE("Device path: recorded waits say what was waited for") {
  // 9 ends last before 20, but the event that stream 7 waited for was recorded on 8.
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 4);         // 1
  hand_made.kernel(kCommunicationName, 8, 5, 12);  // 2
  hand_made.copy(9, 5, 14);                        // 3
  hand_made.kernel(kComputeName, 7, 20, 5);        // 4
  hand_made.launch(1, -9, 1);
  hand_made.launch(2, -8, 1);
  hand_made.launch(3, -7, 1);
  hand_made.call(HostCallKind::event_record, 100, -6, 1);
  hand_made.call(HostCallKind::event_wait, 101, -5, 1);
  hand_made.launch(4, -4, 1);
  hand_made.trace().waits.push_back({.wait_correlation = 101,
                                     .record_correlation = 100,
                                     .device = 0,
                                     .stream = 7,
                                     .record_stream = 8});
  const GpuTrace trace = hand_made.take();
  const DevicePath path = path_of(trace);
  CHECK(path.has_waits);
  CHECK(starts_of(trace, path) == std::vector<double>{0, 5, 20});
  CHECK(path.by_class[1] == 12us);
  CHECK(path.by_class[2] == 0us);
}

TEST_CASE("Device path: activities without length at one instant end it") {
  HandMadeTrace hand_made;
  for (std::uint32_t stream = 1; stream < 6; ++stream) hand_made.kernel(kComputeName, stream, 3, 0);
  const DevicePath path = path_of(hand_made.take());
  CHECK(path.links.size() <= 5);
  CHECK(sum_of(path) == 0us);
  CHECK(device_path(GpuTrace{}, {}, {}).links.empty());
}

TEST_CASE("Device path: families share its time") {
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 10);
  hand_made.kernel(kCommunicationName, 7, 10, 30);
  const GpuTrace trace = hand_made.take();
  const KernelClassTable table = KernelClassTable::built_in();
  const std::vector<PathFamily> families =
      path_families(path_of(trace), activity_roles(trace, table));
  REQUIRE(families.size() == 2);
  CHECK(families[0].name == "NCCL");
  CHECK(families[0].run == 30us);
  CHECK(families[1].run == 10us);
}

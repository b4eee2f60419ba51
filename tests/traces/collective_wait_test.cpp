#include "traces/collective_wait.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "tests/support/hand_made_trace.hpp"
#include "traces/overlap.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

CollectiveWaits waits_of(const std::vector<GpuTrace>& traces, std::vector<Duration> offsets) {
  const KernelClassTable table = KernelClassTable::built_in();
  std::vector<std::vector<KernelRole>> roles;
  for (const GpuTrace& trace : traces) roles.push_back(activity_roles(trace, table));
  std::vector<AlignedTrace> aligned;
  for (std::size_t r = 0; r < traces.size(); ++r)
    aligned.push_back({&traces[r], roles[r], offsets[r]});
  return collective_waits(aligned);
}

}  // namespace

TEST_CASE("Collective waits: a rank waits from its start to the start of the last rank") {
  HandMadeTrace a, b;
  a.kernel(kCommunicationName, 7, 0, 30);  // b comes at 20
  b.kernel(kCommunicationName, 7, 20, 10);
  a.kernel(kComputeName, 7, 30, 10);
  a.kernel(kCommunicationName, 7, 50, 10);
  b.kernel(kCommunicationName, 7, 45, 15);  // a comes at 50
  const CollectiveWaits waits = waits_of({a.take(), b.take()}, {0us, 0us});
  CHECK(waits.collectives == 2);
  CHECK(waits.unmatched == 0);
  CHECK(waits.ranks[0].waiting == 20us);
  CHECK(waits.ranks[1].waiting == 5us);
  CHECK(waits.ranks[0].last == 1);
  CHECK(waits.ranks[1].last == 1);
}

TEST_CASE("Collective waits: clocks are aligned first") {
  HandMadeTrace a, b;
  a.kernel(kCommunicationName, 7, 0, 30);
  b.kernel(kCommunicationName, 7, 1020, 10);
  const CollectiveWaits waits = waits_of({a.take(), b.take()}, {0us, -1000us});
  CHECK(waits.ranks[0].waiting == 20us);
}

TEST_CASE("Collective waits: waiting is never longer than the kernel") {
  // Kernels that are not one collective after all.
  HandMadeTrace a, b;
  a.kernel(kCommunicationName, 7, 0, 5);
  b.kernel(kCommunicationName, 7, 100, 5);
  CHECK(waits_of({a.take(), b.take()}, {0us, 0us}).ranks[0].waiting == 5us);
}

TEST_CASE("Collective waits: kernels without a partner are counted, layout kernels are not") {
  HandMadeTrace a, b;
  a.kernel(kCommunicationName, 7, 0, 5);
  a.kernel(kCommunicationName, 7, 10, 5);
  b.kernel(kCommunicationName, 7, 0, 5);
  b.kernel(kNotifyName, 7, 6, 1);
  b.kernel("void deep_ep::layout::get_dispatch_layout<256>(long const*)", 7, 8, 1);
  const CollectiveWaits waits = waits_of({a.take(), b.take()}, {0us, 0us});
  CHECK(waits.collectives == 1);
  CHECK(waits.unmatched == 2);
}

TEST_CASE("Collective waits: one rank alone waits for nobody that is known") {
  HandMadeTrace a;
  a.kernel(kCommunicationName, 7, 0, 5);
  CHECK(waits_of({a.take()}, {0us}).collectives == 0);
}

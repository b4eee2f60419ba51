#include "sim/stream_strip.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/hand_made_trace.hpp"
#include "traces/overlap.hpp"

using namespace epsim;

namespace {

// Eight microseconds drawn in `width` slices.
std::string cells_of(const std::vector<std::pair<KernelClass, std::pair<double, double>>>& ran,
                     std::size_t width) {
  std::array<std::vector<Interval>, 3> stretches;
  for (const auto& [kernel_class, time] : ran)
    stretches[static_cast<std::size_t>(kernel_class)].push_back(
        {at_us(time.first), at_us(time.second)});
  StripRow row;
  for (std::size_t c = 0; c < stretches.size(); ++c) row.by_class[c] = IntervalSet(stretches[c]);
  return strip_cells(row, {at_us(0), at_us(8)}, width);
}

constexpr KernelClass kCompute = KernelClass::compute;
constexpr KernelClass kCommunication = KernelClass::communication;

}  // namespace

TEST_CASE("Stream strip: communication is above, compute below, both at once are whole") {
  CHECK(cells_of({{kCommunication, {0, 2}}}, 4) == "▀   ");
  CHECK(cells_of({{kCompute, {2, 6}}}, 4) == " ▄▄ ");
  CHECK(cells_of({{kCompute, {0, 8}}, {kCommunication, {2, 4}}}, 4) == "▄█▄▄");
  CHECK(cells_of({{KernelClass::copy, {6, 8}}}, 4) == "   ·");
  CHECK(cells_of({}, 4) == "    ");
}

TEST_CASE("Stream strip: a slice has two halves") {
  CHECK(cells_of({{kCommunication, {0, 1}}, {kCompute, {1, 2}}}, 4) == "▚   ");
  CHECK(cells_of({{kCompute, {0, 1}}, {kCommunication, {1, 2}}}, 4) == "▞   ");
  CHECK(cells_of({{kCompute, {0, 2}}, {kCommunication, {1, 2}}}, 4) == "▟   ");
  CHECK(cells_of({{kCompute, {1, 2}}}, 4) == "▗   ");
}

TEST_CASE("Stream strip: what follows within half a slice is not drawn as if at once") {
  // 0.5 us each of a half slice of 1 us.
  CHECK(cells_of({{kCommunication, {0, 0.5}}, {kCompute, {0.5, 1}}}, 4) == "▘   ");
}

TEST_CASE("Stream strip: a little of anything is a dot, next to nothing is blank") {
  CHECK(cells_of({{kCompute, {0, 0.2}}}, 4) == "·   ");   // 10 % of 2 us
  CHECK(cells_of({{kCompute, {0, 0.02}}}, 4) == "    ");  // 1 %
}

TEST_CASE("Stream strip: rows, axis and legend are drawn below each other") {
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 1000);
  hand_made.kernel(kCommunicationName, 22, 500, 500);
  const GpuTrace trace = hand_made.take();
  const KernelClassTable table = KernelClassTable::built_in();
  const auto roles = activity_roles(trace, table);
  const std::string text = strip_text(strip_rows(trace, roles, 0, 6), {at_us(0), at_us(1000)}, 30);
  CHECK(text ==
        "all       ▄▄▄▄▄▄▄▄▄▄██████████\n"
        "stream 7  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄\n"
        "stream 22           ▀▀▀▀▀▀▀▀▀▀\n"
        "          0 us\n"
        "          ▀ communication   ▄ compute   █ both at once   · copies, or a little\n");
}

TEST_CASE("Stream strip: only the busiest streams are drawn, by number") {
  HandMadeTrace hand_made;
  for (std::uint32_t stream = 1; stream <= 5; ++stream)
    hand_made.kernel(kComputeName, stream, 0, stream == 3 ? 100 : stream);
  const GpuTrace trace = hand_made.take();
  const KernelClassTable table = KernelClassTable::built_in();
  const std::vector<StripRow> rows = strip_rows(trace, activity_roles(trace, table), 0, 2);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].label == "all");
  CHECK(rows[1].label == "stream 3");
  CHECK(rows[2].label == "stream 5");
}

TEST_CASE("Stream strip: a span without length is not drawn") {
  CHECK(strip_text({}, {at_us(0), at_us(0)}, 80).empty());
  CHECK(strip_text({}, {at_us(0), at_us(1)}, 10).empty());
  // Fewer picoseconds than slices.
  const Interval tiny{Instant{}, Instant{Duration{3}}};
  CHECK(strip_cells(StripRow{"x", {IntervalSet({tiny}), {}, {}}}, tiny, 8).size() >= 8);
}

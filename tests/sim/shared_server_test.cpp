#include "sim/shared_server.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "sim/base/rng.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

constexpr Bandwidth kByteNs{1e9};  // one byte a nanosecond

std::vector<std::uint32_t> complete(SharedServer& server, Instant now) {
  std::vector<std::uint32_t> finished;
  server.complete(now, finished);
  return finished;
}

using Clients = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("SharedServer: a client alone takes its bytes over the capacity, rounded up") {
  // By hand: 7168 B / 450e9 B/s = 15.92888... ns, so 15 929 ps.
  SharedServer server(Bandwidth{450e9});
  CHECK_FALSE(server.next_completion().has_value());
  server.start(Instant{}, 7, Bytes{7168});
  CHECK(server.next_completion() == Instant{Duration{15'929}});
  CHECK(complete(server, Instant{Duration{15'929}}) == Clients{7});
  CHECK_FALSE(server.next_completion().has_value());
  CHECK(server.bytes_served() == Bytes{7168});
}

TEST_CASE("SharedServer: two clients run at half speed, and the one left at full speed") {
  // Capacity 1 B/ns. 0 asks for 100 B at 0 ns, 1 for 50 B at 40 ns.
  // 0..40: 0 alone gets 40, has 60 left. Both at 1/2: 1 needs 100 ns, until 140; 0 then has 10 left
  // and runs alone, until 150.
  SharedServer server(kByteNs);
  server.start(Instant{}, 0, Bytes{100});
  CHECK(server.next_completion() == Instant{100ns});
  server.start(Instant{40ns}, 1, Bytes{50});
  CHECK(server.next_completion() == Instant{140ns});
  CHECK(complete(server, Instant{140ns}) == Clients{1});
  CHECK(server.next_completion() == Instant{150ns});
  CHECK(complete(server, Instant{150ns}) == Clients{0});
}

TEST_CASE("SharedServer: what a capped client leaves goes to the others") {
  // Capacity 1 B/ns. 0 capped at 1/5, 1 and 2 uncapped: an equal share of 1/3 is above the cap, so
  // 0 gets 1/5 and the others (1 - 1/5) / 2 = 2/5 each. 40 B each: 1 and 2 end at 100 ns. 0 has had
  // 20 B by then and stays at its cap: 20 B more take 100 ns, until 200.
  SharedServer server(kByteNs);
  server.start(Instant{}, 0, Bytes{40}, Bandwidth{0.2e9});
  server.start(Instant{}, 1, Bytes{40});
  server.start(Instant{}, 2, Bytes{40});
  CHECK(server.next_completion() == Instant{100ns});
  CHECK(complete(server, Instant{100ns}) == Clients{1, 2});
  CHECK(server.next_completion() == Instant{200ns});
  CHECK(complete(server, Instant{200ns}) == Clients{0});
}

TEST_CASE("SharedServer: a cap that is not reached does not matter until it is") {
  // Capacity 1 B/ns, both capped at 3/5, 60 B each. Together they get 1/2: both end at 120 ns. Had
  // 1 only 30 B, it ends at 60, and 0 has 30 B left at 3/5: 50 ns more, until 110.
  SharedServer server(kByteNs);
  server.start(Instant{}, 0, Bytes{60}, Bandwidth{0.6e9});
  server.start(Instant{}, 1, Bytes{30}, Bandwidth{0.6e9});
  CHECK(server.next_completion() == Instant{60ns});
  CHECK(complete(server, Instant{60ns}) == Clients{1});
  CHECK(server.next_completion() == Instant{110ns});
}

TEST_CASE("SharedServer: clients that finish together leave in the order they started") {
  // Three caps, one instant: 5 B at 1/20, 10 B at 1/10, 10 B at 1/10, 20 B at 1/5 all take 100 ns.
  SharedServer server(kByteNs);
  server.start(Instant{}, 9, Bytes{20}, Bandwidth{0.2e9});
  server.start(Instant{}, 4, Bytes{10}, Bandwidth{0.1e9});
  server.start(Instant{}, 6, Bytes{5}, Bandwidth{0.05e9});
  server.start(Instant{}, 5, Bytes{10}, Bandwidth{0.1e9});
  CHECK(complete(server, Instant{100ns}) == Clients{9, 4, 6, 5});
  CHECK(server.active_count() == 0);
}

TEST_CASE("SharedServer: zero bytes finish at once") {
  SharedServer server(kByteNs);
  server.start(Instant{5ns}, 3, Bytes{0});
  CHECK(server.next_completion() == Instant{5ns});
  const std::uint64_t version = server.version();
  CHECK(complete(server, Instant{5ns}) == Clients{3});
  server.start(Instant{5ns}, 4, Bytes{0});
  CHECK(server.next_completion() == Instant{5ns});
  CHECK(server.version() != version);  // the same instant, but another completion
}

TEST_CASE("SharedServer: the version changes exactly when the next completion does") {
  SharedServer server(kByteNs);
  server.start(Instant{}, 0, Bytes{100}, Bandwidth{0.1e9});
  const std::uint64_t before = server.version();
  // 0 keeps its cap of 1/10 and ends at 1000 ns; 1 gets 9/10 and ends later.
  server.start(Instant{}, 1, Bytes{9000});
  CHECK(server.version() == before);
  server.start(Instant{}, 2, Bytes{1});
  CHECK(server.version() != before);
}

TEST_CASE("SharedServer: time does not run backwards nor past a completion") {
  SharedServer server(kByteNs);
  server.start(Instant{10ns}, 0, Bytes{10});
  CHECK_THROWS_AS(server.start(Instant{9ns}, 1, Bytes{1}), Bug);
  CHECK_THROWS_AS(server.start(Instant{21ns}, 1, Bytes{1}), Bug);
  CHECK_THROWS_AS(server.start(Instant{10ns}, 1, Bytes{1}, Bandwidth{0.0}), Bug);
  CHECK(complete(server, Instant{15ns}).empty());
}

TEST_CASE("SharedServer: many caps that come and go need no more classes than are in use") {
  // One client at a time, each with a cap of its own: 1000 B at (i+1)/1000 B/ns take 1e6/(i+1) ns.
  SharedServer server(kByteNs);
  Instant now{};
  for (std::uint32_t i = 0; i < 999; ++i) {
    const Bandwidth cap{1e6 * (i + 1)};
    server.start(now, i, Bytes{1000}, cap);
    const Instant end = now + Bytes{1000} / cap;
    CHECK(server.next_completion() == end);
    CHECK(complete(server, end) == Clients{i});
    now = end;
  }
}

TEST_CASE("SharedServer: a busy server ends with its bytes over its capacity") {
  // Work conservation: with uncapped clients the server never idles, so the last of them leaves
  // when all bytes have passed, rounded up once for each departure.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    SharedServer server(Bandwidth{3.2e12});
    std::int64_t total = 0;
    for (std::uint32_t i = 0; i < 300; ++i) {
      const auto size = static_cast<std::int64_t>(1 + rng.below(100'000));
      server.start(Instant{}, i, Bytes{size});
      total += size;
    }
    Instant last{};
    std::size_t departures = 0;
    while (const auto next = server.next_completion()) {
      last = *next;
      departures += complete(server, last).size();
    }
    const Duration ideal = Bytes{total} / Bandwidth{3.2e12};
    CHECK(departures == 300);
    CHECK(last.time_since_epoch() >= ideal - Duration{1});
    CHECK(last.time_since_epoch() <= ideal + Duration{300});
    CHECK(server.bytes_served() == Bytes{total});
  }
}

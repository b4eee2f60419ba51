#include "traces/routing_name.hpp"

#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "traces/routing_generators.hpp"

using namespace epsim;

TEST_CASE("RoutingName: every name of the design parses and is written back the same") {
  for (const char* text : {"random",
                           "local-rand",
                           "local-same",
                           "remote-rand",
                           "random-same",
                           "zipf:0",
                           "zipf:0.6",
                           "zipf:20",
                           "balanced",
                           "node-limited:8:4",
                           "file:routing/hot1.json.gz",
                           "file:/a:b.json"}) {
    CAPTURE(text);
    CHECK(to_text(parse_routing_name(text)) == text);
  }
  CHECK(parse_routing_name("zipf:0.6").alpha == 0.6);
  CHECK(parse_routing_name("node-limited:8:4").node_limit == NodeLimit{.groups = 8, .limit = 4});
  CHECK(parse_routing_name("file:/a:b.json").path == "/a:b.json");
}

TEST_CASE("RoutingName: a name nobody knows is refused with the nearest, or else with all") {
  const auto refused = [](const char* text, const char* message) {
    CHECK_THROWS_WITH_AS((void)parse_routing_name(text), message, std::invalid_argument);
  };
  refused("randon", "unknown routing \"randon\"; did you mean \"random\"?");
  refused("local_rand", "unknown routing \"local_rand\"; did you mean \"local-rand\"?");
  refused("zip:0.6", "unknown routing \"zip\"; did you mean \"zipf:ALPHA\"?");
  refused("uniform",
          "unknown routing \"uniform\"; expected one of random, local-rand, local-same, "
          "remote-rand, random-same, zipf:ALPHA, balanced, node-limited:GROUPS:LIMIT, "
          "file:PATH");
  refused("",
          "unknown routing \"\"; expected one of random, local-rand, local-same, "
          "remote-rand, random-same, zipf:ALPHA, balanced, node-limited:GROUPS:LIMIT, "
          "file:PATH");
}

TEST_CASE("RoutingName: an argument that is missing, wrong or too much is refused") {
  const auto refused = [](const char* text, const char* message) {
    CHECK_THROWS_WITH_AS((void)parse_routing_name(text), message, std::invalid_argument);
  };
  refused("zipf",
          "zipf needs an exponent from 0 to 20, found \"\"; write for example \"zipf:0.6\"");
  refused("zipf:-1",
          "zipf needs an exponent from 0 to 20, found \"-1\"; write for example \"zipf:0.6\"");
  refused("zipf:nan",
          "zipf needs an exponent from 0 to 20, found \"nan\"; write for example \"zipf:0.6\"");
  refused("zipf:1x",
          "zipf needs an exponent from 0 to 20, found \"1x\"; write for example \"zipf:0.6\"");
  for (const char* text : {"", "8", "8:", ":4", "8:0", "0:0", "4:8", "8:4:2", "8:-1", "8:4x"}) {
    CAPTURE(text);
    refused((std::string("node-limited:") + text).c_str(),
            (std::string("node-limited needs a number of groups and how many of them a token may "
                         "reach, found \"") +
             text + "\"; write for example \"node-limited:8:4\"")
                .c_str());
  }
  refused("balanced:2", "routing \"balanced\" takes nothing after its name, found \"balanced:2\"");
  refused("random:1", "routing \"random\" takes nothing after its name, found \"random:1\"");
  refused("file:", "file needs a path; write for example \"file:routing.json.gz\"");
}

TEST_CASE("RoutingName: read from a file, an error names its place") {
  const JsonDocument file = JsonDocument::parse(R"({"routing": "randon"})", "s.json");
  CHECK_THROWS_WITH_AS((void)read_routing_name(file.root().object().required("routing")),
                       "s.json: /routing: unknown routing \"randon\"; did you mean \"random\"?",
                       InputError);
}

TEST_CASE("RoutingKind: the table has one described row for each name") {
  CHECK(routing_kinds().size() == 9);
  for (const RoutingKind& kind : routing_kinds()) {
    CAPTURE(kind.name);
    CHECK_FALSE(kind.description.empty());
    CHECK((kind.make != nullptr));  // doctest 2.4.9 cannot print a function pointer
  }
}

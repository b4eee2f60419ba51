#include "sim/hazards/placement_table.hpp"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "sim/hazards/closing_costs.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;

namespace {

// Two ranks with eight experts each, six tokens of four choices: groups load four rows through a
// ring of three stages, so that one is filled again.
const Workload& workload() {
  static const Workload small =
      round_workload({.experts = 16,
                      .top_k = 4,
                      .tokens = {same_tokens(6, {0, 5, 9, 14}), same_tokens(6, {1, 4, 8, 15})}},
                     4);
  return small;
}

const Calibration& calibration() {
  static const Calibration round = [] {
    Calibration calibration{"round", "round", round_hardware(), {}};
    for (const FamilyKind& kind : kernel_families()) {
      KernelFamily family;
      family.name = kind.name;
      family.constants = round_constants(kind.constants());
      calibration.families.push_back(std::move(family));
    }
    return calibration;
  }();
  return round;
}

PlacementQuestion combine_question(std::string_view family = "deepep-ll-1.2.1") {
  return {workload(), calibration(), *find_family(family), MoeOperation::combine};
}

PlacementRow row_of(FencePlacement placement, FenceForm form = {}) {
  return evaluate_placement(combine_question(), {placement, form});
}

struct Closes {
  FencePlacement placement;
  Coverage arrived_row, emptied_stage;
  Verdict strict;
};

}  // namespace

TEST_CASE("placement table: the checker decides which edges a placement closes") {
  // P1 stands in the CTAs of pollers, not in those of all loaders. P2 misses the loads of a token
  // beyond its first. P5 is no proxy fence. P7 ends a kernel after the flags, which orders rows,
  // and not the ring.
  using enum Coverage;
  for (const Closes& expected : {Closes{FencePlacement::P0, no, no, Verdict::formal},
                                 Closes{FencePlacement::P1, lenient, no, Verdict::formal},
                                 Closes{FencePlacement::P1b, yes, no, Verdict::formal},
                                 Closes{FencePlacement::P2, yes, no, Verdict::formal},
                                 Closes{FencePlacement::P3, yes, yes, Verdict::ok},
                                 Closes{FencePlacement::P3g, yes, no, Verdict::formal},
                                 Closes{FencePlacement::P3s, no, yes, Verdict::formal},
                                 Closes{FencePlacement::P4, no, yes, Verdict::formal},
                                 Closes{FencePlacement::P5, no, no, Verdict::formal},
                                 Closes{FencePlacement::P6, not_needed, not_needed, Verdict::ok},
                                 Closes{FencePlacement::P7, yes, no, Verdict::formal},
                                 Closes{FencePlacement::P1b_P4, yes, yes, Verdict::ok}}) {
    CAPTURE(kFencePlacementNames[static_cast<std::size_t>(expected.placement)]);
    const PlacementRow row = row_of(expected.placement);
    CHECK(row.edges[0] == expected.arrived_row);
    CHECK(row.edges[1] == expected.emptied_stage);
    CHECK(row.strict == expected.strict);
  }
}

TEST_CASE("placement table: the state space of a fence decides which edge it closes") {
  using enum Coverage;
  const auto edges = [](FencePlacement placement, FenceSpace space) {
    return row_of(placement, {.space = space}).edges;
  };
  using Edges = decltype(PlacementRow::edges);
  CHECK(edges(FencePlacement::P3, FenceSpace::global) == Edges{yes, no});
  CHECK(edges(FencePlacement::P3, FenceSpace::shared_cta) == Edges{no, yes});
  CHECK(edges(FencePlacement::P1b_P4, FenceSpace::global_and_shared_cta) == Edges{yes, yes});
  CHECK(edges(FencePlacement::P1b_P4, FenceSpace::global) == Edges{yes, no});
}

TEST_CASE("placement table: executions count warps of the busiest rank, serial ones one agent") {
  // A rank reduces 6 tokens of 4 rows. On 4 SMs 16 experts make 4 groups a CTA and 4 CTAs, 32 warps
  // each: two token groups of a load warp and 2 decode warps. Tokens 0 to 3 go to the first groups
  // of the CTAs, 4 and 5 to the second: 6 load warps, 4 rows one after the other in each.
  const PlacementRow once = row_of(FencePlacement::P1b);
  CHECK(once.executions == 6);
  CHECK(once.most_serial() == 1);
  const PlacementRow load = row_of(FencePlacement::P3);
  CHECK(load.executions == 24);
  CHECK(load.most_serial() == 4);
  const PlacementRow release = row_of(FencePlacement::P4);
  CHECK(release.executions == 2 * 24);
  CHECK(release.most_serial() == 4);
  const PlacementRow both = row_of(FencePlacement::P1b_P4);
  CHECK(both.executions == 6 + 2 * 24);
  CHECK(both.most_serial() == 4);
  REQUIRE(both.serial.size() == 2);
  CHECK(both.serial[0].role == Role::load_warp);
  CHECK(both.serial[0].serial == 1);
  CHECK(both.serial[1].role == Role::decode_warps);
  CHECK(both.serial[1].serial == 4);
  CHECK(row_of(FencePlacement::P1).executions == 16);  // a poller an expert
}

TEST_CASE(
    "placement table: the cheapest is the fastest that is OK, and fewest fences break a tie") {
  const auto row = [](FencePlacement placement, int us, std::uint64_t executions, Verdict strict) {
    PlacementRow made;
    made.fence.placement = placement;
    made.latency = std::chrono::microseconds{us};
    made.executions = executions;
    made.strict = strict;
    return made;
  };
  std::vector<PlacementRow> rows = {row(FencePlacement::P0, 10, 0, Verdict::formal),
                                    row(FencePlacement::P3, 12, 99, Verdict::ok),
                                    row(FencePlacement::P6, 12, 0, Verdict::ok),
                                    row(FencePlacement::P4, 11, 9, Verdict::formal)};
  compare_placements(rows);
  CHECK(rows[1].delta == std::chrono::microseconds{2});
  CHECK_FALSE(rows[1].is_cheapest);
  CHECK(rows[2].is_cheapest);
  CHECK_FALSE(rows[3].is_cheapest);
}

TEST_CASE("placement table: families without a choice have no placements") {
  CHECK(possible_placements(*find_family("deepep-ll-1.2.1"), MoeOperation::combine).size() == 12);
  CHECK(possible_placements(*find_family("deepep-ll-1.2.1"), MoeOperation::dispatch).empty());
  CHECK(
      possible_placements(*find_family("deepep-intranode-1.2.1"), MoeOperation::dispatch).size() ==
      6);
  CHECK(possible_placements(*find_family("epsim-graph"), MoeOperation::combine).empty());
}

TEST_CASE("placement table: a ring's receiver closes its one edge in every warp or in the poller") {
  using enum Coverage;
  const PlacementQuestion question{
      workload(), calibration(), *find_family("deepep-intranode-1.2.1"), MoeOperation::dispatch};
  const auto row = [&](FencePlacement placement) {
    return evaluate_placement(question, {placement, {}});
  };
  CHECK(row(FencePlacement::P0).edges[0] == no);
  CHECK(row(FencePlacement::P1).edges[0] == yes);  // the poller is a thread of the loaders' CTA
  CHECK(row(FencePlacement::P1b).edges[0] == yes);
  CHECK(row(FencePlacement::P3g).edges[0] == yes);
  CHECK(row(FencePlacement::P5).edges[0] == no);
  CHECK(row(FencePlacement::P1b).strict == Verdict::ok);
}

TEST_CASE("closing costs: the cheapest placement that closes an edge keeps closed what is closed") {
  ClosingCosts from_none(combine_question(), false);
  const auto row = from_none.closing(FenceEdge::arrived_row);
  REQUIRE(row);
  CHECK_FALSE(row_of(row->fence.placement).edges[0] == Coverage::no);
  // With P4 the ring is closed, and must stay so: only P3, P6 and P1b+P4 close both.
  const Workload fenced = with_fence(workload(), MoeOperation::combine, {FencePlacement::P4, {}});
  PlacementQuestion question = combine_question();
  ClosingCosts from_p4({fenced, question.calibration, question.kind, question.operation}, false);
  const auto both = from_p4.closing(FenceEdge::arrived_row);
  REQUIRE(both);
  CHECK(row_of(both->fence.placement).strict == Verdict::ok);
}

TEST_CASE("placement table: text and JSON have a row a placement and mark the cheapest") {
  PlacementTable table{.scenario = "small",
                       .file = "s.json",
                       .operation = MoeOperation::combine,
                       .chosen = {},
                       .rows = {row_of(FencePlacement::P0), row_of(FencePlacement::P3)}};
  compare_placements(table.rows);
  const std::string text = placements_text(std::vector{table});
  CHECK(text.starts_with("s.json: fence placements of the combine\n"));
  CHECK(text.find("OK  <- cheapest\n") != std::string::npos);
  CHECK(text.find("cheapest that is OK in the strict reading: P3 (") != std::string::npos);
  const std::string json = placements_json(std::vector{table});
  JsonObject root = JsonDocument::parse(json, "json").root().object();
  CHECK(root.required("schema").string() == "epsim.placements/1");
  JsonObject whole = root.required("tables").array().at(0).object();
  const auto rows = whole.required("placements").array();
  REQUIRE(rows.size() == 2);
  JsonObject fenced = rows[1].object();
  CHECK(fenced.required("fence").string() == "P3");
  CHECK(fenced.required("delta_us").number() > 0);
  CHECK(fenced.required("interval_us").array().size() == 2);
  CHECK(fenced.required("execution_count").integer_in(0, 99) == 24);
  CHECK(fenced.required("serial_count").integer_in(0, 99) == 4);
  CHECK(fenced.required("E1").string() == "yes");
  CHECK(fenced.required("E2").string() == "yes");
  CHECK(fenced.required("verdict").string() == "OK");
  CHECK(fenced.required("cheapest").boolean());
  CHECK_FALSE(fenced.required("chosen").boolean());
  CHECK(rows[0].object().required("chosen").boolean());
}

#include "sim/prediction.hpp"

#include <cmath>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/support/round_hosts.hpp"

using namespace epsim;

namespace {

const FamilyKind& low_latency() {
  return *find_family("deepep-ll-1.2.1");
}

Workload four_tokens() {
  return round_workload({.experts = 2, .top_k = 1, .tokens = {same_tokens(4, {1}), {}}}, 4);
}

Prediction dispatch(const Workload& workload) {
  return predict(
      MoeOperation::dispatch, workload, low_latency(), round_hardware(), round_low_latency());
}

KernelFamily family(double residual_sigma) {
  KernelFamily made;
  made.name = "deepep-ll-1.2.1";
  made.constants = round_low_latency();
  made.range = {.tokens_min = 0,
                .tokens_max = 8,
                .hidden_min = 128,
                .hidden_max = 7168,
                .experts_min = 1,
                .experts_max = 8,
                .top_k_min = 1,
                .top_k_max = 8,
                .ranks_min = 2,
                .ranks_max = 4};
  made.fit.residual_sigma = residual_sigma;
  return made;
}

}  // namespace

TEST_CASE("Prediction: hosts that a family, a fabric or a calibration cannot join are refused") {
  Workload workload = four_tokens();
  workload.topology = round_hosts({.hosts = 2, .gpus_per_host = 1, .sms = 4});
  const auto error_of = [&](const char* family, const ConstantSet& hardware) {
    try {
      (void)predict(
          MoeOperation::dispatch, workload, *find_family(family), hardware, round_low_latency());
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK(error_of("deepep-ll-1.2.1", round_network_hardware()) == "no error");
  CHECK(error_of("deepep-ll-1.2.1", round_hardware()) ==
        "round hosts: deepep-ll-1.2.1 posts to NICs; expected network constants, found none");
  CHECK(error_of("epsim-ll", round_network_hardware()) ==
        "round hosts: ranks lie in several NVLink domains, which epsim-ll cannot join");
  workload.topology = round_topology();
  CHECK(error_of("deepep-ll-v1-rdmaonly", round_network_hardware()) ==
        "round: deepep-ll-v1-rdmaonly posts to NICs, of which there are none");
}

TEST_CASE("Prediction: it plans and executes the operation that was asked for") {
  const Workload workload = four_tokens();
  const Prediction out = dispatch(workload);
  CHECK(out.plan.name == "low-latency dispatch");
  CHECK(out.latency == out.timeline.aligned_latency(out.plan));
  CHECK(out.timeline.link_uses.empty());
  const Prediction back = predict(MoeOperation::combine,
                                  workload,
                                  low_latency(),
                                  round_hardware(),
                                  round_low_latency(),
                                  {.record_link_uses = true});
  CHECK(back.plan.name == "low-latency combine");
  CHECK_FALSE(back.timeline.link_uses.empty());
}

TEST_CASE("Prediction: a shape is in range where every measure of it is") {
  const Workload workload = four_tokens();
  CHECK(in_range(workload, family(0.0)));
  KernelFamily few = family(0.0);
  few.range.tokens_max = 3;
  CHECK_FALSE(in_range(workload, few));
  KernelFamily wide = family(0.0);
  wide.range.hidden_min = 2048;
  CHECK_FALSE(in_range(workload, wide));
  KernelFamily many = family(0.0);
  many.range.ranks_min = 3;
  CHECK_FALSE(in_range(workload, many));
}

TEST_CASE("Prediction: an interval lies around the latency, in equal ratios to each side") {
  const Workload workload = four_tokens();
  const Prediction prediction = dispatch(workload);
  const double latency = to_us(prediction.latency);
  const LatencyInterval exact = interval_of(prediction, workload, {}, family(0.0));
  CHECK(exact.low_us == doctest::Approx(latency));
  CHECK(exact.high_us == doctest::Approx(latency));
  const LatencyInterval interval = interval_of(prediction, workload, {}, family(0.05));
  CHECK(interval.low_us < latency);
  CHECK(interval.low_us * interval.high_us == doctest::Approx(latency * latency));
}

TEST_CASE("Prediction: an interval is wider outside the fitted shapes") {
  const Workload workload = four_tokens();
  const Prediction prediction = dispatch(workload);
  KernelFamily elsewhere = family(0.05);
  elsewhere.range.tokens_max = 3;
  const LatencyInterval inside = interval_of(prediction, workload, {}, family(0.05));
  const LatencyInterval outside = interval_of(prediction, workload, {}, elsewhere);
  CHECK(outside.low_us < inside.low_us);
  CHECK(outside.high_us > inside.high_us);
}

TEST_CASE("Prediction: an uncertain constant widens it by the slope of the latency") {
  // cast_row is 1 us of the latency L of a critical path that holds it once: the slope of log L by
  // its logarithm is 1 us / L. With a spread of 0.2 and no residuals, half the interval's logarithm
  // is reach x 0.2 / L; the same with a spread of 0.4 is twice that.
  const Workload workload = four_tokens();
  const Prediction prediction = dispatch(workload);
  Calibration calibration;
  calibration.hardware = round_hardware();
  const auto half_width = [&](double spread) {
    KernelFamily uncertain = family(0.0);
    uncertain.fit.fitted = {"cast_row"};
    uncertain.fit.covariance = {{spread * spread}};
    const LatencyInterval interval = interval_of(prediction, workload, calibration, uncertain);
    return std::log(interval.high_us / interval.low_us) / 2;
  };
  CHECK(half_width(0.2) > 0);
  CHECK(half_width(0.4) == doctest::Approx(2 * half_width(0.2)));
}

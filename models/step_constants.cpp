#include <array>
#include <span>

#include "models/step_constants.hpp"
#include "sim/base/embedded_file.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"

namespace epsim {
namespace {

constexpr std::array kConstants = {
    ConstantSpec{"event_hop", "us", 0.01, 20, "end of a kernel to one of another stream"},
    ConstantSpec{
        "exchange_hop", "us", 0.01, 50, "end of a kernel to an exchange of another stream"},
    ConstantSpec{"rank_signal", "us", 0.01, 20, "a rank's word to another that it has come"},
    ConstantSpec{"launch_jitter", "us", 0, 20, "launches come later by up to this, at random"},
    ConstantSpec{
        "exchange_jitter", "us", 0, 50, "the same of exchanges, whose launches take longer"},
    ConstantSpec{"rank_spread", "1", 0, 0.2, "ranks' paces differ by up to this each way"},
    ConstantSpec{"clock_spread",
                 "1",
                 0,
                 2,
                 "more of it, for each part of the top clock that a power limit takes away"},
    ConstantSpec{"cluster_room",
                 "1",
                 0.1,
                 1,
                 "of the SMs that single CTAs of others leave free, where clusters find room"},
    ConstantSpec{
        "elementwise_memory", "1", 0, 1, "of the memory's rate that an elementwise kernel takes"},
    ConstantSpec{"exchange_memory", "1", 0, 0.1, "the same of an exchange, each of its CTAs"},
    ConstantSpec{"exchange_beside", "1", 1, 4, "an exchange's time beside compute, over alone"},
    ConstantSpec{"combine_beside", "1", 1, 4, "the same of a combine, which also reduces"},
    ConstantSpec{"exchange_clock", "1", 0, 1, "part of an exchange's time that the SM clock sets"},
    ConstantSpec{"power_idle", "1", 0, 1, "power of a GPU at rest, over its limit"},
    ConstantSpec{"power_tensor", "1", 0, 3, "added by GEMMs at the top clock"},
    ConstantSpec{"power_memory", "1", 0, 3, "added by kernels that memory bounds"},
    ConstantSpec{"power_exchange", "1", 0, 3, "added by an exchange"},
    ConstantSpec{"power_exponent", "1", 1, 5, "of the SM clock, in the power of what runs on SMs"},
};

}  // namespace

std::span<const ConstantSpec> step_constants() {
  return kConstants;
}

ConstantSet read_step_constants(const JsonDocument& document) {
  JsonObject root = document.root().object();
  if (const JsonValue schema = root.required("schema"); schema.string() != "epsim.step_constants/1")
    schema.fail_expected("\"epsim.step_constants/1\"");
  (void)root.required("system").string();
  ConstantSet constants = read_constants(root.required("constants"), kConstants);
  root.finish();
  return constants;
}

ConstantSet load_step_constants(std::string_view name_or_path) {
  for (const EmbeddedFile& file : embedded::step_constants())
    if (file.name == name_or_path)
      return read_step_constants(JsonDocument::parse(file.text, file.name));
  if (name_or_path.find('/') == std::string_view::npos && !name_or_path.ends_with(".json"))
    throw InputError(name_or_path, "", "no step constants of that name; there are: hgx-h200");
  return read_step_constants(JsonDocument::read(std::string(name_or_path)));
}

}  // namespace epsim

// ModelList: the models that epsim carries, as a table of the dimensions that decide their time.
#pragma once

#include <string>

namespace epsim {

[[nodiscard]] std::string model_list_text();
[[nodiscard]] std::string model_list_json();

}  // namespace epsim

// Output: where results go. The same for every verb.
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace epsim {

void add_json_option(CLI::App& verb, std::string& target);

// `target` is a file, which is replaced whole, or "-" for stdout. Throws std::system_error.
void write_result(const std::string& target, std::string_view text);
// To stdout, and seen to arrive there.
void print_result(std::string_view text);

}  // namespace epsim

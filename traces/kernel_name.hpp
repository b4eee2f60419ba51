// Kernel names as profilers tell them: with a return type, template arguments and parameters, or
// mangled. What a kernel is called in a table or matched by is the function's name alone.
#pragma once

#include <string>
#include <string_view>

namespace epsim {

// "_ZN5aiter3addEv" is "aiter::add()"; any other text is itself.
[[nodiscard]] std::string demangled(std::string_view name);

[[nodiscard]] std::string_view without_return_type(std::string_view name);

// "void a::(anonymous namespace)::b<c::d<1>>(int)" is "a::(anonymous)::b". What names a memory copy
// is no function and loses what is in brackets alone.
[[nodiscard]] std::string function_name(std::string_view name);

// Of ASCII letters.
[[nodiscard]] std::string lower_case(std::string_view text);

// The function's name, shortened from the front to `width` characters: namespaces go first.
[[nodiscard]] std::string short_kernel_name(std::string_view name, std::size_t width);

}  // namespace epsim

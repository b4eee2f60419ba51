// KernelClassTable: what a kernel is for, told by its name: communication of some library and the
// part it plays, or else compute. Rules are data (traces/kernel_classes.json, and users' files in
// front of it), tried in order; the first that matches decides.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epsim {

enum class KernelClass : std::uint8_t { compute, communication, copy };
inline constexpr std::array<std::string_view, 3> kKernelClassNames = {
    "compute", "communication", "copy"};

enum class CommunicationPhase : std::uint8_t {
  none,      // not communication
  dispatch,  // tokens to experts
  combine,   // expert outputs home
  exchange,  // an all-to-all that may be either
  reduce,    // all-reduce, reduce-scatter
  gather,    // all-gather, broadcast
  notify,    // waits for peers and hardly moves a byte
  layout,    // counts and offsets before an exchange
};
inline constexpr std::array<std::string_view, 8> kCommunicationPhaseNames = {
    "none", "dispatch", "combine", "exchange", "reduce", "gather", "notify", "layout"};

struct KernelRole {
  KernelClass kernel_class = KernelClass::compute;
  CommunicationPhase phase = CommunicationPhase::none;
  std::string_view family;  // "NCCL", "DeepEP"; of compute: "GEMM", "attention", "other"
};

// A rule, to be shown.
struct KernelRule {
  std::string match;  // "prefix memcpy, [cuda memcpy"
  KernelRole role;
};

class KernelClassTable {
 public:
  // The rules that come with epsim.
  [[nodiscard]] static KernelClassTable built_in();

  // Rules of a user's file (epsim.kernel_classes/1) go in front. Throws InputError.
  void add_rules(const std::string& path);

  // The role of a kernel of that (demangled) name; valid as long as the table.
  [[nodiscard]] KernelRole role_of(std::string_view kernel_name) const;

  // In the order in which they are tried; valid as long as the table.
  [[nodiscard]] std::vector<KernelRule> rules() const;

 private:
  struct Rules;
  std::shared_ptr<Rules> rules_;
};

}  // namespace epsim

// transfer_import: reads what standard tools print as transfers. Which tool it is, the text says:
// nvbandwidth -j (JSON), nccl-tests (all_reduce_perf, alltoall_perf, ...) or perftest
// (ib_write_lat, ib_write_bw, ...).
//
// To add a tool: a reader here in a .cpp of its own, a signature in transfer_import.cpp, a sample
// in examples/imports.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "calibrate/tool_log.hpp"
#include "calibrate/transfer.hpp"

namespace epsim {

// Throws InputError with file and line, or pointer, for anything that is not one tool's whole and
// successful output.
[[nodiscard]] TransferSet import_transfers(std::span<const std::filesystem::path> files);

// Each appends to `set` what one file says. `text` is that of the file, `file` its name in
// messages.
void import_nvbandwidth(std::string_view text, const std::string& file, TransferSet& set);
void import_nccl_tests(const ToolLog& log, TransferSet& set);
void import_perftest(const ToolLog& log, TransferSet& set);

// Whether a line is one that the tool prints once a run, and no other tool does.
[[nodiscard]] bool begins_nccl_test(std::string_view line);
[[nodiscard]] bool begins_perftest(std::string_view line);

// The part of an id that names the file: "logs/a.txt" is "a".
[[nodiscard]] std::string stem_of(const std::string& file);

}  // namespace epsim

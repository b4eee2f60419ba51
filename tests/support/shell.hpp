// Shell: runs the built program as a shell would.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

namespace epsim {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

inline Outcome shell(const std::string& arguments) {
  const TemporaryFolder folder;
  const std::filesystem::path err = folder / "err";
  const std::string command = EPSIM_BINARY " " + arguments + " 2>" + err.string();
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Outcome outcome{};
  std::array<char, 4096> piece{};
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), pipe))
    outcome.out.append(piece.data(), count);
  outcome.code = WEXITSTATUS(::pclose(pipe));
  outcome.err = read_text_file(err);
  return outcome;
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct BadInput {
  std::string arguments;
  std::string message;
};

// Exit 2, nothing on stdout, one line on stderr that holds the message.
inline void check_refused(const BadInput& bad) {
  CAPTURE(bad.arguments);
  const Outcome outcome = shell(bad.arguments);
  CAPTURE(outcome.err);
  CHECK(outcome.code == 2);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.starts_with("epsim: "));
  CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
  CHECK(has(outcome.err, bad.message));
}

}  // namespace epsim

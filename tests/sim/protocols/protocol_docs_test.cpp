// What docs/protocol_files.md says is what the reader does.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "sim/base/text_file.hpp"
#include "sim/hazards/happens_before.hpp"
#include "sim/protocols/protocol_file.hpp"
#include "sim/protocols/protocol_verbs.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kDocs =
    std::filesystem::path(EPSIM_SOURCE_DIR) / "docs" / "protocol_files.md";

// What stands between the two lines.
struct Part {
  std::size_t begin, end;
};
Part between(const std::string& text, std::string_view first, std::string_view last) {
  const std::size_t begin = text.find(first);
  REQUIRE(begin != std::string::npos);
  const std::size_t end = text.find(last, begin + first.size());
  REQUIRE(end != std::string::npos);
  return {begin + first.size(), end};
}

std::string performers_of(const ProtocolVerb& verb) {
  std::string who;
  const auto add = [&](Performer performer, const char* name) {
    if ((verb.performers & performer) != 0) who += (who.empty() ? "" : ", ") + std::string(name);
  };
  add(kThread, "GPU");
  add(kStream, "stream");
  add(kCpu, "CPU");
  add(kHostFunction, "host function");
  return who;
}

std::string operations_table() {
  std::string text = "| word | of | operand | keys | is |\n|---|---|---|---|---|\n";
  for (const auto verbs : {memory_verbs(), api_verbs()})
    for (const ProtocolVerb& verb : verbs)
      text += fmt::format("| `{}` | {} | {} | {} | {} |\n",
                          verb.name,
                          performers_of(verb),
                          verb.operand,
                          verb.keys,
                          verb.text);
  return text;
}

}  // namespace

TEST_CASE("Protocol file: the document's example gives the verdict that it names") {
  const std::string text = read_text_file(kDocs);
  const Part example = between(text, "```json\n", "```\n");
  const Protocol protocol = read_protocol(JsonDocument::parse(
      std::string_view(text).substr(example.begin, example.end - example.begin), "example"));
  REQUIRE(protocol.expect);
  const HazardReport report = find_hazards(protocol.program);
  CHECK(report.verdict() == protocol.expect->verdict);
  CHECK(expected_finding(*protocol.expect, report) != nullptr);
}

TEST_CASE("Protocol file: the document's table of operations is the reader's") {
  std::string text = read_text_file(kDocs);
  const Part table = between(text, "<!-- operations -->\n", "<!-- end of operations -->");
  text.replace(table.begin, table.end - table.begin, operations_table());
  if (std::getenv("EPSIM_UPDATE_GOLDEN") != nullptr) replace_text_file(kDocs, text);
  INFO("EPSIM_UPDATE_GOLDEN=1 rewrites it; see what changed with git diff");
  const bool is_same = read_text_file(kDocs) == text;
  CHECK(is_same);
}

TEST_CASE("Protocol file: each section that the document lists is one that the reader takes") {
  const std::string text = read_text_file(kDocs);
  for (const char* section : {"text",
                              "parameters",
                              "buffers",
                              "flags",
                              "mbarriers",
                              "barriers",
                              "platform",
                              "threads",
                              "streams",
                              "cpu_threads",
                              "host_functions",
                              "communicators",
                              "nics",
                              "paths",
                              "expect",
                              "variants"}) {
    CAPTURE(section);
    CHECK(text.find(fmt::format("`{}`", section)) != std::string::npos);
  }
}

// Litmus text: litmus-json/1 put together from short calls, so that a test reads like the program
// that it asks about.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "sim/litmus/litmus_search.hpp"

namespace epsim::litmus {

using Ops = std::vector<std::string>;

// "release.gpu" is an order and a scope, "weak" has no scope.
inline std::string order(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return fmt::format(R"("sem":"{}","scope":null)", text);
  return fmt::format(R"("sem":"{}","scope":"{}")", text.substr(0, dot), text.substr(dot + 1));
}

// "x" is a location; "s:x" is the location s, another address of the storage x.
inline std::string place(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const std::string_view storage = colon == std::string_view::npos ? name : text.substr(colon + 1);
  return fmt::format(R"("loc":"{}","virt":"{}","phys":"{}")", name, name, storage);
}

inline std::string ld(std::string_view reg,
                      std::string_view at,
                      std::string_view sem = "weak",
                      std::string_view proxy = "generic") {
  return fmt::format(
      R"({{"op":"ld","reg":"{}",{},"proxy":"{}",{}}})", reg, place(at), proxy, order(sem));
}

// The value is a number, or a register in quotes.
inline std::string st(std::string_view at,
                      std::string_view value,
                      std::string_view sem = "weak",
                      std::string_view proxy = "generic") {
  return fmt::format(
      R"({{"op":"st",{},"value":{},"proxy":"{}",{}}})", place(at), value, proxy, order(sem));
}

inline std::string atom(std::string_view fn,
                        std::string_view reg,
                        std::string_view at,
                        int value,
                        std::string_view sem) {
  return fmt::format(R"({{"op":"atom","fn":"{}","reg":"{}",{},"value":{},"proxy":"generic",{}}})",
                     fn,
                     reg,
                     place(at),
                     value,
                     order(sem));
}

inline std::string cas(
    std::string_view reg, std::string_view at, int compare, int value, std::string_view sem) {
  return fmt::format(
      R"({{"op":"atom","fn":"cas","reg":"{}",{},"compare":{},"value":{},"proxy":"generic",{}}})",
      reg,
      place(at),
      compare,
      value,
      order(sem));
}

inline std::string red(std::string_view at, int value, std::string_view sem) {
  return fmt::format(R"({{"op":"red","fn":"add",{},"value":{},"proxy":"generic",{}}})",
                     place(at),
                     value,
                     order(sem));
}

inline std::string fence(std::string_view sem) {
  return fmt::format(R"({{"op":"fence","kind":"thread",{}}})", order(sem));
}

inline std::string proxy_fence(std::string_view proxy) {
  return fmt::format(R"({{"op":"fence","kind":"proxy","proxy":"{}"}})", proxy);
}

inline std::string alias_fence() {
  return R"({"op":"fence","kind":"alias"})";
}

// `quorum` and `id` are numbers or null.
inline std::string bar(std::string_view mode,
                       std::string_view id = "null",
                       std::string_view quorum = "null",
                       int instance = 0) {
  return fmt::format(
      R"({{"op":"barrier","mode":"{}","scope":"cta","instance":{},"id":{},"quorum":{}}})",
      mode,
      instance,
      id,
      quorum);
}

inline std::string mov(std::string_view reg, int value) {
  return fmt::format(R"({{"op":"mov","reg":"{}","value":{}}})", reg, value);
}

inline std::string label(std::string_view name) {
  return fmt::format(R"({{"op":"label","label":"{}"}})", name);
}

inline std::string branch(std::string_view reg,
                          std::string_view cmp,
                          int value,
                          std::string_view target) {
  return fmt::format(
      R"({{"op":"branch","cmp":"{}","a":"{}","b":{},"target":"{}"}})", cmp, reg, value, target);
}

// Where a thread runs: gpu and cta, then what else its object says.
struct Thread {
  int gpu = 0, cta = 0;
  Ops ops;
  std::string more;  // ,"engine":true
};

// "0:r == 1": register r of the first thread; "x == 1": memory at the end.
inline std::string term(std::string_view text) {
  const std::size_t space = text.find(' ');
  const std::string_view left = text.substr(0, space);
  const std::string_view cmp = text.substr(space + 1, text.rfind(' ') - space - 1);
  const std::string_view right = text.substr(text.rfind(' ') + 1);
  const std::size_t colon = left.find(':');
  const std::string leaf =
      colon == std::string_view::npos
          ? fmt::format(R"({{"mem":"{}"}})", left)
          : fmt::format(R"({{"reg":["P{}","{}"]}})", left.substr(0, colon), left.substr(colon + 1));
  return fmt::format(R"({{"cmp":"{}","l":{},"r":{{"imm":{}}}}})", cmp, leaf, right);
}

// A location for each that an operation names; all start at 0.
inline std::string locations_of(const std::vector<Thread>& threads) {
  std::vector<std::string> found;
  for (const Thread& thread : threads)
    for (const std::string& op : thread.ops) {
      const std::size_t begin = op.find(R"("loc":")");
      if (begin == std::string::npos) continue;
      const auto word = [&](std::string_view key) {
        const std::size_t from = op.find(key) + key.size();
        return op.substr(from, op.find('"', from) - from);
      };
      const std::string entry =
          fmt::format(R"("{}":{{"init":0,"virt":"{}","phys":"{}","declared_proxy":"generic"}})",
                      word(R"("loc":")"),
                      word(R"("virt":")"),
                      word(R"("phys":")"));
      bool is_known = false;
      for (const std::string& other : found) is_known = is_known || other == entry;
      if (!is_known) found.push_back(entry);
    }
  return fmt::format("{}", fmt::join(found, ","));
}

inline std::string text_of(const std::vector<Thread>& threads,
                           const std::vector<std::string>& terms,
                           const std::string& more = "") {
  std::vector<std::string> objects;
  for (std::size_t i = 0; i < threads.size(); ++i)
    objects.push_back(fmt::format(R"({{"id":"P{}","gpu":{},"cta":{},"ops":[{}]{}}})",
                                  i,
                                  threads[i].gpu,
                                  threads[i].cta,
                                  fmt::join(threads[i].ops, ","),
                                  threads[i].more));
  std::vector<std::string> parts;
  for (const std::string& each : terms) parts.push_back(term(each));
  return fmt::format(R"({{"schema":"litmus-json/1","id":"t","suite":"own","property":"safety",)"
                     R"("locations":{{{}}},"threads":[{}],)"
                     R"("query":{{"expr":{{"and":[{}]}},"reachable":{{"ptx-v7.5":true}}}}{}}})",
                     locations_of(threads),
                     fmt::join(objects, ","),
                     fmt::join(parts, ","),
                     more);
}

[[nodiscard]] inline bool is_reachable(const std::vector<Thread>& threads,
                                       const std::vector<std::string>& terms,
                                       LitmusModel model = LitmusModel::ptx_7_5) {
  return decide(parse_litmus_test(text_of(threads, terms), "t.json"), model).is_reachable;
}

}  // namespace epsim::litmus

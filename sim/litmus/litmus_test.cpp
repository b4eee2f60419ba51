#include "sim/litmus/litmus_test.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "sim/base/edit_distance.hpp"
#include "sim/litmus/litmus_names.hpp"
#include "sim/litmus/litmus_ops.hpp"

namespace epsim {
namespace {

// Keys that decide something. Others at the top of a file only describe it, unless they look like
// one of these misspelt.
constexpr std::array<std::string_view, 10> kDecidingKeys = {"schema",
                                                            "locations",
                                                            "threads",
                                                            "assume",
                                                            "property",
                                                            "query",
                                                            "disputed",
                                                            "dup_group",
                                                            "id",
                                                            "suite"};
constexpr std::array<std::string_view, 9> kDescribingKeys = {"title",
                                                             "group",
                                                             "source",
                                                             "notes",
                                                             "quantifier",
                                                             "condition",
                                                             "verdicts",
                                                             "features",
                                                             "hazard"};

void refuse_misspelt_keys(const JsonObject& file) {
  for (const std::string& key : file.keys()) {
    if (std::count(kDecidingKeys.begin(), kDecidingKeys.end(), key) != 0 ||
        std::count(kDescribingKeys.begin(), kDescribingKeys.end(), key) != 0)
      continue;
    for (const std::string_view known : kDecidingKeys)
      if (known.size() > 2 * kMisspelt && edit_distance(key, known) <= kMisspelt)
        file.value().fail(fmt::format("unknown key \"{}\"; did you mean \"{}\"?", key, known));
  }
}

// Numbers GPUs, clusters and CTAs through: a CTA is a pair (gpu, cta), a cluster (gpu, cluster).
class PlaceNumbers {
 public:
  struct Written {
    std::int64_t gpu = 0, cta = 0;
    std::optional<std::int64_t> cluster;
  };

  void note(const Written& place, const JsonValue& thread) {
    if (!place.cluster) return;
    const auto [known, is_new] =
        cluster_of_.emplace(std::pair(place.gpu, place.cta), *place.cluster);
    if (!is_new && known->second != *place.cluster)
      thread.fail(fmt::format("expected cluster {}, where other threads of this CTA are, found {}",
                              known->second,
                              *place.cluster));
  }

  // A CTA of no cluster is a cluster of its own.
  Place number(const Written& place) {
    const std::pair cta(place.gpu, place.cta);
    const auto cluster = cluster_of_.find(cta);
    const bool has_cluster = cluster != cluster_of_.end();
    return {.gpu = next(gpus_, place.gpu),
            .cluster =
                next(clusters_,
                     std::tuple(place.gpu, has_cluster, has_cluster ? cluster->second : place.cta)),
            .cta = next(ctas_, cta)};
  }

 private:
  template <typename Key>
  static std::uint32_t next(std::map<Key, std::uint32_t>& numbers, const Key& key) {
    return numbers.emplace(key, static_cast<std::uint32_t>(numbers.size())).first->second;
  }

  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> cluster_of_;
  std::map<std::int64_t, std::uint32_t> gpus_;
  std::map<std::tuple<std::int64_t, bool, std::int64_t>, std::uint32_t> clusters_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint32_t> ctas_;
};

std::int64_t place_number(const JsonValue& value) {
  return value.integer_in(0, std::numeric_limits<std::int32_t>::max());
}

// All threads by name first: conditions and registers name them.
void read_threads(const JsonValue& value, LitmusNames& names, LitmusTest& test) {
  const std::vector<JsonValue> threads = value.array();
  std::vector<PlaceNumbers::Written> places;
  PlaceNumbers numbers;
  for (const JsonValue& entry : threads) {
    JsonObject object = entry.object();
    LitmusThread thread;
    const JsonValue id = object.required("id");
    thread.name = id.string();
    for (const LitmusThread& other : test.threads)
      if (other.name == thread.name) id.fail(fmt::format("\"{}\" is there twice", thread.name));
    PlaceNumbers::Written place{.gpu = place_number(object.required("gpu")),
                                .cta = place_number(object.required("cta")),
                                .cluster = {}};
    if (const auto cluster = object.optional("cluster"); cluster && !cluster->is_null())
      place.cluster = place_number(*cluster);
    if (const auto engine = object.optional("engine")) thread.is_engine = engine->boolean();
    numbers.note(place, entry);
    places.push_back(place);
    test.threads.push_back(std::move(thread));
  }
  for (std::uint32_t i = 0; i < threads.size(); ++i) {
    test.threads[i].place = numbers.number(places[i]);
    JsonObject object = threads[i].object();
    for (const char* key : {"id", "gpu", "cta", "cluster", "engine"}) (void)object.optional(key);
    if (const auto registers = object.optional("regs")) {
      JsonObject initial = registers->object();
      for (const std::string& name : initial.keys()) {
        test.threads[i].registers.push_back(name);
        test.threads[i].initial.push_back(litmus_number(initial.required(name)));
      }
    }
    read_litmus_ops(object.required("ops"), i, names, test);
    object.finish();
  }
}

// A string, true, a list: anything but nothing and false says that somebody disputes it.
bool is_said(const std::optional<JsonValue>& value) {
  return value && !value->is_null() && value->dump() != "false" && value->dump() != "\"\"";
}

void read_query(JsonObject& file, LitmusNames& names, LitmusTest& test) {
  JsonObject query = file.required("query").object();
  test.question.kind = LitmusCondition::Kind::all;
  test.question.parts.push_back(names.condition(query.required("expr")));
  if (const auto premises = file.optional("assume"))
    for (const JsonValue& premise : premises->array())
      test.question.parts.push_back(names.condition(premise));
  JsonObject reachable = query.required("reachable").object();
  for (std::size_t model = 0; model < kLitmusModelNames.size(); ++model)
    if (const auto answer = reachable.optional(kLitmusModelNames[model]))
      test.reachable[model] = answer->boolean();
  // A verdict about another revision is no verdict about these two.
  for (const std::string& model : reachable.keys())
    if (model.starts_with("ptx-v")) (void)reachable.optional(model);
  reachable.finish();
  query.finish();
}

LitmusTest read_document(const JsonDocument& document) {
  JsonObject file = document.root().object();
  (void)file.required("schema").one_of({"litmus-json/1"});
  refuse_misspelt_keys(file);
  LitmusTest test;
  test.file = document.root().file();
  test.id = file.required("id").string();
  if (const auto suite = file.optional("suite")) test.suite = suite->string();
  if (const auto title = file.optional("title")) test.title = title->string();
  if (const auto group = file.optional("dup_group"); group && !group->is_null())
    test.dup_group = group->string();
  test.is_disputed = is_said(file.optional("disputed"));
  if (const auto property = file.optional("property"))
    test.asks_termination = property->one_of({"safety", "termination"}) == 1;
  LitmusNames names(test);
  names.read_locations(file.required("locations"));
  read_threads(file.required("threads"), names, test);
  if (!test.asks_termination) read_query(file, names, test);
  return test;
}

}  // namespace

std::int64_t apply(Arithmetic function, std::int64_t left, std::int64_t right) {
  const auto a = static_cast<std::uint64_t>(left);
  const auto b = static_cast<std::uint64_t>(right);
  const auto word = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  switch (function) {
    case Arithmetic::add:
      return word(a + b);
    case Arithmetic::sub:
      return word(a - b);
    case Arithmetic::bit_and:
      return word(a & b);
    case Arithmetic::bit_or:
      return word(a | b);
    case Arithmetic::bit_xor:
      return word(a ^ b);
    case Arithmetic::mul:
      return word(a * b);
    case Arithmetic::div:
      return right == 0 ? -1 : right == -1 ? word(0 - a) : left / right;
    case Arithmetic::rem:
      return right == 0 ? -1 : right == -1 ? 0 : left % right;
    case Arithmetic::min:
      return std::min(left, right);
    case Arithmetic::max:
      return std::max(left, right);
    case Arithmetic::shl:
      return b > 63 ? 0 : word(a << b);
    case Arithmetic::shr:
      return b > 63 ? 0 : word(a >> b);
    case Arithmetic::exch:
    case Arithmetic::cas:
      return right;
  }
  return right;
}

bool LitmusTest::needs_proxies() const {
  for (const LitmusLocation& location : locations)
    for (const LitmusLocation& other : locations)
      if (location.storage == other.storage && location.address != other.address) return true;
  for (const LitmusThread& thread : threads) {
    if (thread.is_engine) return true;
    for (const LitmusOp& op : thread.ops)
      if (op.proxy != Proxy::generic || op.kind == LitmusOpKind::alias_fence ||
          op.kind == LitmusOpKind::proxy_fence || op.scope == Scope::cluster)
        return true;
  }
  return false;
}

LitmusTest read_litmus_test(const std::filesystem::path& path) {
  return read_document(JsonDocument::read(path));
}

LitmusTest parse_litmus_test(std::string_view text, std::string_view name) {
  return read_document(JsonDocument::parse(text, name));
}

}  // namespace epsim

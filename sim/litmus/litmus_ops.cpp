#include "sim/litmus/litmus_ops.hpp"

#include <limits>
#include <map>

#include <fmt/format.h>

namespace epsim {
namespace {

// One word of "sem": what it makes of an operation.
struct OrderWord {
  std::string_view word;
  bool is_strong;
  Order order;
  bool is_sc;
};
constexpr OrderWord kWeak{"weak", false, Order::relaxed, false};
constexpr OrderWord kRelaxed{"relaxed", true, Order::relaxed, false};
constexpr OrderWord kAcquire{"acquire", true, Order::acquire, false};
constexpr OrderWord kRelease{"release", true, Order::release, false};
constexpr OrderWord kAcqRel{"acq_rel", true, Order::acq_rel, false};
constexpr OrderWord kSc{"sc", true, Order::acq_rel, true};

using Labels = std::map<std::string, std::size_t>;

template <std::size_t N>
std::vector<std::string_view> words_of(const std::array<std::string_view, N>& names) {
  return {names.begin(), names.end()};
}

class OpReader {
 public:
  OpReader(std::uint32_t thread, LitmusNames& names, const Labels& labels)
      : thread_(thread), names_(names), labels_(labels) {}

  LitmusOp read(const JsonValue& value) {
    JsonObject object = value.object();
    const JsonValue word = object.required("op");
    std::vector<std::string_view> known;
    for (const Kind& kind : kKinds) known.push_back(kind.word);
    const Kind& kind = kKinds[word.one_of(known)];
    LitmusOp op;
    op.kind = kind.kind;
    (this->*kind.read)(object, op);
    object.finish();
    return op;
  }

 private:
  struct Kind {
    std::string_view word;
    LitmusOpKind kind;
    void (OpReader::*read)(JsonObject&, LitmusOp&);
  };
  static const std::array<Kind, 11> kKinds;

  std::uint32_t target(JsonObject& object) {
    return names_.register_of(thread_, object.required("reg"));
  }

  LitmusOperand operand(JsonObject& object, std::string_view key) {
    return names_.operand(thread_, object.required(key));
  }

  static Scope scope(const JsonValue& value) {
    return static_cast<Scope>(value.one_of(words_of(kScopeNames)));
  }

  static void read_order(JsonObject& object,
                         LitmusOp& op,
                         std::initializer_list<OrderWord> allowed) {
    std::vector<std::string_view> words;
    for (const OrderWord& word : allowed) words.push_back(word.word);
    const OrderWord& found = allowed.begin()[object.required("sem").one_of(words)];
    op.is_strong = found.is_strong;
    op.order = found.order;
    op.is_sc = found.is_sc;
    const auto scope_value = object.optional("scope");
    if (op.is_strong)
      op.scope = scope(scope_value ? *scope_value : object.required("scope"));
    else if (scope_value && !scope_value->is_null())
      scope_value->fail_expected("null: a weak operation has no scope");
  }

  void read_location(JsonObject& object, LitmusOp& op) {
    op.location = names_.location(object.required("loc"));
    names_.check_address(object.required("virt"), object.required("phys"), op.location);
    op.proxy = static_cast<Proxy>(object.required("proxy").one_of(words_of(kProxyNames)));
  }

  void read_load(JsonObject& object, LitmusOp& op) {
    read_location(object, op);
    read_order(object, op, {kWeak, kRelaxed, kAcquire});
    op.target = target(object);
  }

  void read_store(JsonObject& object, LitmusOp& op) {
    read_location(object, op);
    read_order(object, op, {kWeak, kRelaxed, kRelease});
    op.right = operand(object, "value");
  }

  void read_red(JsonObject& object, LitmusOp& op) {
    read_location(object, op);
    read_order(object, op, {kRelaxed, kAcquire, kRelease, kAcqRel});
    std::vector<std::string_view> functions = words_of(kArithmeticNames);
    functions.resize(kAtomicFunctions);
    op.function = static_cast<Arithmetic>(object.required("fn").one_of(functions));
    op.right = operand(object, "value");
    if (op.function == Arithmetic::cas) op.compare = operand(object, "compare");
  }

  void read_atom(JsonObject& object, LitmusOp& op) {
    read_red(object, op);
    op.target = target(object);
  }

  void read_fence(JsonObject& object, LitmusOp& op) {
    const std::size_t kind = object.required("kind").one_of({"thread", "proxy", "alias"});
    op.kind = std::array{
        LitmusOpKind::thread_fence, LitmusOpKind::proxy_fence, LitmusOpKind::alias_fence}[kind];
    if (op.kind == LitmusOpKind::thread_fence)
      read_order(object, op, {kAcqRel, kSc, kRelease, kAcquire});
    if (op.kind == LitmusOpKind::proxy_fence)
      op.proxy = static_cast<Proxy>(object.required("proxy").one_of(words_of(kProxyNames)));
  }

  void read_barrier(JsonObject& object, LitmusOp& op) {
    op.is_arrive = object.required("mode").one_of({"sync", "arrive"}) == 1;
    op.scope = scope(object.required("scope"));
    op.instance = litmus_number(object.required("instance"));
    if (const JsonValue id = object.required("id"); !id.is_null())
      op.barrier_id = names_.operand(thread_, id);
    if (const JsonValue quorum = object.required("quorum"); !quorum.is_null())
      op.quorum = quorum.integer_in(1, std::numeric_limits<std::int32_t>::max());
  }

  void read_move(JsonObject& object, LitmusOp& op) {
    op.target = target(object);
    op.right = operand(object, "value");
  }

  void read_compute(JsonObject& object, LitmusOp& op) {
    const JsonValue function = object.required("fn");
    op.function = static_cast<Arithmetic>(function.one_of(words_of(kArithmeticNames)));
    if (op.function == Arithmetic::cas || op.function == Arithmetic::exch)
      function.fail_expected("a function of two values");
    op.target = target(object);
    op.left = operand(object, "a");
    op.right = operand(object, "b");
  }

  void read_label(JsonObject& object, LitmusOp&) { (void)object.required("label"); }

  void read_jump(JsonObject& object, LitmusOp& op) {
    const JsonValue name = object.required("target");
    const auto found = labels_.find(name.string());
    if (found == labels_.end()) name.fail(fmt::format("\"{}\": no such label", name.string()));
    op.jump_to = found->second;
  }

  void read_branch(JsonObject& object, LitmusOp& op) {
    op.comparison =
        static_cast<Comparison>(object.required("cmp").one_of(words_of(kComparisonNames)));
    op.left = operand(object, "a");
    op.right = operand(object, "b");
    read_jump(object, op);
  }

  std::uint32_t thread_;
  LitmusNames& names_;
  const Labels& labels_;
};

const std::array<OpReader::Kind, 11> OpReader::kKinds = {
    Kind{"ld", LitmusOpKind::load, &OpReader::read_load},
    Kind{"st", LitmusOpKind::store, &OpReader::read_store},
    Kind{"atom", LitmusOpKind::read_modify_write, &OpReader::read_atom},
    Kind{"red", LitmusOpKind::read_modify_write, &OpReader::read_red},
    Kind{"fence", LitmusOpKind::thread_fence, &OpReader::read_fence},
    Kind{"barrier", LitmusOpKind::barrier, &OpReader::read_barrier},
    Kind{"mov", LitmusOpKind::move, &OpReader::read_move},
    Kind{"alu", LitmusOpKind::compute, &OpReader::read_compute},
    Kind{"label", LitmusOpKind::label, &OpReader::read_label},
    Kind{"branch", LitmusOpKind::branch, &OpReader::read_branch},
    Kind{"jump", LitmusOpKind::jump, &OpReader::read_jump}};

}  // namespace

void read_litmus_ops(const JsonValue& ops,
                     std::uint32_t thread,
                     LitmusNames& names,
                     LitmusTest& test) {
  const std::vector<JsonValue> values = ops.array();
  Labels labels;
  for (std::size_t i = 0; i < values.size(); ++i) {
    JsonObject object = values[i].object();
    if (object.required("op").string() != "label") continue;
    const JsonValue label = object.required("label");
    if (!labels.emplace(label.string(), i).second)
      label.fail(fmt::format("\"{}\" stands at two places", label.string()));
  }
  OpReader reader(thread, names, labels);
  for (const JsonValue& value : values) test.threads[thread].ops.push_back(reader.read(value));
}

}  // namespace epsim

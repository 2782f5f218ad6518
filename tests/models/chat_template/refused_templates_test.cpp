// What chat templates that are wrong, or ask for too much, are refused with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gladius/models/chat_template/chat_template.h"
#include "gladius/tensor/base/error.h"
#include "support/message_of.h"
#include "support/sanitizers.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::HasSubstr;

Json variables() { return {{"n", 7}, {"s", "a-b c"}, {"d", {{"a", "x"}}}, {"xs", {3, 1, 2}}}; }

std::string rendered(const std::string& source, const Json& values = variables()) {
  return ChatTemplate::parse(source).render(values);
}

template <class E>
std::string refusal(const std::string& source, const Json& values = variables()) {
  return testing::message_of<E>([&] { rendered(source, values); });
}

TEST(ChatTemplate, ErrorsShowNameLineAndText) {
  EXPECT_EQ(refusal<FormatError>("a\n  {{ n.x.y }}\n"),
            "chat_template line 2: 'int object' has no attribute 'x', in `{{ n.x.y }}`");
  EXPECT_EQ(refusal<FormatError>("{% if true %}\nx"),
            "chat_template line 2: the template ends before 'endif', in `x`");
  EXPECT_EQ(refusal<ConfigError>("\n{% include 'x' %}"),
            "chat_template line 2: the tag 'include' is not supported, in `{% include 'x' %}`");
  const std::string cut =
      refusal<FormatError>(std::string(500, 'x') + "{{ q() }}" + std::string(500, 'y'));
  EXPECT_THAT(cut, AllOf(HasSubstr("'q' is undefined, in `...x"), HasSubstr("y...`")));
  EXPECT_LT(cut.size(), 250u);
}

TEST(ChatTemplate, RaiseExceptionGivesItsMessage) {
  EXPECT_EQ(refusal<FormatError>("x\n{{ raise_exception('Roles must alternate: ' ~ n) }}"),
            "chat_template line 2: Roles must alternate: 7");
}

TEST(ChatTemplate, BadSyntaxIsAFormatError) {
  for (const char* source :
       {"{{",
        "{{ }}",
        "{% %}",
        "{{ 1 + }}",
        "{{ (1 }}",
        "{{ 'a }}",
        "{# x",
        "{% raw %}x",
        "{{ a b }}",
        "{% for x %}",
        "{% endif %}",
        "{% nonsense %}",
        "{{ 1) }}",
        "{{ $ }}",
        "{% set none = 1 %}",
        "{% for loop in xs %}{% endfor %}",
        "{% break %}",
        "{% for i in xs %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
        "{{ f(a=1, 2) }}",
        "{% macro m(a=1, b) %}{% endmacro %}",
        "{{ 99999999999999999999 }}",
        "{{ '\\ud800' }}",
        "{{ a.'b' }}",
        "{% if true %}{% else %}{% elif %}{% endif %}",
        "\xff",
        "{{ x is none is none }}",
        "{{ [1 2] }}"}) {
    SCOPED_TRACE(source);
    EXPECT_THROW(ChatTemplate::parse(source), FormatError);
  }
}

TEST(ChatTemplate, UnsupportedJinjaIsAConfigError) {
  for (const char* source :
       {"{% extends 'a' %}", "{% block a %}{% endblock %}", "{% call m() %}{% endcall %}",
        "{{ x | urlize }}", "{{ x is filter }}", "{% for x in xs recursive %}{% endfor %}",
        "{{ f(*xs) }}", "{{ f(**d) }}", "{% macro m() %}{{ varargs }}{% endmacro %}",
        "{{ xs[1, 2] }}", "{% do x %}", "{{ '\\N{DASH}' }}"}) {
    SCOPED_TRACE(source);
    EXPECT_THAT(refusal<ConfigError>(std::string("x\n") + source), HasSubstr(" line 2: "));
  }
  for (const char* source :
       {"{{ '%s' % 1 }}", "{{ range }}", "{{ range(3) }}", "{{ xs | map('nope') }}",
        "{% for x in xs %}{{ loop.cycle(1, 2) }}{% endfor %}", "{{ namespace() }}"}) {
    SCOPED_TRACE(source);
    EXPECT_THAT(refusal<ConfigError>(std::string("x\n") + source), HasSubstr(" line 2: "));
  }
}

TEST(ChatTemplate, WrongUseOfValuesIsAFormatError) {
  for (const char* source : {"{{ missing.x }}",
                             "{{ missing + 1 }}",
                             "{{ missing() }}",
                             "{{ missing < 1 }}",
                             "{{ -missing }}",
                             "{{ 'a' + 1 }}",
                             "{{ 1 / 0 }}",
                             "{{ 1 // 0 }}",
                             "{{ 1 % 0 }}",
                             "{{ 0 ** -1 }}",
                             "{{ 'a' < 1 }}",
                             "{{ 1 in 'a' }}",
                             "{{ 1 in 1 }}",
                             "{% for x in 1 %}{% endfor %}",
                             "{% set a, b = [1] %}",
                             "{{ d.update({}) }}",
                             "{{ xs.append(1) }}",
                             "{{ n() }}",
                             "{{ 9223372036854775807 + 1 }}",
                             "{{ 2 ** 64 }}",
                             "{% set d.x = 1 %}",
                             "{{ missing | tojson }}",
                             "{{ range(0, 9, 0) }}",
                             "{{ range(100001) }}",
                             "{{ xs[::0] }}",
                             "{{ n[1:] }}",
                             "{{ {[1]: 2} }}",
                             "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
                             "{% macro m(a) %}{% endmacro %}{{ m(q=1) }}",
                             "{{ 'a'.split('') }}",
                             "{% set ns = namespace() %}{% set ns._x = 1 %}",
                             "{{ s | join('a', 'b', 'c') }}",
                             "{{ xs | join(q=1) }}",
                             "{{ [1] in d }}"}) {
    SCOPED_TRACE(source);
    EXPECT_THROW(rendered(source), FormatError);
  }
}

// What would hang, fill the memory or overflow the stack without limits.
TEST(ChatTemplate, TemplatesThatDoTooMuchFail) {
  const auto loop = [](const std::string& before, const std::string& body) {
    return before + "{% for i in range(99999) %}" + body + "{% endfor %}";
  };
  const std::string lists =
      "{% set ns = namespace(l=1, m=1) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}"
      "{% set ns.m = [ns.m, ns.m] %}{% endfor %}";
  for (const std::string& source : std::vector<std::string>{
           loop("", loop("", "")), loop("", "{{ 'x' * 1000000 }}"), "{{ 'x' * 9999999999 }}",
           "{{ [0] * 9999999999 }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
           loop("{% set ns = namespace(s='x') %}", "{% set ns.s = ns.s + ns.s %}"),
           loop("{% set ns = namespace(l=[]) %}", "{% set ns.l = [ns.l] %}"),
           lists + "{{ ns.l == ns.m }}", lists + "{{ ns.l | tojson }}",
           loop("{% set a = 'a' * 4000000 %}", "{{ {}.get(a) }}{{ {}[a] }}{{ a in {} }}"),
           "{{ (',' * 60000000).split(',') }}"}) {
    SCOPED_TRACE(source);
    EXPECT_THROW(rendered(source), FormatError);
  }
}

// Searches that a naive implementation does in quadratic time, hours for these lengths.
TEST(ChatTemplate, LongTextsTakeLinearTime) {
  if (testing::kSanitized) GTEST_SKIP() << "a test of speed";
  const std::string texts =
      "{% set a = 'a' * 4000000 %}{% set b = 'b' + 'a' * 2000000 %}"
      "{% set c = 'a' * 2000000 + 'b' %}";
  EXPECT_EQ(rendered(texts + "{{ b in a }} {{ c in a }}"), "False False");
  EXPECT_EQ(rendered(texts + "{{ a.rfind(b) }} {{ a.rfind(c) }}"), "-1 -1");
  EXPECT_EQ(rendered(texts + "{{ a.rsplit(b, 1) | length }} {{ a.split(c) | length }}"), "1 1");
  EXPECT_EQ(rendered(texts + "{{ a.strip(c) }}{{ a | trim(c) }}"), "");
  EXPECT_EQ(rendered(texts + "{{ a.replace(b, '') == a }}"), "True");
}

TEST(ChatTemplate, DeepNestingFailsCleanly) {
  const auto repeat = [](const std::string& text, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += text;
    return out;
  };
  const int n = 100000;
  for (const std::string& source :
       {"{{ " + repeat("(", n), "{{ " + repeat("[", n), "{{ " + repeat("-", n) + "1 }}",
        "{{ " + repeat("not ", n) + "1 }}", "{{ 1" + repeat(" + 1", n) + " }}",
        "{{ d" + repeat(".a", n) + " }}", "{{ 1" + repeat(" if 1 else 1", n) + " }}",
        "{{ s" + repeat("|trim", n) + " }}", repeat("{% if 1 %}", n),
        repeat("{% for i in xs %}", n), "{% for " + repeat("(", n),
        "{{ 1" + repeat(" is defined", n) + " }}"}) {
    SCOPED_TRACE(source.substr(0, 40));
    EXPECT_THROW(ChatTemplate::parse(source), FormatError);
  }
  Json deep;
  for (int i = 0; i < 100000; ++i) deep = Json::array({std::move(deep)});
  EXPECT_THAT(refusal<FormatError>("x", {{"deep", std::move(deep)}}), HasSubstr("200 deep"));
}

// Values that own one another are freed (the leak checker of the ASan build watches).
TEST(ChatTemplate, CyclesAreFreed) {
  EXPECT_EQ(
      rendered("{% set a = namespace() %}{% set a.a = [a] %}{% macro m() %}{% macro k() %}x{% "
               "endmacro %}"
               "{% set a.k = k %}{{ k() }}{% endmacro %}{{ m() }}{{ a.k() }}{% set a.m = m %}"),
      "xx");
}

TEST(ChatTemplate, RejectsDataThatIsNotUtf8) {
  EXPECT_THAT(refusal<FormatError>("x", {{"a", "\xff"}}), HasSubstr("not UTF-8"));
  EXPECT_THROW(ChatTemplate::parse("x").render(Json::array()), FormatError);
}

}  // namespace
}  // namespace gladius::text

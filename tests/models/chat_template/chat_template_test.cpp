// Every construct of the chat template engine. The expected texts are what transformers 5.24 with
// Jinja 3.1.6 renders; tests/interop/chat_template_test.py compares with it directly.
#include "gladius/models/chat_template/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "support/temporary_directory.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::HasSubstr;

Json context() {
  return Json::parse(
      R"json({"n": 7, "s": "a-b c", "d": {"b": [1, {"c": null}], "a": "x"}, "xs": [3, 1, 2], "ms": [{"role": "user", "content": " hi "}, {"role": "assistant", "content": "yo"}, {"role": "user", "content": "<b>é"}], "f": 2.5, "flag": true})json");
}

std::string render(const std::string& source, const Json& variables = context()) {
  return ChatTemplate::parse(source).render(variables);
}

struct Case {
  std::string source;
  std::string expected;
};

void expect_all(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.source);
    EXPECT_EQ(render(c.source), c.expected);
  }
}

TEST(ChatTemplate, WhiteSpace) {
  expect_all({
      {"a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc"},
      {"a {%- if true -%} b {%- endif -%} c", "abc"},
      {" {{- n -}} \n x", "7x"},
      {"  {%+ if true %}x{% endif +%}\ny", "  x\ny"},
      {"{# c #}\nx{#- d -#} y", "xy"},
      {"{% raw %}\n {{ x }} {% endraw %}\nz", "\n {{ x }} z"},
      {"  {%- raw -%}  {{ {%- endraw -%}  z", "{{z"},
      {"x\r\ny\rz\n", "x\ny\nz"},
      {"{{ '{{' }}{{ \"%}\" }}", "{{%}"},
      {"{% if true %}\n\n\nx{% endif %}", "\n\nx"},
      {"\t{% set a = 1 %}\n\t{{ a }}\n", "\t1"},
      {"{{ {'a': {'b': 1}} }}", "{'a': {'b': 1}}"},
  });
}

TEST(ChatTemplate, Literals) {
  expect_all({
      {"{{ 'a\\n\\t\\x41\\u00e9\\q' }}", "a\n\tA\303\251\\q"},
      {"{{ 'a' \"b\" }}", "ab"},
      {"{{ 1_000 }} {{ 0x1f }} {{ 0b11 }} {{ 0o17 }} {{ 1.5e3 }} {{ 2e-7 }}",
       "1000 31 3 15 1500.0 2e-07"},
      {"{{ [1, 'a', none, true, 1.0] }} {{ (1,) }} {{ () }} {{ {'a': (1, 2)} }}",
       "[1, 'a', None, True, 1.0] (1,) () {'a': (1, 2)}"},
      {"{{ true }} {{ None }} {{ False }}", "True None False"},
      {"{{ 1, 2 }}", "(1, 2)"},
      {"{{ 'it\\'s' }} {{ [\"it's\"] }} {{ ['\"\\''] }} {{ ['\303\251\\n\\x00\\u200b'] }}",
       "it's [\"it's\"] ['\"\\''] ['\303\251\\n\\x00\\u200b']"},
      {"{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 100.0 }} {{ -0.0 }} {{ 1.1 }} {{ 1e100 "
       "}}",
       "1e+16 1000000000000000.0 0.0001 1e-05 100.0 -0.0 1.1 1e+100"},
  });
}

TEST(ChatTemplate, Arithmetic) {
  expect_all({
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 "
       "}}",
       "3 -4 -2 2 3.5 1024 0.5"},
      {"{{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 6 / 3 }} {{ true + 1 }}", "-4.0 0.5 2.0 2"},
      {"{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}", "3 9 4 64"},
      {"{{ 'ab' * 3 }} {{ [1] * 2 }} {{ 'a' + 'b' }} {{ [1] + [2] }} {{ (1,) + (2,) }}",
       "ababab [1, 1] ab [1, 2] (1, 2)"},
      {"{{ 1 ~ 'a' ~ none ~ [1] ~ missing }}", "1aNone[1]"},
      {"{{ -f }} {{ +n }} {{ 10 - -3 }}", "-2.5 7 13"},
  });
}

TEST(ChatTemplate, Comparisons) {
  expect_all({
      {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 == true }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] "
       "}}",
       "True False True True True"},
      {"{{ 'a' in 'cab' }} {{ 4 not in xs }} {{ 'a' in d }} {{ 1 in missing }}",
       "True True True False"},
      {"{{ d == {'a': 'x', 'b': [1, {'c': none}]} }} {{ [1] == (1,) }} {{ missing == absent }}",
       "True False True"},
      {"{{ 0 or 'x' }} {{ 1 and '' }}| {{ not 1 }} {{ none or [] }} {{ not 1 == 2 }}",
       "x | False [] True"},
      {"{{ 9007199254740993 == 9007199254740992.0 }}", "False"},
      {"{{ 'x' if missing else 'y' }}{{ 'z' if false }}", "y"},
  });
}

TEST(ChatTemplate, Access) {
  expect_all({
      {"{{ d.a }} {{ d['b'][1].c }} {{ d.b.0 }} {{ xs[-1] }} {{ s[0] }} {{ d.missing }} {{ xs[9] "
       "}}",
       "x None 1 2 a  "},
      {"{{ xs[::-1] }} {{ xs[1:] }} {{ xs[:-1] }} {{ s[::-2] }} {{ xs[-100:100] }} {{ xs[2:0:-1] "
       "}} {{ (1,2,3)[1:] }}",
       "[2, 1, 3] [1, 2] [3, 1] cba [3, 1, 2] [2, 1] (2, 3)"},
      {"{{ d.items() }} {{ d.keys() }} {{ d.values() | list }} {{ d.get('q') }} {{ d.get('q', 5) "
       "}} {{ d.get('a') }}",
       "dict_items([('b', [1, {'c': None}]), ('a', 'x')]) dict_keys(['b', 'a']) [[1, {'c': None}], "
       "'x'] None 5 x"},
      {"{{ '\303\251\360\237\246\231x'[1] }} {{ '\303\251\360\237\246\231x'[::-1] }} {{ "
       "'\303\251\360\237\246\231x' | length }}",
       "\360\237\246\231 x\360\237\246\231\303\251 3"},
      {"{{ none.x }}{{ n.y }}", ""},
      {"{{ {'items': 1}['items'] }} {{ {1: 'i', true: 't', none: 'n'} }}", "1 {1: 't', None: 'n'}"},
  });
}

TEST(ChatTemplate, Methods) {
  expect_all({
      {"{{ ' xaxx '.strip() }}|{{ 'xaxx'.strip('x') }}|{{ 'xax'.lstrip('x') }}|{{ "
       "'xa\303\251'.rstrip('a\303\251') }}",
       "xaxx|a|ax|x"},
      {"{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ ' a b c "
       "'.split(none, 1) }} {{ 'a,b,c'.rsplit(',', 1) }}",
       "['a', 'b', '', 'c'] ['a', 'b'] ['a', 'b,c'] ['a', 'b c '] ['a,b', 'c']"},
      {"{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'bc')) }}", "True True"},
      {"{{ 'hello wORLD'.title() }} {{ 'hELLO'.capitalize() }} {{ '\303\251'.upper() }} {{ "
       "'\303\211'.lower() }}",
       "Hello World Hello \303\211 \303\251"},
      {"{{ 'aaa'.replace('a', 'b', 2) }} {{ 'ab'.replace('', '-') }}", "bba -a-b-"},
      {"{{ 'a--b--c'.rsplit('--', 1) }} {{ 'aaa'.rsplit('aa') }} {{ 'aaa'.rsplit('aa', 1) }} {{ "
       "'\303\251-\303\274-\303\251'.rsplit('-', 1) }} {{ 'abc'.rfind('') }} {{ "
       "'\303\251a\303\251'.rfind('\303\251') }}",
       "['a--b', 'c'] ['a', ''] ['a', ''] ['\303\251-\303\274', '\303\251'] 3 2"},
      {"{{ 'banana'.find('na') }} {{ 'banana'.rfind('na') }} {{ 'banana'.count('an') }} {{ "
       "'banana'.find('q') }}",
       "2 4 2 -1"},
      {"{{ 'a\\nb\\r\\nc\\n'.splitlines() }} {{ '-'.join(['a', 'b']) }}", "['a', 'b', 'c'] a-b"},
      {"{{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ "
       "'AB'.isupper() }}",
       "True True True True True"},
      {"{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }}", "x x"},
      {"{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }}", "2 1"},
  });
}

TEST(ChatTemplate, Filters) {
  expect_all({
      {"{{ '  x ' | trim }}|{{ 'xxaxx' | trim('x') }}", "x|a"},
      {"{{ d | tojson }} {{ '<\303\251\"\\n' | tojson }} {{ [1.0, none, true] | tojson }}",
       "{\"b\": [1, {\"c\": null}], \"a\": \"x\"} \"<\303\251\\\"\\n\" [1.0, null, true]"},
      {"{{ d | tojson(indent=2) }}",
       "{\n  \"b\": [\n    1,\n    {\n      \"c\": null\n    }\n  ],\n  \"a\": \"x\"\n}"},
      {"{{ {'b': 1, 'a': [], 'c': {}} | tojson(sort_keys=true, separators=(',', ':'), "
       "ensure_ascii=true) }} {{ '\303\251\360\237\246\231' | tojson(ensure_ascii=true) }}",
       "{\"a\":[],\"b\":1,\"c\":{}} \"\\u00e9\\ud83e\\udd99\""},
      {"{{ xs | length }} {{ 'abc' | count }} {{ missing | length }}", "3 3 0"},
      {"{{ 'aB' | upper }} {{ 'aB' | lower }} {{ 'hello-wORLD (x) \303\251' | title }} {{ 'hELLO' "
       "| capitalize }}",
       "AB ab Hello-World (X) \303\211 Hello"},
      {"{{ xs | join(', ') }} {{ ms | join('|', attribute='role') }} {{ [1, none] | join }}",
       "3, 1, 2 user|assistant|user 1None"},
      {"{{ missing | default('z') }} {{ '' | default('z') }} {{ '' | d('z', true) }} {{ none | "
       "default }}",
       "z  z None"},
      {"{{ 'abc' | list }} {{ d | list }} {{ xs | first }} {{ xs | last }} {{ [] | first }}",
       "['a', 'b', 'c'] ['b', 'a'] 3 2 "},
      {"{{ 'aaa' | replace('a', 'b') }} {{ 'aaa' | replace('a', 'b', 1) }}", "bbb baa"},
      {"{{ 5 | string + 'x' }} {{ '12' | int }} {{ 'x' | int(default=3) }} {{ '3.9' | int }} {{ "
       "'ff' | int(base=16) }} {{ 3.9 | int }} {{ '1.5' | float }}",
       "5x 12 3 3 255 3 1.5"},
      {"{% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}", "b=[1, {'c': None}];a=x;"},
      {"{{ ms | map(attribute='role') | list }} {{ xs | map('string') | join('+') }} {{ ms | "
       "map(attribute='q', default='-') | join }}",
       "['user', 'assistant', 'user'] 3+1+2 ---"},
      {"{{ ms | selectattr('role', 'equalto', 'user') | map(attribute='content') | list }} {{ ms | "
       "rejectattr('role', 'eq', 'user') | list | length }}",
       "[' hi ', '<b>\303\251'] 1"},
      {"{{ xs | select('gt', 1) | list }} {{ xs | reject('odd') | list }} {{ [0, 1, ''] | select | "
       "list }}",
       "[3, 2] [2] [1]"},
      {"{{ 'a\\nb\\n\\nc' | indent }} {{ 'a\\nb' | indent(2, true) }} {{ 'a\\n\\nb' | indent('> ', "
       "blank=true) }}",
       "a\n    b\n\n    c   a\n  b a\n> \n> b"},
      {"{{ {'b': 1, 'A': 2} | dictsort }} {{ {'b': 1, 'A': 2} | dictsort(by='value', reverse=true) "
       "}} {{ {'b': 1, 'A': 2} | dictsort(true) }}",
       "[('A', 2), ('b', 1)] [('A', 2), ('b', 1)] [('A', 2), ('b', 1)]"},
      {"{{ [(1, 'a'), (1, 'a'), missing, missing, none, (1,)] | unique | list | length }} "
       "{{ [{'k': 1}] | min }} {{ (1, 2) in {'k': 1} }} "
       "{{ [none, none] | sort }}",
       "4 {'k': 1} False [None, None]"},
      {"{{ ['a', 'A', 'b'] | unique | list }} {{ xs | sum }} {{ [{'v': 1}, {'v': 2}] | "
       "sum(attribute='v', start=10) }}",
       "['a', 'b'] 6 13"},
      {"{{ xs | reverse | list }} {{ 'abc' | reverse }} {{ xs | sort }} {{ ['b', 'A'] | sort }} {{ "
       "xs | sort(reverse=true) }} {{ ms | sort(attribute='role,content') | "
       "map(attribute='content') | list }}",
       "[2, 1, 3] cba [1, 2, 3] ['A', 'b'] [3, 2, 1] ['yo', ' hi ', '<b>\303\251']"},
      {"{{ '<' | safe }} {{ -3 | abs }} {{ 2.5 | round }} {{ 3.14159 | round(2) }} {{ 2.1 | "
       "round(0, 'ceil') }} {{ 7 | round }} {{ xs | max }} {{ xs | min }}",
       "< 3 2.0 3.14 3.0 7 3 1"},
      {"{{ 'x' if ms | selectattr('role', 'eq', 'q') else 'y' }}", "x"},
  });
}

TEST(ChatTemplate, Tests) {
  expect_all({
      {"{{ n is defined }} {{ q is undefined }} {{ none is none }} {{ s is string }} {{ d is "
       "mapping }} {{ xs is iterable }} {{ xs is sequence }}",
       "True True True True True True True"},
      {"{{ 1 is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is float }} {{ true is "
       "boolean }} {{ true is true }} {{ 1 is true }} {{ false is false }}",
       "True True False True True True False True"},
      {"{{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 1 is ne 2 }} {{ 1 is in [1] }} {{ 3 is odd }} {{ "
       "3 is even }} {{ 4 is divisibleby 2 }} {{ 2 is gt 1 }} {{ 2 is le 1 }}",
       "True False True True True False True True False"},
      {"{{ 'a' is lower }} {{ 'a' is upper }} {{ range is callable }} {{ none is sameas none }} {{ "
       "s is not none }} {{ s is not string }}",
       "True False True True True False"},
      {"{{ nothing is callable }} {{ ([1] | safe) is string }}", "True True"},
      {"{{ not n is defined and true }} {{ n is defined and n > 3 }} {{ 1 if n is defined else 2 "
       "}}",
       "False True 1"},
  });
}

TEST(ChatTemplate, Statements) {
  expect_all({
      {"{% set a, b = 1, (2) %}{{ a }}{{ b }}", "12"},
      {"{% set x %}a{{ n }}{% endset %}[{{ x }}]{% set y | upper %}b{% endset %}{{ y }}", "[a7]B"},
      {"{% set ns = namespace(a=1) %}{% for i in xs %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a "
       "}}",
       "7"},
      {"{% set ns = namespace({'k': 1}, z=2) %}{% set ns.k %}v{% endset %}{{ ns.k }}{{ ns.z }}{{ "
       "ns.q }}",
       "v2"},
      {"{% for m in ms %}{{ loop.index }}/{{ loop.length }} {{ loop.first }} {{ loop.last }} {{ "
       "loop.revindex }} {{ loop.index0 }} {{ loop.revindex0 }} {{ loop.previtem.role if "
       "loop.previtem }} {{ loop.nextitem is defined }};{% endfor %}",
       "1/3 True False 3 0 2  True;2/3 False False 2 1 1 user True;3/3 False True 1 2 0 assistant "
       "False;"},
      {"{% for i in [] %}x{% else %}none{% endfor %}{% for i in xs if i > 1 %}{{ i }}{{ "
       "loop.length }}{% else %}q{% endfor %}",
       "none3222"},
      {"{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
      {"{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break "
       "%}{% endif %}{{ i }}{% endfor %}",
       "0134"},
      {"{% for i in xs %}{% set q = i %}{% endfor %}{{ q is defined }}{% if true %}{% set q = 5 "
       "%}{% endif %}{{ q }}",
       "False5"},
      {"{% if n == 1 %}a{% elif n == 7 %}b{% elif true %}c{% else %}d{% endif %}", "b"},
      {"{% macro m(a, b=a ~ '!', c='z') %}{{ a }}{{ b }}{{ c }}{{ n }}{% endmacro %}{{ m(1) }} {{ "
       "m(1, c=3) }} {{ m(b=2) }} {{ m(1, 2, 3) | upper }}",
       "11!z7 11!37 2z7 1237"},
      {"{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
       "4321"},
      {"{% set v = 1 %}{% macro m() %}{{ v }}{% set v = 9 %}{% endmacro %}{% set v = 2 %}{{ m() "
       "}}{{ v }}",
       "22"},
      {"{% generation %}{% set g = 1 %}a{{ n }}{% endgeneration %}{{ g is defined }}", "a7False"},
      {"{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "17False"},
      {"{% filter upper | trim %} ab{{ n }} {% endfilter %}", "AB7"},
      {"{% for x in xs %}{% for y in xs %}{{ loop.index }}{% endfor %}{{ loop.index }},{% endfor "
       "%}",
       "1231,1232,1233,"},
      {"{% for k in d %}{{ k }}{% endfor %}{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{% "
       "for c in 'h\303\251' %}{{ c }}.{% endfor %}",
       "bab[1, {'c': None}]axh.\303\251."},
      {"{% for i in range(3) %}{{ i }}{% endfor %} {% for i in range(5, 0, -2) %}{{ i }}{% endfor "
       "%} {{ range(2, 4) | list }}",
       "012 531 [2, 3]"},
      {"{% for m in ms %}{% set m = m.role %}{{ m }} {% endfor %}", "user assistant user "},
      {"{{ dict(a=1) }} {{ dict([('x', 2)]) }} {{ strftime_now('%%') }}", "{'a': 1} {'x': 2} %"},
      {"{% if not missing is defined %}{% set missing = 3 %}{% endif %}{{ missing }}{% set n = n + "
       "1 %}{{ n }}",
       "38"},
  });
}

class ChatTemplateDirectory : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name) << text;
  }
  std::string loaded(bool with_tools = false) const {
    const auto found = ChatTemplate::load(dir_, with_tools);
    return found ? found->render(context()) : "(none)";
  }
  std::string refused(bool with_tools = false) const {
    try {
      return "rendered " + loaded(with_tools);
    } catch (const ConfigError& error) {
      return error.what();
    }
  }

  const gladius::testing::TemporaryDirectory
      directory_;  // of this test alone: others run beside it
  const std::filesystem::path dir_ = directory_.path();
};

TEST_F(ChatTemplateDirectory, LoadsTheFileBeforeTheConfiguration) {
  EXPECT_EQ(loaded(), "(none)");
  write("tokenizer_config.json", R"({"bos_token": "<s>"})");
  EXPECT_EQ(loaded(), "(none)");
  write("tokenizer_config.json", R"({"chat_template": "config {{ n }}"})");
  EXPECT_EQ(loaded(), "config 7");
  write("tokenizer_config.json", R"({"chat_template": [{"name": "tool", "template": "t"},
                                    {"name": "default", "template": "named {{ n }}"}]})");
  EXPECT_EQ(loaded(), "named 7");
  write("chat_template.jinja", "file {{ n }}\n");
  EXPECT_EQ(loaded(), "file 7");
}

TEST_F(ChatTemplateDirectory, ToolsTakeTheTemplateOfThatName) {
  write("tokenizer_config.json", R"({"chat_template": "only"})");
  EXPECT_EQ(loaded(true), "only");
  write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "d"},
                                    {"name": "tool_use", "template": "t"},
                                    {"name": "rag", "template": "{{ bad"}]})");
  EXPECT_EQ(loaded(), "d");
  EXPECT_EQ(loaded(true), "t");
  write("tokenizer_config.json", R"({"chat_template": {"default": "d2", "tool_use": "t2"}})");
  EXPECT_EQ(loaded(), "d2");
  EXPECT_EQ(loaded(true), "t2");
}

// As transformers 5.24: any template file takes the place of all configured ones.
TEST_F(ChatTemplateDirectory, FilesTakeThePlaceOfTheConfiguration) {
  write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "d"},
                                    {"name": "tool_use", "template": "t"}]})");
  write("chat_template.jinja", "file");
  EXPECT_EQ(loaded(true), "file");
  std::filesystem::create_directory(dir_ / "additional_chat_templates");
  write("additional_chat_templates/tool_use.jinja", "file for tools");
  write("additional_chat_templates/notes.txt", "{{");
  EXPECT_EQ(loaded(), "file");
  EXPECT_EQ(loaded(true), "file for tools");
  std::filesystem::remove(dir_ / "chat_template.jinja");
  EXPECT_EQ(loaded(true), "file for tools");
  EXPECT_THAT(refused(), HasSubstr("has the chat templates \"tool_use\" and no \"default\" for"));
}

TEST_F(ChatTemplateDirectory, WithoutADefaultTheNamesAreSaid) {
  write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "r"},
                                    {"name": "plain", "template": "p"}]})");
  EXPECT_THAT(refused(), HasSubstr("has the chat templates \"plain\", \"rag\" and no \"default\""));
  EXPECT_THAT(refused(true), HasSubstr("no \"default\"; name one"));
}

TEST_F(ChatTemplateDirectory, RefusesMalformedConfigurations) {
  for (const char* text :
       {"{", "[]", R"({"chat_template": 3})", R"({"chat_template": [{"name": "tool"}]})",
        R"({"chat_template": "{{"})"}) {
    SCOPED_TRACE(text);
    write("tokenizer_config.json", text);
    EXPECT_THROW(ChatTemplate::load(dir_), FormatError);
  }
}

TEST(RenderChat, GivesTheTemplateWhatTransformersDoes) {
  const auto shown = ChatTemplate::parse(
      "{{ messages | tojson }} {{ tools }} {{ documents }} {{ add_generation_prompt }} {{ "
      "eos_token }}");
  const Json messages = Json::parse(
      R"([{"role": "user", "content": null}, {"role": "assistant", "reasoning": "r", "content": "c"}])");
  EXPECT_EQ(
      render_chat(shown, messages, true, {{"eos_token", "</s>"}}),
      R"([{"role": "user"}, {"thinking": "r", "role": "assistant", "reasoning": "r", "content": "c", )"
      R"("reasoning_content": "r"}] None None True </s>)");
  EXPECT_EQ(
      render_chat(shown, Json::array(), false, nullptr, Json::parse(R"([{"type": "function"}])")),
      "[] [{'type': 'function'}] None False ");
  EXPECT_THROW(render_chat(shown, Json::object(), false, nullptr), FormatError);
  EXPECT_THROW(render_chat(shown, Json::array({1}), false, nullptr), FormatError);
}

}  // namespace
}  // namespace gladius::text

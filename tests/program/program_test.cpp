// The program from outside: exit codes, what goes to which stream, messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>

#include "gladius/models/model_directory.h"
#include "program/program_fixture.h"
#include "support/random_models.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Program;
using testing::ProgramResult;
using testing::read_file;
using ::testing::StartsWith;
using testing::write_file;

TEST_F(Program, EveryCommandHasHelpWithAnExample) {
  for (const std::string name : {"init", "inspect", "distill", "generate", "eval", "logits",
                                 "gradients", "tokenize", "convert", "report", "verify"}) {
    const ProgramResult result = run({name, "--help"});
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, HasSubstr("Example:\n  gladius " + name + " "));
    EXPECT_THAT(run({"--help"}).out, HasSubstr("\n  " + name + " "));
  }
}

TEST_F(Program, WrongUsageExitsWith2) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{},
        {"frobnicate"},
        {"logits"},
        {"inspect"},
        {"generate", "--model", model()},
        {"generate", "--model", model(), "--ids", "1", "--prompt", "x"},
        {"generate", "--model", model(), "--ids", "1", "--chat"},
        {"convert", "--model", model(), "--dtype", "int4", "--out", path("x")},
        {"inspect", model(), "--unknown"},
        {"inspect", model(), "--threads", "0"}}) {
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err, "");
  }
}

TEST_F(Program, AnUnknownCommandIsNamed) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"frobnicate"}, {"--threads", "1", "frobnicate", "x", "--json"}}) {
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.err,
              "gladius: error: there is no command \"frobnicate\"; gladius --help lists them\n");
  }
}

TEST_F(Program, AMistypedCommandOrOptionIsGuessed) {
  EXPECT_EQ(run({"genrate"}).err,
            "gladius: error: there is no command \"genrate\", did you mean generate?; gladius "
            "--help lists them\n");
  EXPECT_EQ(run({"generate", "--model", model(), "--promt=x"}).err,
            "gladius: error: gladius generate has no option --promt, did you mean --prompt?; "
            "gladius generate --help lists them\n");
  EXPECT_THAT(run({"inspect", "--jsn", model()}).err, HasSubstr("did you mean --json?"));
  EXPECT_THAT(run({"inspect", "--frobnicate", model()}).err,
              HasSubstr("has no option --frobnicate; "));
}

TEST_F(Program, VersionSaysWhatComputes) {
  const auto version = nlohmann::json::parse(run({"--version", "--json"}).out);
  for (const char* key : {"version", "commit", "compiler", "blas", "instruction_set"}) {
    EXPECT_NE(version.at(key).get<std::string>(), "") << key;
    EXPECT_THAT(run({"--version"}).out, HasSubstr(version.at(key).get<std::string>()));
  }
}

TEST_F(Program, FailuresAreOneLineAndExitCode1) {
  const std::string out = path("result");
  expect_failure({"logits", "--model", model(), "--ids", "1,40", "--out", out},
                 "--ids: id 40 is outside of the vocabulary, 0 to 39");
  expect_failure({"logits", "--model", model(), "--ids", "-1", "--out", out}, "id -1 is outside");
  expect_failure({"logits", "--model", model(), "--ids", "", "--out", out}, "is not a list");
  expect_failure({"logits", "--model", model(), "--ids", "1,x", "--out", out}, "is not a list");
  expect_failure({"logits", "--model", path("none"), "--ids", "1", "--out", out},
                 path("none/config.json"));
  expect_failure({"logits", "--model", model(), "--ids", "1", "--out", path("none/result")},
                 path("none/result"));
  expect_failure({"gradients", "--model", model(), "--ids", "1,2", "--labels", "1", "--out", out},
                 "--labels has 1 tokens and --ids has 2");
  expect_failure({"gradients", "--model", model(), "--ids", "1", "--labels", "-5", "--out", out},
                 "--labels: id -5");
  expect_failure({"inspect", path("none")}, "does not exist");
  expect_failure({"generate", "--model", model(), "--prompt", "x"}, "tokenizer.json");
  expect_failure({"generate", "--model", model(), "--ids", "1", "--top-p", "0"}, "top_p is 0");
  expect_failure({"convert", "--model", model(), "--dtype", "f16", "--out", model()},
                 "nothing is overwritten");
  expect_failure({"init", "--config", model() + "/config.json", "--out", model()},
                 "nothing is overwritten");
  expect_failure({"init", "--config", model(), "--out", path("new"), "--tokenizer", model()},
                 "has no tokenizer.json");
  EXPECT_FALSE(std::filesystem::exists(path("new")));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Program, InitIsReproducibleBySeed) {
  for (const auto& [out, seed] : {std::pair("a", "3"), {"b", "3"}, {"c", "4"}}) {
    const ProgramResult result =
        run({"init", "--config", model(), "--out", path(out), "--seed", seed, "--json"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["seed"], std::stoi(seed));
  }
  EXPECT_EQ(read_file(path("a/model.safetensors")), read_file(path("b/model.safetensors")));
  EXPECT_NE(read_file(path("a/model.safetensors")), read_file(path("c/model.safetensors")));
}

TEST_F(Program, LogitsAreTheModels) {
  const ProgramResult result =
      run({"logits", "--model", model(), "--ids", "1,7,39", "--out", path("result")});
  EXPECT_EQ(result.code, 0) << result.err;
  const Tensor logits = SafetensorsFile::open(path("result")).tensor("logits");
  EXPECT_EQ(logits.describe(), "F32 [3, 40]");
  const std::vector<std::int64_t> ids{1, 7, 39};
  EXPECT_EQ(logits.to_vector<float>(),
            load_model(model())->forward(Tensor::from(ids, {1, 3})).value().to_vector<float>());
}

TEST_F(Program, LogitsWithoutAFileAreTheLikeliestNextTokens) {
  const auto document = nlohmann::json::parse(
      run({"logits", model(), "--ids", "1,7,39", "--top", "3", "--json"}).out);
  EXPECT_EQ(document["tokens"], 3);
  ASSERT_EQ(document["top"].size(), 3u);
  const std::vector<std::int64_t> ids{1, 7, 39};
  const auto all =
      load_model(model())->forward(Tensor::from(ids, {1, 3})).value().to_vector<float>();
  const std::span<const float> last = std::span(all).last(40);
  double sum = 0;
  for (const float logit : last) sum += std::exp(double{logit});
  std::vector<float> sorted(last.begin(), last.end());
  std::ranges::sort(sorted, std::greater());
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& one = document["top"][i];
    EXPECT_EQ(last[one["id"].get<std::size_t>()], sorted[i]);
    EXPECT_NEAR(one["probability"].get<double>(), std::exp(double{sorted[i]}) / sum, 1e-6);
  }
  EXPECT_THAT(run({"logits", model(), "--ids", "1,7,39", "--top", "1"}).out,
              HasSubstr(document["top"][0]["id"].dump()));
}

TEST_F(Program, AModelIsNamedByItsPlaceOrItsOption) {
  write_file(path("data.jsonl"), "{\"input_ids\": [1, 2, 3]}\n");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"inspect"},
        {"logits", "--ids", "1,2"},
        {"generate", "--ids", "1,2", "--greedy", "--max-new-tokens", "3"},
        {"eval", "--data", path("data.jsonl")},
        {"gradients", "--ids", "1,2,3", "--labels", "2,3,-100"}}) {
    auto by_place = command, by_option = command;
    by_place.insert(by_place.begin() + 1, model());
    by_option.insert(by_option.begin() + 1, {"--model", model()});
    const ProgramResult result = run(by_place);
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, run(by_option).out);
  }
  // Without labels, what is to be predicted is the token that follows.
  EXPECT_EQ(run({"gradients", model(), "--ids", "1,2,3"}).out,
            run({"gradients", model(), "--ids", "1,2,3", "--labels", "2,3,-100"}).out);
}

TEST_F(Program, AResultDoesNotTakeThePlaceOfAnInput) {
  const std::string weights = path("model/model.safetensors"), before = read_file(weights);
  expect_failure({"logits", model(), "--ids", "1", "--out", weights}, "would overwrite");
  std::filesystem::create_hard_link(weights, path("hard"));
  expect_failure({"gradients", model(), "--ids", "1,2", "--out", path("hard")}, "would overwrite");
  expect_failure({"logits", model(), "--ids", "1", "--out", path("model/../model/config.json")},
                 "would overwrite");
  expect_failure({"align", "--teacher", model(), "--student", model(), "--html", weights},
                 "would overwrite");
  std::filesystem::create_directory(path("adapter"));
  const std::string adapter = path("adapter/adapter_model.safetensors");
  testing::write_file(adapter, "x");
  expect_failure({"logits", model(), "--ids", "1", "--adapter", path("adapter"), "--out", adapter},
                 "would overwrite");
  EXPECT_EQ(read_file(weights), before);
  for (int i = 0; i < 2; ++i) {  // an earlier result may be replaced
    EXPECT_EQ(run({"logits", model(), "--ids", "1", "--out", path("logits")}).code, 0);
  }
  expect_failure({"gradients", model(), "--ids", "1", "--labels", "2", "--teacher-logits",
                  path("logits"), "--out", path("logits")},
                 "would overwrite");
}

TEST_F(Program, TokensToEvaluateAreChosenInWords) {
  const ProgramResult result = run({"eval", model(), "--data", path("none"), "--loss-on", "user"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("\"all\" (every token counts)"),
                                HasSubstr("\"assistant\" (what the assistant says counts)")));
}

TEST_F(Program, SizesBeyondTheMemoryAreRefusedByName) {
  const nlohmann::ordered_json config{{"architectures", {"LlamaForCausalLM"}},
                                      {"vocab_size", 1000},
                                      {"hidden_size", 1024},
                                      {"intermediate_size", 1024},
                                      {"num_hidden_layers", 2},
                                      {"num_attention_heads", 4}};
  for (const auto& [key, value] :
       {std::pair("vocab_size", 1'000'000'000), std::pair("intermediate_size", 1'000'000'000),
        std::pair("hidden_size", 500'000'000), std::pair("num_hidden_layers", 6'000)}) {
    nlohmann::ordered_json large = config;
    large[key] = value;
    if (value == 6'000) large["hidden_size"] = 1 << 16;
    write_file(path("large.json"), large.dump());
    EXPECT_THAT(expect_failure({"init", "--config", path("large.json"), "--out", path("large")},
                               fmt::format("{} {}", key, value)),
                HasSubstr(path("large.json") + ": "));
    EXPECT_FALSE(std::filesystem::exists(path("large")));
  }
}

TEST_F(Program, GradientsComeForEveryParameterWithTeachersOfAnyWidth) {
  for (const std::int64_t width : {30, 40, 50}) {
    write_safetensors(path("teacher"), {{"logits", Tensor::zeros({2, width})}});
    const ProgramResult result =
        run({"gradients", "--model", model(), "--ids", "1,2", "--labels", "-100,3",
             "--teacher-logits", path("teacher"), "--out", path("result"), "--json"});
    ASSERT_EQ(result.code, 0) << result.err;
    const auto report = nlohmann::json::parse(result.out);
    EXPECT_NEAR(report["loss"].get<double>(),
                0.5 * report["kl"].get<double>() + 0.5 * report["ce"].get<double>(), 1e-5);
    const auto file = SafetensorsFile::open(path("result"));
    EXPECT_FLOAT_EQ(static_cast<float>(file.tensor("loss").item()), report["loss"].get<float>());
    const auto parameters = load_model(model())->named_parameters();
    EXPECT_EQ(file.entries().size(), parameters.size() + 1);
    EXPECT_EQ(report["gradients"].size(), parameters.size());
    for (const auto& [name, parameter] : parameters)
      EXPECT_EQ(file.tensor(name).shape(), parameter.shape()) << name;
  }
  write_safetensors(path("teacher"), {{"logits", Tensor::zeros({3, 40})}});
  expect_failure({"gradients", "--model", model(), "--ids", "1,2", "--labels", "2,3",
                  "--teacher-logits", path("teacher"), "--out", path("result")},
                 "logits are F32 [3, 40]; floating-point [2, vocabulary] is expected");
}

TEST_F(Program, GeneratesTheSameIdsAsTextOrJson) {
  const std::vector<std::string> arguments{"generate",         "--model", model(),  "--ids", "5,6",
                                           "--max-new-tokens", "6",       "--seed", "9"};
  const ProgramResult plain = run(arguments);
  auto with_json = arguments;
  with_json.push_back("--json");
  const ProgramResult json = run(with_json);
  ASSERT_EQ(plain.code, 0) << plain.err;
  ASSERT_EQ(json.code, 0) << json.err;
  const auto report = nlohmann::json::parse(json.out);
  std::string ids;
  for (const auto& id : report["ids"]) {
    if (!ids.empty()) ids += ',';
    ids += id.dump();
  }
  EXPECT_EQ(plain.out, ids + "\n");
  EXPECT_GT(report["peak_memory_bytes"], 0);
  EXPECT_TRUE(report.contains("tokens_per_second"));
}

TEST_F(Program, ConvertsAndInspects) {
  const ProgramResult converted = run({"convert", "--model", model(), "--dtype", "bf16", "--out",
                                       path("half"), "--max-shard-size", "2KB"});
  EXPECT_EQ(converted.code, 0) << converted.err;
  const ProgramResult result = run({"inspect", path("half"), "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto report = nlohmann::json::parse(result.out);
  const auto model = load_model(path("half"));
  EXPECT_EQ(report["parameters"], model->num_parameters());
  EXPECT_EQ(report["components"]["total"], model->num_parameters());
  EXPECT_EQ(report["components"]["embedding"], 40 * 16);
  EXPECT_EQ(report["components"]["lm_head"], 40 * 16);
  EXPECT_EQ(report["components"]["final_norm"], 16);
  EXPECT_EQ(report["components"]["num_layers"], 2);
  EXPECT_EQ(report["components"]["layers"], 2 * report["components"]["per_layer"].get<int>());
  EXPECT_EQ(report["memory"]["weights_bytes"], 2 * model->num_parameters());
  EXPECT_GT(report["files"].size(), 1u);
  EXPECT_EQ(report["tensors"].size(), model->named_parameters().size());
  for (const auto& tensor : report["tensors"]) EXPECT_EQ(tensor["dtype"], "BF16");
  const ProgramResult text = run({"inspect", path("half")});
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("LlamaForCausalLM"), HasSubstr("SHA-256"), HasSubstr("2 layers")));
  const ProgramResult file = run({"inspect", path("model/model.safetensors"), "--json"});
  EXPECT_EQ(nlohmann::json::parse(file.out)["parameters"], model->num_parameters());
}

TEST_F(Program, TokenizesBothWays) {
  const std::string tokenizer = std::string(GLADIUS_SOURCE_DIR) + "/configs/default/tokenizer";
  const ProgramResult ids = run({"tokenize", "--tokenizer", tokenizer, "--text", "Hello there"});
  ASSERT_EQ(ids.code, 0) << ids.err;
  std::string list = ids.out;
  list.pop_back();
  EXPECT_THAT(list, StartsWith("1,"));
  EXPECT_EQ(run({"tokenize", "--tokenizer", tokenizer, "--decode", list, "--no-special"}).out,
            "Hello there\n");
  const ProgramResult empty = run({"tokenize", "--tokenizer", tokenizer, "--text=", "--json"});
  ASSERT_EQ(empty.code, 0) << empty.err;
  EXPECT_EQ(nlohmann::json::parse(empty.out)["tokens"], nlohmann::json({"<s>"}));
  write_file(path("text"), "Hello there");
  const ProgramResult json =
      run({"tokenize", "--tokenizer", tokenizer, "--file", path("text"), "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["ids"].size(),
            static_cast<std::size_t>(std::ranges::count(list, ',') + 1));
  expect_failure({"tokenize", "--tokenizer", tokenizer, "--decode", "1,-3"}, "id -3");
  const auto beyond = run({"tokenize", "--tokenizer", tokenizer, "--decode",
                           list + ",999999,4294967295", "--no-special"});
  EXPECT_EQ(beyond.out,
            run({"tokenize", "--tokenizer", tokenizer, "--decode", list, "--no-special"}).out);
  EXPECT_THAT(beyond.err, AllOf(StartsWith("gladius: warning: --decode: 2 of "),
                                HasSubstr("the first is 999999")));
  expect_failure({"tokenize", "--tokenizer", tokenizer, "--file", path("none")}, "No such file");
  expect_failure({"tokenize", "--tokenizer", path("none"), "--text", "x"}, path("none"));
}

}  // namespace
}  // namespace gladius

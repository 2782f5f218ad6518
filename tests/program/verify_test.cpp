#include "gladius/tensor/base/sha256.h"
#include "program/program_fixture.h"
#include "train/tiny_models.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Program;
using testing::ProgramResult;
using testing::save_small_chat_model;
using testing::write_file;

class VerifyCommand : public Program {
 protected:
  VerifyCommand() { save_small_chat_model(chat_); }
  std::filesystem::path chat_ = directory_ / "chat";
};

TEST_F(VerifyCommand, PrintsATable) {
  const ProgramResult result = run({"verify", chat_});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(std::ranges::count(result.out, '\n'), 11) << result.out;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("check               result   detail\n"),
                    HasSubstr("\ntensors             ok       21 tensors, all of the "
                              "configuration's shapes\n"),
                    HasSubstr(sha256_file(chat_ / "model.safetensors")),
                    HasSubstr("\ncard                warning  there is no README.md\n")));
}

TEST_F(VerifyCommand, ExitsWith1IfACheckFails) {
  write_file(chat_ / "chat_template.jinja", "{{ raise_exception('no\nsense') }}");
  const ProgramResult result = run({"verify", chat_});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr("\nchat template       failed   "));
  EXPECT_EQ(std::ranges::count(result.out, '\n'), 11) << result.out;
  EXPECT_EQ(result.err, "gladius: error: " + chat_.string() +
                            " is not fit to be published; what failed: chat template\n");
  const ProgramResult as_json = run({"verify", "--json", chat_});
  EXPECT_EQ(as_json.code, 1);
  const auto document = nlohmann::json::parse(as_json.out);
  EXPECT_EQ(document["fit"], false);
  EXPECT_EQ(document["checks"].size(), 10u);
  EXPECT_EQ(document["checks"][6]["check"], "chat template");
  EXPECT_EQ(document["checks"][6]["result"], "failed");
}

TEST_F(VerifyCommand, ReadsAGgufFile) {
  ASSERT_EQ(
      run({"convert", "--model", chat_, "--to", "gguf", "--dtype", "f16", "--out", path("x.gguf")})
          .code,
      0);
  const ProgramResult result = run({"verify", path("x.gguf"), "--json"});
  EXPECT_EQ(result.code, 0) << result.out;
  EXPECT_EQ(nlohmann::json::parse(result.out)["fit"], true);
}

TEST_F(VerifyCommand, OfARunTakesItsModelAndNoCheckpoint) {
  const testing::TinyRun tiny;
  write_file(tiny.directory / "run.json", tiny.run_file().dump());
  const std::string out = path("run");
  ASSERT_EQ(run({"distill", tiny.directory / "run.json", "--out", out}).code, 0);
  const ProgramResult result = run({"verify", out, "--json"});
  EXPECT_EQ(result.code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("the run wrote these files"));
  expect_failure({"verify", out + "/checkpoints/step-00000012"}, "is a checkpoint");
  expect_failure({"verify", path("gone")}, "gone does not exist");
}

}  // namespace
}  // namespace gladius

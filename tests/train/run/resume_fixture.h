// An interrupted run, and the same undisturbed.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "gladius/tensor/base/sha256.h"
#include "gladius/train/run/checkpoint.h"
#include "support/message_of.h"
#include "train/run/run_events.h"
#include "train/tiny_runs.h"

namespace gladius::train {

inline void patch_json(const std::filesystem::path& file,
                       const std::function<void(testing::Json&)>& change) {
  testing::Json json = testing::Json::parse(testing::read_file(file));
  change(json);
  testing::write_file(file, json.dump(2));
}

// Makes the manifest one of the files that are there.
inline void sign(const std::filesystem::path& checkpoint) {
  patch_json(checkpoint / "manifest.json", [&](testing::Json& manifest) {
    for (const auto& [name, description] : manifest["files"].items()) {
      description = {{"bytes", std::filesystem::file_size(checkpoint / name)},
                     {"sha256", sha256_file(checkpoint / name)}};
    }
  });
}

// A run of 13 steps on two experts in groups of 3, that stopped at step 10 with another checkpoint
// at step 8; and the same undisturbed.
class Resume : public ::testing::Test {
 protected:
  Resume() {
    testing::execute(config(), whole_);
    testing::execute(config(), out_, false, 10);
  }
  RunConfig config() const { return run_.config(file_); }
  std::filesystem::path checkpoint(int step) const {
    return out_ / "checkpoints" / testing::checkpoint_name(step);
  }
  // The run goes on to the undisturbed one's weights; the warnings are in warnings_.
  void expect_goes_on() {
    warnings_.clear();
    EXPECT_TRUE(testing::execute(config(), out_, true, -1, &warnings_).complete);
    EXPECT_EQ(testing::weights(out_), testing::weights(whole_));
    EXPECT_EQ(testing::events_differ({out_}), "");
    EXPECT_LE(list_checkpoints(out_ / "checkpoints").size(), 2u);
  }
  // An error that says `what`, and nothing changed.
  void expect_refused(const std::string& what) {
    const auto before = testing::contents(out_);
    EXPECT_THAT(testing::message_of<Error>([&] { testing::execute(config(), out_, true); }),
                ::testing::HasSubstr(what));
    EXPECT_EQ(testing::contents(out_), before) << what;
  }

  // The newest checkpoint, changed like this and with sums that fit, is set aside for `key`; the
  // run goes on from the one before, where it is stopped.
  void expect_not_used(const std::string& key, const testing::Json& value,
                       const std::function<void(testing::Json&)>& change) {
    SCOPED_TRACE(key + " " + value.dump());
    if (!std::filesystem::exists(untouched_))
      std::filesystem::copy(out_, untouched_, std::filesystem::copy_options::recursive);
    std::filesystem::remove_all(out_);
    std::filesystem::copy(untouched_, out_, std::filesystem::copy_options::recursive);
    patch_json(checkpoint(10) / "state.json", change);
    sign(checkpoint(10));
    warnings_.clear();
    EXPECT_EQ(testing::execute(config(), out_, true, 8, &warnings_).steps, 8);
    EXPECT_THAT(warnings_, ::testing::Contains(
                               ::testing::AllOf(::testing::HasSubstr("step-00000010 is damaged"),
                                                ::testing::HasSubstr("resuming from step 8"))));
    EXPECT_THAT(warnings_, ::testing::Contains(::testing::HasSubstr("\"" + key)));
  }

  testing::TinyRun run_;
  const std::filesystem::path untouched_ = run_.directory / "untouched";
  testing::Json file_ = run_.distillation_file();
  std::filesystem::path whole_ = run_.directory / "whole", out_ = run_.directory / "out";
  std::vector<std::string> warnings_;
};

}  // namespace gladius::train

#include "faults/edited_records.h"

#include <nlohmann/json.hpp>

#include "faults/experiment.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/run_directory.h"

namespace gladius::faults {
namespace {

namespace fs = std::filesystem;
using testing::Json;
using testing::read_file;
using testing::write_file;

class EditedRecords {
 public:
  EditedRecords(Tally& tally, testing::Rng& rng, bool is_short)
      : tally_(tally), rng_(rng), short_(is_short), experiment_(kSteps, kEvery) {
    experiment_.run(prepared_, preload({{"TEXT", "checkpoint at step 8,"}, {"KIND", "kill"}}));
  }

  void run() {
    for (int i = 0; i < (short_ ? 6 : 100); ++i) {
      edit_metrics();
      edit_state();
    }
    lose_metrics();
    lose_checkpoints();
    lose_what_is_beside();
    break_bests();
    break_models();
  }

 private:
  std::size_t random(std::size_t below) {
    return static_cast<std::size_t>(
        testing::random_int(rng_, 0, static_cast<std::int64_t>(below) - 1));
  }
  // A run that was killed when it had two checkpoints.
  fs::path copy() const {
    const fs::path out = experiment_.fresh();
    fs::copy(prepared_, out, fs::copy_options::recursive);
    return out;
  }
  void expect(const std::string& kind, const std::string& fault, const fs::path& out,
              const std::string& said, Experiment::Same same = Experiment::Same::weights) {
    std::string wrong = experiment_.recover(out, same);
    const std::string err = read_file(experiment_.err());
    if (wrong.empty() && err.find(said) == std::string::npos) wrong = "is not told: " + err;
    tally_.add(kind, fault, wrong);
  }

  // Within the lines that the checkpoint covers.
  void edit_metrics() {
    const fs::path out = copy(), file = train::RunPaths{out}.metrics();
    std::string text = read_file(file);
    const std::size_t at = random(text.size() / 2);
    text[at] = static_cast<char>(text[at] ^ (1 << random(5)));
    write_file(file, text);
    expect("metrics.jsonl edited: resumes, and says so", fmt::format("at {}", at), out,
           "metrics.jsonl");
  }

  // Values that `key` cannot have.
  static std::vector<Json> wrong_values(const std::string& key) {
    std::vector<Json> values{nullptr, "8", Json::array()};
    const bool is_sum = key == "loss_sum" || key == "first_loss";
    if (!is_sum) values.push_back(-1);
    const bool is_real = key == "grad_norm" || key == "elapsed_s" || key == "cross_entropy";
    if (is_sum || is_real) return values;
    values.insert(values.end(), {1e300, 9223372036854775807, 9223372036854775808ULL});
    return values;
  }

  void edit_state() {
    const fs::path out = copy(),
                   checkpoint = *train::newest_checkpoint(train::RunPaths{out}.checkpoints());
    Json state = Json::parse(read_file(checkpoint / "state.json"));
    Json& part = random(4) == 0 ? state["best"] : state["state"];
    auto value = part.begin();
    std::advance(value, random(part.size()));
    const std::vector<Json> wrong = wrong_values(value.key());
    *value = wrong[random(wrong.size())];
    write_file(checkpoint / "state.json", state.dump());
    Json manifest = Json::parse(read_file(checkpoint / "manifest.json"));
    manifest["files"]["state.json"] = {{"bytes", fs::file_size(checkpoint / "state.json")},
                                       {"sha256", sha256_file(checkpoint / "state.json")}};
    write_file(checkpoint / "manifest.json", manifest.dump());
    expect("a value of state.json, its sum right: the one before is used",
           value.key() + " " + value->dump(), out, "step-00000008 is damaged",
           Experiment::Same::everything);
  }

  void lose_metrics() {
    fs::path out = copy();
    fs::remove(train::RunPaths{out}.metrics());
    expect("metrics.jsonl lost: resumes, and says so", "", out, "lacks the lines of 8 of the 8");
    for (int i = 0; i < (short_ ? 3 : 50); ++i) {
      out = copy();
      const fs::path file = train::RunPaths{out}.metrics();
      const std::size_t size = random(
          Json::parse(read_file(*train::newest_checkpoint(train::RunPaths{out}.checkpoints()) /
                                "state.json"))["metrics_offset"]);
      fs::resize_file(file, size);
      expect("metrics.jsonl cut: resumes, and says so", fmt::format("to {}", size), out,
             "lacks the lines of");
    }
  }

  void lose_checkpoints() {
    const fs::path out = copy();
    fs::rename(train::RunPaths{out}.checkpoints(), out / "aside");
    const std::string before = read_file(out / "lock") + read_file(train::RunPaths{out}.metrics());
    const Ending ending = experiment_.run(out);
    const bool fine = ending.code == 1 &&
                      ending.err.find("has no checkpoint of the run") != std::string::npos &&
                      before == read_file(out / "lock") + read_file(train::RunPaths{out}.metrics());
    tally_.add("all checkpoints lost: refused", "", fine ? "" : "not so: " + ending.err);
  }

  void lose_what_is_beside() {
    for (const char* name :
         {"inputs.json", "environment.json", "student_config.json", "timeline.jsonl", "data.json",
          "expert_evaluations.json", "events.out.tfevents.gladius", "lock"}) {
      for (const char* text : {"", "[1", "{}"}) {
        const fs::path out = copy();
        fs::remove(out / name);
        if (*text != '\0') write_file(out / name, text);
        expect("a file beside the checkpoints lost: resumes", name, out, "",
               Experiment::Same::everything);
      }
    }
  }

  // Removes a directory ("") or cuts one of its files.
  static void harm(const fs::path& directory, const std::string& name) {
    if (name.empty()) {
      fs::remove_all(directory);
      fs::create_directory(directory);
    } else {
      fs::resize_file(directory / name, fs::file_size(directory / name) / 2);
    }
  }

  void break_bests() {
    for (const char* name : {"", "config.json", "evaluation.json", "model.safetensors"}) {
      const fs::path out = copy();
      harm(train::RunPaths{out}.best(), name);
      expect("best/ not whole: resumes, and says so", name, out, "is not the best student so far",
             Experiment::Same::metrics);
    }
  }

  void break_models() {
    const fs::path whole = copy();
    experiment_.run(whole);
    for (const char* name : {"", "config.json", "model.safetensors"}) {
      const fs::path out = experiment_.fresh();
      fs::copy(whole, out, fs::copy_options::recursive);
      harm(train::RunPaths{out}.model(), name);
      expect("model/ not whole: made again", name, out, "model is not whole",
             Experiment::Same::everything);
    }
  }

  Tally& tally_;
  testing::Rng& rng_;
  bool short_;
  Experiment experiment_;
  fs::path prepared_ = experiment_.fresh();
};

}  // namespace

void edit_records(Tally& tally, testing::Rng& rng, bool is_short) {
  EditedRecords(tally, rng, is_short).run();
}

}  // namespace gladius::faults

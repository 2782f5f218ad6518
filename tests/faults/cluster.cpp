// Injects faults into runs on several ranks of this machine, which talk by TCP: all ranks must end
// within 10 s, one line must name the rank, the cause and how to resume, and the run must resume to
// the weights of one that was not disturbed.
//
//   cluster_faults [--short] [--seed N]     --short: a sample
//
// Files go to TMPDIR. Exit code 1 if a run did not survive.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "faults/command_line.h"
#include "faults/process.h"
#include "faults/tally.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/train/run/run_directory.h"
#include "support/random.h"
#include "train/tiny_models.h"

namespace gladius::faults {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::Json;
using testing::read_file;
using testing::write_file;
using Words = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

constexpr double kMostSeconds = 10;  // until all ranks have ended
constexpr int kVocabulary = testing::TinyRun::kVocabulary;

// Of one rank: other words than all have.
using OfRank = std::map<int, Words>;

class Cluster {
 public:
  /// `local_updates`: the run file's key.
  explicit Cluster(std::int64_t local_updates = 0) {
    Json run = inputs_.distillation_file();
    for (Json& expert : run["experts"]) expert["steps"] = 1202;
    run["gradient_accumulation"] = 4;
    run["checkpoint_every"] = 100;
    run["teacher_cache"]["max_gb"] = 1;
    run["cluster"]["local_updates"] = local_updates;
    write_file(input("run.json"), run.dump());
    for (const int ranks : {2, 3}) {
      const fs::path out = fresh();
      const auto start = std::chrono::steady_clock::now();
      const Ending ending = run_all(out, ranks);
      seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (ending.code != 0) throw std::runtime_error("the undisturbed run failed: " + ending.err);
      expected_[ranks] = weights(out);
      fs::remove_all(out);
    }
  }

  fs::path input(const char* name) const { return inputs_.directory / name; }
  fs::path fresh() const { return inputs_.directory / fmt::format("out{}", count_++); }
  /// Of an undisturbed run.
  double seconds() const { return seconds_; }

  Words command(const fs::path& out, int ranks, const OfRank& of_rank = {},
                const std::string& program = GLADIUS_PROGRAM, int other = -1) const {
    Words words{GLADIUS_MPIRUN,
                "--allow-run-as-root",
                "--oversubscribe",
                "--bind-to",
                "none",
                "--mca",
                "btl",
                "self,tcp",
                "--mca",
                "btl_tcp_if_include",
                "lo"};
    for (int rank = 0; rank < ranks; ++rank) {
      if (rank > 0) words.emplace_back(":");
      for (const std::string& word :
           Words{"-n", "1", rank == other ? program : GLADIUS_PROGRAM, "distill",
                 input("run.json").string(), "--out", out.string(), "--threads", "1", "--log-level",
                 "warning"}) {
        words.push_back(word);
      }
      if (fs::exists(train::RunPaths{out}.run_json())) words.emplace_back("--resume");
      const auto more = of_rank.find(rank);
      if (more != of_rank.end())
        words.insert(words.end(), more->second.begin(), more->second.end());
    }
    return words;
  }
  Ending run_all(const fs::path& out, int ranks) const {
    return Process::of_command(command(out, ranks), err()).wait();
  }
  fs::path err() const { return inputs_.directory / "err"; }

  /// Goes on to the end; empty if that gives the undisturbed run's weights (with as many ranks).
  std::string recover(const fs::path& out, int ranks, int ranks_before) const {
    const Ending ending = run_all(out, ranks);
    if (ending.code != 0) return fmt::format("does not go on: {}", ending.err);
    if (ranks == ranks_before && weights(out) != expected_.at(ranks)) return "other weights";
    fs::remove_all(out);
    return "";
  }

 private:
  static std::string weights(const fs::path& out) {
    return sha256_file(train::RunPaths{out}.model() / "model.safetensors");
  }

  testing::TinyRun inputs_;
  std::map<int, std::string> expected_;
  double seconds_ = 0;
  mutable int count_ = 0;
};

// The ranks that mpirun has started, by their numbers.
std::map<int, pid_t> ranks_of(pid_t launcher) {
  std::map<int, pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stat(entry.path() / "stat");
    std::string pid, program, state;
    pid_t parent = 0;
    stat >> pid >> program >> state >> parent;
    if (parent != launcher) continue;
    const std::string environment = read_file(entry.path() / "environ");
    constexpr std::string_view kKey = "OMPI_COMM_WORLD_RANK=";
    const std::size_t at = environment.find(kKey);
    if (at == std::string::npos) continue;
    found[std::atoi(environment.c_str() + at + kKey.size())] = static_cast<pid_t>(std::stol(name));
  }
  return found;
}

bool is_alive(pid_t pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string number, program, state;
  return static_cast<bool>(stat >> number >> program >> state) && state != "Z";
}

class ClusterFaults {
 public:
  ClusterFaults(bool is_short, unsigned seed) : short_(is_short), rng_(seed) {}

  bool run() {
    kill_ranks(cluster_, "kill -9 of a rank at a random time", some(3, 24));
    const Cluster local(5);
    kill_ranks(local, "kill -9 of a rank with cluster.local_updates", some(1, 8));
    kill_at_the_expert_change();
    kill_at_a_checkpoint();
    send_signals();
    fill_the_disk();
    differ();
    meet_a_loss_that_is_not_finite();
    return tally_.print();
  }

 private:
  std::int64_t random(std::int64_t low, std::int64_t high) {
    return testing::random_int(rng_, low, high);
  }
  int some(int few, int many) const { return short_ ? few : many; }

  struct Run {
    explicit Run(const Cluster& its_cluster, int ranks, const Environment& environment = {})
        : cluster(its_cluster),
          fails_later(!environment.empty()),
          out(cluster.fresh()),
          process(Process::of_command(cluster.command(out, ranks), cluster.err(), environment)) {}
    const Cluster& cluster;
    bool fails_later;  // by itself, in the middle
    fs::path out;
    Process process;
    std::map<int, pid_t> ranks;
  };

  // Waits until the run has begun, and then for `time`; false: it is too fast.
  bool wait_for(Run& run, std::size_t count, milliseconds time) {
    for (int i = 0; i < 2000 && !fs::exists(run.out / "timeline.jsonl"); ++i) {
      if (!run.process.runs_after(milliseconds(5))) return false;
    }
    run.ranks = ranks_of(run.process.pid());
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < time) {
      if (run.process.runs_after(milliseconds(1))) continue;
      pace_ *= 0.8;  // faster than the undisturbed run was, beside other work
      return false;
    }
    return run.process.runs_after(milliseconds(0)) && run.ranks.size() == count;
  }

  // What is wrong with how the run ended, and how it goes on.
  // False: the run was faster than the fault, which is to be tried again.
  bool judge(const std::string& kind, Run& run, int count, const std::string& named,
             const std::string& cause) {
    const auto wrong = wrong_with(run, count, named, cause);
    if (wrong) tally_.add(kind, fmt::format("{} of {} ranks", named, count), *wrong);
    return wrong.has_value();
  }

  std::optional<std::string> wrong_with(Run& run, int count, const std::string& named,
                                        const std::string& cause) {
    const auto alive = [&] {
      return std::ranges::count_if(run.ranks,
                                   [](const auto& rank) { return is_alive(rank.second); });
    };
    const auto any_alive = [&] { return alive() > 0; };
    if (run.fails_later) {
      while (alive() == std::ssize(run.ranks) && run.process.runs_after(milliseconds(10))) {
      }
    }
    const auto start = std::chrono::steady_clock::now();
    const Ending ending = run.process.wait();
    const auto passed = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    while (any_alive() && passed() < kMostSeconds) std::this_thread::sleep_for(milliseconds(10));
    if (passed() >= kMostSeconds) return fmt::format("not ended after {:.1f} s", passed());
    // (mpirun lets its ranks run for a second before it stops them.)
    if (fs::exists(train::RunPaths{run.out}.model())) return {};
    if (ending.code == 0) return "mpirun's exit code is 0";
    if (const std::string wrong = check_lines(ending.err, named, cause); !wrong.empty()) {
      return wrong;
    }
    const int other = random(0, 2) > 0 ? count : 5 - count;
    return run.cluster.recover(run.out, other, count);
  }

  // One line says it all.
  static std::string check_lines(const std::string& err, const std::string& named,
                                 const std::string& cause) {
    std::istringstream lines(err);
    int errors = 0;
    bool found = false;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("gladius: ")) continue;
      errors += line.starts_with("gladius: error: ") ? 1 : 0;
      found = found ||
              (line.find(named) != std::string::npos && line.find(cause) != std::string::npos &&
               line.find("to resume: mpirun") != std::string::npos);
    }
    if (errors > 1 || !found) {
      return fmt::format("{} errors, none names {} and {}: {}", errors, named, cause, err);
    }
    return "";
  }

  milliseconds random_time() {
    return milliseconds(random(0, static_cast<std::int64_t>(cluster_.seconds() * pace_ * 500)));
  }

  void kill_ranks(const Cluster& cluster, const std::string& kind, int times) {
    for (int i = 0; i < times;) {
      const int count = i % 2 == 0 ? 2 : 3, victim = i / 2 % count;
      Run run(cluster, count);
      if (!wait_for(run, static_cast<std::size_t>(count), random_time())) continue;
      ::kill(run.ranks.at(victim), SIGKILL);
      i += judge(kind, run, count, fmt::format("rank {} on ", victim), "without a word") ? 1 : 0;
    }
  }

  void kill_at_the_expert_change() {
    for (int i = 0; i < some(1, 6);) {
      const int count = i % 2 == 0 ? 2 : 3, victim = i % count;
      Run run(cluster_, count);
      const fs::path timeline = run.out / "timeline.jsonl";
      if (!wait_for(run, static_cast<std::size_t>(count), milliseconds(0))) continue;
      bool runs = true;
      while (runs && read_file(timeline).find("two begins") == std::string::npos) {
        runs = run.process.runs_after(std::chrono::microseconds(500));
      }
      if (!runs) continue;
      ::kill(run.ranks.at(victim), SIGKILL);
      i += judge("kill -9 of a rank when the expert changes", run, count,
                 fmt::format("rank {} on ", victim), "without a word")
               ? 1
               : 0;
    }
  }

  static Environment preload(const std::string& kind, const std::string& text) {
    return {{"LD_PRELOAD", GLADIUS_FAILING_CALLS},
            {"GLADIUS_FAULT_KIND", kind},
            {"GLADIUS_FAULT_TEXT", text}};
  }

  // Rank 0 alone writes what has these texts in it.
  void kill_at_a_checkpoint() {
    for (int i = 0; i < some(1, 6); ++i) {
      const int count = i % 2 == 0 ? 2 : 3;
      const std::string text = testing::one_of<std::string>(
          rng_, {"\"optimizer.safetensors\"", "\"data_position\"", "checkpoint at step 8"});
      Run run(cluster_, count, preload("kill", text));
      if (!wait_for(run, static_cast<std::size_t>(count), milliseconds(0))) continue;
      judge("kill -9 of rank 0 while it writes a checkpoint", run, count, "rank 0 on ",
            "without a word");
    }
  }

  void fill_the_disk() {
    for (int i = 0; i < some(1, 8); ++i) {
      const int count = i % 2 == 0 ? 2 : 3;
      const std::string text = i % 4 < 2 ? fmt::format("\"step\":{},", random(5, 2400))
                                         : std::string("\"data_position\"");
      Run run(cluster_, count, preload("full", text));
      if (!wait_for(run, static_cast<std::size_t>(count), milliseconds(0))) continue;
      judge("the disk of rank 0 is full", run, count, "rank 0 on ", "No space left");
    }
  }

  void send_signals() {
    for (int i = 0; i < some(2, 12);) {
      const int count = i % 2 == 0 ? 2 : 3, who = i / 2 % (count + 1) - 1;
      Run run(cluster_, count);
      if (!wait_for(run, static_cast<std::size_t>(count), random_time() / 2)) continue;
      ::kill(who < 0 ? run.process.pid() : run.ranks.at(who), SIGTERM);
      i += judge(who < 0 ? "SIGTERM to mpirun" : "SIGTERM to a rank", run, count,
                 who < 0 ? "rank " : fmt::format("rank {} was asked", who), "SIGTERM")
               ? 1
               : 0;
    }
  }

  // At the start.
  void differ() {
    write_file(cluster_.input("other.jsonl"), read_file(cluster_.input("data.jsonl")) + "\n");
    const fs::path program = cluster_.input("gladius");
    fs::copy_file(GLADIUS_PROGRAM, program);
    std::ofstream(program, std::ios::app | std::ios::binary) << '\0';
    for (int i = 0; i < some(2, 6); ++i) {
      const int count = i % 3 == 0 ? 2 : 3, who = static_cast<int>(random(1, count - 1));
      const fs::path out = cluster_.fresh();
      const bool data = i % 2 == 0;
      const OfRank other{{who, {"--set", "data.train=" + cluster_.input("other.jsonl").string()}}};
      const Words command = data ? cluster_.command(out, count, other)
                                 : cluster_.command(out, count, {}, program.string(), who);
      const Ending ending = Process::of_command(command, cluster_.err()).wait();
      const std::string what = data ? "another file for data.train" : "runs another program";
      const bool named = ending.err.find(fmt::format("rank {} on ", who)) != std::string::npos &&
                         ending.err.find(what) != std::string::npos;
      std::string wrong;
      if (ending.code == 0 || !named) wrong = ending.err;
      if (fs::exists(out)) wrong = "the run has begun";
      tally_.add("a rank with other data or another program: refused", what, wrong);
    }
  }

  // A token whose embedding is not a number is in one micro-batch of the group alone.
  void meet_a_loss_that_is_not_finite() {
    const auto model = testing::tiny_model(testing::tiny_config(kVocabulary), 5);
    for (const auto& [name, parameter] : model->named_parameters()) {
      if (name != "model.embed_tokens.weight") continue;
      Tensor row = parameter.value().narrow(0, kVocabulary - 1, 1);
      row.fill_(std::nan(""));
    }
    save_model(cluster_.input("init"), *model);
    for (int i = 0; i < some(1, 4); ++i) {
      const int count = i % 2 == 0 ? 2 : 3, who = static_cast<int>(random(0, count - 1));
      std::string lines;
      for (int line = 0; line < 4; ++line) {  // a group
        lines +=
            fmt::format("{{\"input_ids\": [1, 2, {}, 3]}}\n", line == who ? kVocabulary - 1 : 4);
      }
      write_file(cluster_.input("nan.jsonl"), lines);
      const fs::path out = cluster_.fresh();
      const Words settings{"--set", "student.config=null",
                           "--set", "student.init=" + cluster_.input("init").string(),
                           "--set", "data.train=" + cluster_.input("nan.jsonl").string(),
                           "--set", "data.shuffle=false",
                           "--set", "max_nonfinite_steps=2"};
      OfRank all;
      for (int rank = 0; rank < count; ++rank) all[rank] = settings;
      const Ending ending =
          Process::of_command(cluster_.command(out, count, all), cluster_.err()).wait();
      const bool named = ending.err.find(fmt::format("on rank {}", who)) != std::string::npos &&
                         ending.err.find("updates in a row were skipped") != std::string::npos;
      tally_.add("a loss that is not finite on one rank: given up", fmt::format("rank {}", who),
                 ending.code != 0 && named ? "" : ending.err);
    }
  }

  bool short_;
  double pace_ = 1;
  testing::Rng rng_;
  Tally tally_;
  Cluster cluster_;
};

}  // namespace
}  // namespace gladius::faults

int main(int argc, char** argv) {
  return gladius::faults::run_program<gladius::faults::ClusterFaults>("cluster_faults", argc, argv);
}

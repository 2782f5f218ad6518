// Injects faults into runs of the program, and counts those after which the run goes on to the same
// weights, to the bit, and the same metrics.
//
//   faults [--short] [--seed N]     --short: a sample that takes some seconds
//
// Files go to TMPDIR. Exit code 1 if a run did not survive.
#include <fmt/format.h>
#include <signal.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <string>

#include "faults/command_line.h"
#include "faults/edited_records.h"
#include "faults/experiment.h"
#include "faults/tally.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_directory.h"

namespace gladius::faults {
namespace {

namespace fs = std::filesystem;
using std::chrono::microseconds;
using testing::read_file;
using testing::write_file;

constexpr std::int64_t kKillSteps = 20;  // of each expert, in the runs that are killed

class Faults {
 public:
  Faults(bool is_short, unsigned seed) : short_(is_short), rng_(seed) {}

  bool run() {
    kill_at_random_times();
    kill_at_the_expert_change();
    kill_at_calls();
    disturb_calls("full", "disk full from a call on");
    disturb_calls("error", "I/O error of a call");
    damage_checkpoints();
    edit_records(tally_, rng_, short_);
    change_inputs();
    signal_at_calls();
    send_signals();
    ignore_a_signal();
    run_two_at_once();
    let_the_clock_jump();
    return tally_.print();
  }

 private:
  std::int64_t random(std::int64_t low, std::int64_t high) {
    return testing::random_int(rng_, low, high);
  }
  int some(int few, int many) const { return short_ ? few : many; }

  // kill -9 ------------------------------------------------------------------------------------

  static std::string phase_of(const fs::path& out) {
    const train::RunPaths paths{out};
    if (!fs::exists(paths.run_json())) return "before the first step";
    if (fs::exists(paths.model()) || fs::exists(paths.model().string() + ".staged")) {
      return "final save and report";
    }
    for (const auto& entry : fs::directory_iterator(paths.checkpoints())) {
      if (entry.path().extension() == ".staged") return "checkpoint writing";
    }
    if (!fs::exists(paths.timeline())) return "before the first step";
    const std::string timeline = read_file(paths.timeline());
    const bool changing = timeline.ends_with("expert two begins\"}\n") &&
                          train::read_metrics(paths.metrics()).size() == kKillSteps;
    return changing ? "expert change" : "training";
  }

  // Kills the run at a random moment, and sometimes again on its way back.
  void kill_at_random_times() {
    const Experiment experiment(kKillSteps, kEvery);
    for (int wanted = some(40, 240); wanted > 0;) {
      const fs::path out = experiment.fresh();
      const std::int64_t time = random(0, experiment.duration().count());
      if (!kill_after(experiment, out, time)) continue;  // it was faster
      const std::string phase = phase_of(out);
      if (random(0, 2) == 0) kill_after(experiment, out, random(0, experiment.duration().count()));
      tally_.add("kill -9 at a random time: " + phase, fmt::format("after {} us", time),
                 experiment.recover(out));
      --wanted;
    }
  }

  static bool kill_after(const Experiment& experiment, const fs::path& out, std::int64_t time) {
    Process process(experiment.command(out), experiment.err());
    if (!process.runs_after(microseconds(time))) return false;
    process.send(SIGKILL);
    return process.wait().signal == SIGKILL;
  }

  void kill_at_the_expert_change() {
    const Experiment experiment(kKillSteps, kEvery);
    for (int i = 0; i < some(3, 30); ++i) {
      const fs::path out = experiment.fresh();
      const std::string delay = std::to_string(random(0, 3000));
      experiment.run(
          out, preload({{"TEXT", "expert two begins"}, {"KIND", "kill"}, {"DELAY_US", delay}}));
      tally_.add("kill -9 within 3 ms of an expert change", delay + " us", experiment.recover(out));
    }
  }

  void kill_at_calls() {
    const Experiment experiment(kSteps, kEvery);
    for (long call = 1; call <= experiment.calls(); call += some(11, 1)) {
      const fs::path out = experiment.fresh();
      const Ending ending =
          experiment.run(out, preload({{"CALL", std::to_string(call)}, {"KIND", "kill"}}));
      tally_.add("kill -9 at a call that changes files", fmt::format("call {}", call),
                 ending.signal == SIGKILL ? experiment.recover(out) : "was not killed");
    }
  }

  // Failing calls ------------------------------------------------------------------------------

  static std::string wrong_ending(const Ending& ending) {
    if (ending.code == 0) return "";
    if (ending.code != 1) return "ends otherwise than with exit code 1: " + ending.err;
    const std::size_t last = ending.err.rfind('\n', ending.err.size() - 2) + 1;
    return ending.err.substr(last).starts_with("gladius: error: ") ? ""
                                                                   : "says no error: " + ending.err;
  }

  void disturb_calls(const std::string& kind, const std::string& name) {
    const Experiment experiment(kSteps, kEvery);
    for (long call = 1; call <= experiment.calls(); call += some(7, 1)) {
      const fs::path out = experiment.fresh();
      const Ending ending =
          experiment.run(out, preload({{"CALL", std::to_string(call)}, {"KIND", kind}}));
      const std::string wrong = wrong_ending(ending);
      tally_.add(name, fmt::format("call {}", call),
                 wrong.empty() ? experiment.recover(out) : wrong);
    }
  }

  // Damage -------------------------------------------------------------------------------------

  // A run that was killed when it had two checkpoints.
  static fs::path stopped(const Experiment& experiment) {
    const fs::path out = experiment.fresh();
    experiment.run(out, preload({{"TEXT", "checkpoint at step 8,"}, {"KIND", "kill"}}));
    return out;
  }

  static fs::path checkpoint(const fs::path& out, int step) {
    return train::RunPaths{out}.checkpoints() / fmt::format("step-{:08}", step);
  }

  fs::path any_file(const fs::path& directory) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
    return files[static_cast<std::size_t>(random(0, std::ssize(files) - 1))];
  }

  std::string flip_a_bit(const fs::path& file) {
    std::string bytes = read_file(file);
    const auto at = static_cast<std::size_t>(random(0, std::ssize(bytes) - 1));
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random(0, 7)));
    write_file(file, bytes);
    return fmt::format("{} at {}", file.filename().string(), at);
  }

  std::string truncate(const fs::path& file) {
    const auto size = random(0, static_cast<std::int64_t>(fs::file_size(file)) - 1);
    fs::resize_file(file, static_cast<std::uintmax_t>(size));
    return fmt::format("{} to {}", file.filename().string(), size);
  }

  // The one before must be used, and that be said.
  void damage_checkpoints() {
    const Experiment experiment(kSteps, kEvery);
    const fs::path prepared = stopped(experiment);
    const auto damage = [&](const std::string& kind,
                            const std::function<std::string(const fs::path&)>& harm) {
      const fs::path out = experiment.fresh();
      fs::copy(prepared, out, fs::copy_options::recursive);
      const std::string fault = harm(any_file(checkpoint(out, 8)));
      const std::string wrong = experiment.recover(out);
      const std::string said = read_file(experiment.err());
      const bool named = said.find("step-00000008 is damaged") != std::string::npos &&
                         said.find("resuming from step 4") != std::string::npos;
      tally_.add(kind, fault, wrong.empty() && !named ? "the damage is not told: " + said : wrong);
    };
    for (int i = 0; i < some(8, 100); ++i) {
      damage("newest checkpoint: a bit flipped", [&](auto& file) { return flip_a_bit(file); });
      damage("newest checkpoint: a file truncated", [&](auto& file) { return truncate(file); });
    }
    for (int i = 0; i < some(2, 10); ++i) {
      damage("newest checkpoint: a file removed", [&](auto& file) {
        fs::remove(file);
        return file.filename().string();
      });
    }
    const fs::path out = experiment.fresh();
    fs::copy(prepared, out, fs::copy_options::recursive);
    const std::string fault =
        flip_a_bit(any_file(checkpoint(out, 8))) + truncate(any_file(checkpoint(out, 4)));
    expect_refusal("every checkpoint damaged: refused", fault, experiment, out, "none of the 2");
  }

  // One line that says `what`.
  bool expect_refusal(const std::string& kind, const std::string& fault,
                      const Experiment& experiment, const fs::path& out, const std::string& what) {
    const Ending ending = experiment.run(out);
    const bool fine = ending.code == 1 && ending.err.find(what) != std::string::npos &&
                      ending.err.find('\n') + 1 == ending.err.size();
    tally_.add(kind, fault, fine ? "" : "not refused, or not so: " + ending.err);
    return fine;
  }

  // Changed inputs -----------------------------------------------------------------------------

  void change_inputs() {
    const Experiment experiment(kSteps, kEvery);
    const fs::path out = stopped(experiment);
    for (const char* name :
         {"data.jsonl", "student.json", "expert/config.json", "expert/model.safetensors"}) {
      const fs::path file = experiment.input(name);
      const std::string before = read_file(file);
      const auto time = fs::last_write_time(file);
      std::string changed = before;
      changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
      write_file(file, changed);
      fs::last_write_time(file, time);
      expect_refusal("input changed, its size and time not: refused", name, experiment, out,
                     file.string() + " has changed since");
      fs::remove(file);
      expect_refusal("input gone: refused", name, experiment, out, file.string() + " is gone");
      write_file(file, before);
    }
    tally_.add("inputs put back: resumes", "", experiment.recover(out));
  }

  // Signals, a second process, the clock -------------------------------------------------------

  // Nothing is lost, and what is said is how to go on.
  static bool says_how_to_go_on(const Ending& ending) {
    return ending.code == 1 &&
           (ending.err.find("to resume: gladius distill ") != std::string::npos ||
            ending.err.find("the same command begins it") != std::string::npos);
  }

  static bool before_the_first_step(const fs::path& out) {
    const fs::path metrics = train::RunPaths{out}.metrics();
    return !fs::exists(metrics) || fs::file_size(metrics) == 0;
  }

  // The process signals itself, at each place between two calls that change files.
  void signal_at_calls() {
    const Experiment experiment(kSteps, kEvery);
    for (long call = 1; call <= experiment.calls(); call += some(13, 1)) {
      const fs::path out = experiment.fresh();
      const Ending ending =
          experiment.run(out, preload({{"CALL", std::to_string(call)}, {"KIND", "term"}}));
      const bool early = before_the_first_step(out);
      tally_.add(
          early ? "SIGTERM at a call before the first step: ends at once" : "SIGTERM at a call",
          fmt::format("call {}", call),
          says_how_to_go_on(ending) ? experiment.recover(out) : "ends otherwise: " + ending.err);
    }
  }

  void send_signals() {
    constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    const Experiment experiment(kKillSteps, kEvery);
    for (int wanted = some(12, 120); wanted > 0;) {
      const fs::path out = experiment.fresh();
      const bool twice = random(0, 2) == 0;
      Process process(experiment.command(out), experiment.err());
      const auto time = microseconds(random(0, experiment.duration().count()));
      if (!process.runs_after(time)) continue;
      process.send(kSignals[random(0, 3)]);
      if (twice) process.send(kSignals[random(0, 3)]);
      const Ending ending = process.wait();
      if (ending.code == 0) continue;  // it came when all was done
      const bool early = before_the_first_step(out);
      // Before the run file is read, and when all is written, a signal does what it always does.
      const bool within = fs::exists(out) && !fs::exists(train::RunPaths{out}.report_html());
      const bool killed = ending.signal.has_value() && (twice || !within);
      tally_.add(twice   ? "two signals"
                 : early ? "a signal before the first step"
                         : "SIGINT, SIGTERM, SIGHUP or SIGPIPE",
                 fmt::format("{} us", time.count()),
                 killed || says_how_to_go_on(ending) ? experiment.recover(out)
                                                     : "ends otherwise: " + ending.err);
      --wanted;
    }
  }

  // As nohup does it.
  void ignore_a_signal() {
    const Experiment experiment(kKillSteps, kEvery);
    for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) {
      const fs::path out = experiment.fresh();
      const auto before = ::signal(number, SIG_IGN);
      Process process(experiment.command(out), experiment.err());
      ::signal(number, before);
      while (process.runs_after(microseconds(200)) && !fs::exists(out)) {
      }
      process.send(number);
      const Ending ending = process.wait();
      tally_.add("an ignored signal stays ignored", std::to_string(number),
                 ending.code == 0 ? experiment.recover(out) : "ended: " + ending.err);
    }
  }

  void run_two_at_once() {
    const Experiment experiment(kSteps, kEvery);
    for (int i = 0; i < some(2, 10); ++i) {
      const fs::path out = stopped(experiment);
      Process first(experiment.command(out), experiment.err());
      const std::string lock = std::to_string(first.pid()) + "\n";
      while (first.runs_after(microseconds(50)) && read_file(out / "lock") != lock) {
      }
      first.send(SIGSTOP);
      if (read_file(out / "lock") != lock || fs::exists(train::RunPaths{out}.model())) continue;
      const fs::path err = experiment.input("second");
      const Ending second = Process(experiment.command(out), err).wait();
      first.send(SIGCONT);
      const bool fine =
          second.code == 1 &&
          second.err.find(fmt::format("(pid {}) is running", first.pid())) != std::string::npos;
      first.wait();
      tally_.add("a second process in the directory: refused", "",
                 fine ? experiment.recover(out) : "not refused: " + second.err);
    }
  }

  void let_the_clock_jump() {
    const Experiment experiment(kSteps, kEvery);
    for (int i = 0; i < some(1, 10); ++i) {
      const fs::path out = experiment.fresh();
      experiment.run(out, preload({{"CLOCK", "jump"},
                                   {"CALL", std::to_string(random(1, experiment.calls()))},
                                   {"KIND", "kill"}}));
      if (fs::exists(out)) {
        experiment.run(out, preload({{"CLOCK", "jump"}}));
      }
      tally_.add("a clock that jumps by days, and kill -9", "", experiment.recover(out));
    }
  }

  bool short_;
  testing::Rng rng_;
  Tally tally_;
};

}  // namespace
}  // namespace gladius::faults

int main(int argc, char** argv) {
  return gladius::faults::run_program<gladius::faults::Faults>("faults", argc, argv);
}

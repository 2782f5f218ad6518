#include "gladius/train/distill.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/io/text_file.h"
#include "gladius/train/checkpoint.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/environment.h"
#include "gladius/train/evaluate.h"
#include "gladius/train/report/report.h"
#include "gladius/train/run_directory.h"
#include "gladius/train/staged_directory.h"
#include "gladius/train/student.h"
#include "gladius/train/trainer.h"

namespace gladius {
namespace {

struct Inputs {
  std::shared_ptr<CausalLM> student;
  std::vector<Example> examples, eval_examples;
};

// Everything that the run file names, so that what is wrong shows before anything is written.
Inputs read_inputs(const RunConfig& config) {
  Inputs inputs{.student = make_student(config.student), .examples = {}, .eval_examples = {}};
  const std::int64_t vocab_size = inputs.student->config().vocab_size;
  for (const ExpertConfig& expert : config.experts) {
    check_vocabulary(expert, vocab_size, ModelConfig::load(expert.model).vocab_size);
  }
  std::optional<TextEncoder> encoder;
  if (config.student.tokenizer) encoder.emplace(*config.student.tokenizer);
  const auto load = [&](const std::filesystem::path& file) {
    return load_dataset(file, encoder ? &*encoder : nullptr,
                        {.max_seq_len = config.data.max_seq_len,
                         .loss_on = config.data.loss_on,
                         .vocab_size = vocab_size});
  };
  inputs.examples = load(config.data.train);
  if (config.data.eval) inputs.eval_examples = load(*config.data.eval);
  return inputs;
}

class Run {
 public:
  Run(const RunConfig& config, Inputs inputs, RunDirectory directory, const RunEvents& events)
      : config_(config),
        student_(std::move(inputs.student)),
        eval_examples_(std::move(inputs.eval_examples)),
        directory_(std::move(directory)),
        events_(events),
        trainer_(config, student_, std::move(inputs.examples), events.warn),
        metrics_(directory_.paths().metrics(), restore()) {}

  RunOutcome execute() {
    begin();
    while (!trainer_.done()) {
      step();
      if (trainer_.done()) break;
      const bool stop = events_.stop_requested();
      if (stop || trainer_.state().step % config_.checkpoint_every == 0) save_checkpoint();
      if (stop) return stopped();
    }
    return finish();
  }

 private:
  // Goes back to the newest checkpoint, if there is one; returns how much of the metrics it covers.
  std::uint64_t restore() {
    const auto newest = newest_checkpoint(directory_.paths().checkpoints());
    if (!newest) return 0;
    const Checkpoint checkpoint = load_checkpoint(*newest);
    trainer_.restore(checkpoint);
    return checkpoint.metrics_offset;
  }

  void begin() {
    const std::int64_t step = trainer_.state().step;
    directory_.note(step == 0 ? "training started" : fmt::format("resumed at step {}", step));
    write_text_file(directory_.paths().environment(), describe_environment().dump(2) + "\n");
    events_.begin(trainer_.plan(), trainer_.state());
  }

  void step() {
    const std::int64_t step = trainer_.state().step;
    const Stage& stage = trainer_.plan().stage_of(step);
    if (stage.expert && step == stage.begin) {
      directory_.note(fmt::format("step {}: expert {} begins", step, stage.expert->name));
    }
    const StepRecord record = trainer_.step();
    metrics_.append(record);
    events_.step(record);
  }

  void save_checkpoint() {
    Checkpoint checkpoint = trainer_.checkpoint();
    checkpoint.metrics_offset = metrics_.sync();
    gladius::save_checkpoint(directory_.paths().checkpoints(), checkpoint,
                             config_.keep_checkpoints);
    directory_.note(fmt::format("checkpoint at step {}", checkpoint.state.step));
  }

  RunOutcome stopped() const {
    directory_.note(fmt::format("stopped at step {}", trainer_.state().step));
    return outcome(false);
  }

  // The model comes last: its presence says that the run is complete.
  RunOutcome finish() {
    metrics_.sync();
    if (!eval_examples_.empty()) {
      const Evaluation evaluation = evaluate(*student_, eval_examples_);
      write_text_file(directory_.paths().evaluation(), evaluation.to_json().dump(2) + "\n");
      events_.info(fmt::format("evaluation: cross-entropy {:.4f}, perplexity {:.2f} over {} tokens",
                               evaluation.cross_entropy, evaluation.perplexity, evaluation.tokens));
    }
    StagedDirectory model(directory_.paths().model());
    save_model(model.path(), *student_);
    if (config_.student.tokenizer) copy_tokenizer(*config_.student.tokenizer, model.path());
    model.commit();
    directory_.note("training finished");
    write_report(directory_.paths());
    return outcome(true);
  }

  RunOutcome outcome(bool complete) const {
    return {.complete = complete,
            .steps = trainer_.state().step,
            .total_steps = trainer_.plan().total_steps()};
  }

  const RunConfig& config_;
  std::shared_ptr<CausalLM> student_;
  std::vector<Example> eval_examples_;
  RunDirectory directory_;
  const RunEvents& events_;
  Trainer trainer_;
  MetricsFile metrics_;
};

RunDirectory open_directory(const RunConfig& config, const std::filesystem::path& out, bool resume,
                            const RunEvents& events) {
  if (!resume) return RunDirectory::create(out, config.resolved());
  std::vector<std::string> changed;
  RunDirectory directory = RunDirectory::resume(out, config.resolved(), changed);
  if (!changed.empty()) {
    events.info(fmt::format("the run file has changed in {}", fmt::join(changed, ", ")));
  }
  return directory;
}

}  // namespace

RunOutcome distill(const RunConfig& config, const std::filesystem::path& out, bool resume,
                   const RunEvents& events) {
  if (resume && std::filesystem::exists(RunPaths{out}.model())) {
    const RunDirectory directory = open_directory(config, out, resume, events);
    events.info(fmt::format("the run in {} is complete", out.string()));
    write_report(directory.paths());
    const std::int64_t steps = TrainingPlan(config).total_steps();
    return {.complete = true, .steps = steps, .total_steps = steps};
  }
  Inputs inputs = read_inputs(config);
  return Run(config, std::move(inputs), open_directory(config, out, resume, events), events)
      .execute();
}

}  // namespace gladius

// The parts of a model card, in its order. Each has all of its headings at any time of a run, and
// says what is not there yet.
#pragma once

#include <functional>
#include <string>

#include "gladius/train/report/document.h"
#include "gladius/train/report/run_record.h"

namespace gladius::train {

/// What the student is and how far its training is, in a line.
void add_introduction(Document& document, const RunRecord& record);
/// The student's evaluations beside the experts', what it answers to the suite, and above both
/// their newest numbers; without any the losses'. Below, its newest samples.
void add_all_results(Document& document, const RunRecord& record);
/// Of the trained student alone, and without a heading.
void add_results(Document& document, const RunRecord& record);
/// Loss, cross-entropy of training and validation, suite, gradient norm, learning rate and
/// throughput over the steps.
void add_plots(Document& document, const RunRecord& record);
/// Steps, experts, losses, speed, what was skipped.
void add_status(Document& document, const RunRecord& record);
/// What was trained on, and the table of add_data.
void add_data_section(Document& document, const RunRecord& record);
/// Examples, tokens and labels of the data, and what was cut off or left out.
void add_data(Document& document, const RunRecord& record);
/// Method, experts, configuration.
void add_training(Document& document, const RunRecord& record);
/// What an expert's model is called.
using NameModel = std::function<std::string(const ExpertConfig&)>;
/// Method, experts.
void add_method(Document& document, const RunConfig& config, const NameModel& name_model);
/// Batch size, learning rate and their like.
Table configuration(const RunConfig& config);
/// Losses, convergence, timeline.
void add_progress(Document& document, const RunRecord& record);
/// Architecture with the parameters by component, memory.
void add_model(Document& document, const RunRecord& record);
/// Layers, attention, MLP, positions, norm, vocabulary.
Table architecture(const ModelConfig& model);
/// Identification, hardware.
void add_identification(Document& document, const RunRecord& record);
/// Name, architecture, parameters, format of the weights.
Table identification(const RunRecord& record);
/// Weight files with checksums and their tensors.
void add_weights(Document& document, const RunRecord& record);
/// The model directory's files, every tensor, the losses as data.
void add_appendix(Document& document, const RunRecord& record);

/// Every log_every-th step, as the run has printed them, and the last.
std::vector<const StepRecord*> logged_steps(const RunRecord& record);
/// The first loss that is finite, which changes are counted from; NaN if there is none.
double initial_loss(const RunRecord& record);

}  // namespace gladius::train

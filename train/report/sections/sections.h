// The parts of a model card, in its order. Each has all of its headings at any time of a run, and
// says what is not there yet.
#pragma once

#include <functional>
#include <string>

#include "gladius/train/report/document.h"
#include "gladius/train/report/run_record.h"

namespace gladius::train {

/// Name, architecture, parameters, format of the weights.
Table identification(const RunRecord& record);
/// Identification, status.
void add_overview(Document& document, const RunRecord& record);
/// The student's last and best evaluation beside the experts' (part of the status); nothing before
/// the first.
void add_held_out(Document& document, const RunRecord& record);
/// The same without the evaluations of earlier steps.
void add_results(Document& document, const RunRecord& record);
/// Loss, cross-entropy of training and validation, gradient norm, learning rate and throughput over
/// the steps; nothing before the first.
void add_plots(Document& document, const RunRecord& record);
/// Architecture with the parameters by component, weight files with checksums, memory.
void add_model(Document& document, const RunRecord& record);
/// Layers, attention, MLP, positions, norm, vocabulary.
Table architecture(const ModelConfig& model);
/// Method, experts, configuration, hardware.
void add_training(Document& document, const RunRecord& record);
/// What an expert's model is called.
using NameModel = std::function<std::string(const ExpertConfig&)>;
/// Method, experts.
void add_method(Document& document, const RunConfig& config, const NameModel& name_model);
/// Batch size, learning rate and their like.
Table configuration(const RunConfig& config);
/// Examples, tokens and labels of the data, and what was cut off: a part of the configuration.
void add_data(Document& document, const RunRecord& record);
/// Timeline, losses, convergence.
void add_progress(Document& document, const RunRecord& record);
/// The model directory's files, every tensor, the losses as data.
void add_appendix(Document& document, const RunRecord& record);

/// Every log_every-th step, as the run has printed them, and the last.
std::vector<const StepRecord*> logged_steps(const RunRecord& record);
/// The first loss that is finite, which changes are counted from; NaN if there is none.
double initial_loss(const RunRecord& record);

}  // namespace gladius::train

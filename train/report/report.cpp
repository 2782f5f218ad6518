#include "gladius/train/report/report.h"

#include "gladius/tensor/base/text_file.h"
#include "sections/sections.h"

namespace gladius::train {

Document model_card(const RunRecord& record) {
  Document document{Heading{1, "Model card: " + record.name()}};
  add_introduction(document, record);
  add_all_results(document, record);
  add_plots(document, record);
  add_status(document, record);
  add_data_section(document, record);
  add_training(document, record);
  add_progress(document, record);
  add_model(document, record);
  add_identification(document, record);
  add_weights(document, record);
  add_appendix(document, record);
  return document;
}

void write_report(const RunPaths& paths) {
  const RunRecord record = RunRecord::read(paths);
  const Document document = model_card(record);
  for (const Block& block : document) {
    const auto* plot = std::get_if<Plot>(&block);
    if (plot != nullptr) write_text_file(paths.directory / plot->file, to_svg_file(*plot));
  }
  write_text_file(paths.report_markdown(), to_markdown(document));
  write_text_file(paths.report_html(), to_html(document, "Gladius: " + record.name()));
}

}  // namespace gladius::train

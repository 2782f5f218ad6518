// What `gladius align` found, as a page.
#pragma once

#include <string>

#include "gladius/train/report/document.h"
#include "gladius/train/teacher/alignment_study.h"

namespace gladius::train {

/// A study without a text (no bytes) has the vocabularies alone.
Document alignment_page(const std::string& student, const std::string& teacher,
                        const VocabularyOverlap& overlap, const AlignmentStudy& study);

}  // namespace gladius::train

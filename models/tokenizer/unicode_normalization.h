// Unicode's normalization forms.
#pragma once

#include "gladius/models/tokenizer/aligned_text.h"

namespace gladius::text {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

/// Composes or decomposes characters and their marks (Unicode Standard Annex #15). As in the
/// reference, what is composed has the span of its first part, and where marks change places the
/// spans do not.
AlignedText normalize_unicode(AlignedText text, UnicodeForm form);

}  // namespace gladius::text

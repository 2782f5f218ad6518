# For Doxygen: the comment before a header's `#pragma once` is about the file.
0,/^#pragma once/ {
  s|^// |/// |
  s|^#pragma once|/// \\file|
}

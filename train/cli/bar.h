// A line on a terminal that is drawn over.
#pragma once

#include <cstdint>
#include <string>

namespace gladius::cli {

/// Whether standard error is a terminal.
bool is_terminal();
/// Columns of the terminal on standard error, now: it may be resized.
std::int64_t terminal_columns();

/// A bar and a text on standard error, for terminals. Takes itself away at its end.
class Bar {
 public:
  Bar() = default;
  ~Bar() { erase(); }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  /// `done` of `total` (above 0), and `line` behind it, cut to what one line holds.
  void draw(const std::string& line, std::int64_t done, std::int64_t total);
  void erase();

 private:
  bool shown_ = false;
};

}  // namespace gladius::cli

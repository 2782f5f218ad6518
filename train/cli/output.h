// The program's two streams: results on standard output, everything else on standard error.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "gladius/tensor/base/error.h"

namespace gladius::cli {

/// Results that could not be written.
class OutputError : public IoError {
 public:
  explicit OutputError(int error);
  /// Whether the reader of a pipe has gone away.
  bool reader_is_gone() const;

 private:
  int error_;
};

/// To be called before any file is opened: puts something in the place of standard streams that
/// were closed, so that no file of the program gets their numbers. What stands there can be neither
/// read (standard input) nor written (the others).
void occupy_standard_streams();

/// Writes to standard output, at once. OutputError if not all of it could be written: what is lost
/// must not pass for success. Does not raise SIGPIPE.
void print_text(std::string_view text);
template <typename... Values>
void print(fmt::format_string<Values...> format, Values&&... values) {
  print_text(fmt::format(format, std::forward<Values>(values)...));
}

/// A message as standard error shows it: one line, printable() (tensor/base/quoted.h), of at most
/// 1,000 bytes; "..." stands for a middle that was cut.
std::string message_line(std::string_view message);

/// Writes to standard error, at once. What cannot be written is lost, and nothing else: neither an
/// exception nor SIGPIPE, so that a run outlives its log.
void log_text(std::string_view text) noexcept;
template <typename... Values>
void log(fmt::format_string<Values...> format, Values&&... values) {
  log_text(fmt::format(format, std::forward<Values>(values)...));
}

/// Closes standard output, which is when some file systems tell that they are full. OutputError.
void close_output();

/// Ends the process as SIGPIPE does, without a word; returns where that signal is ignored.
void end_by_broken_pipe();

}  // namespace gladius::cli

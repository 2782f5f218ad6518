#include "bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "output.h"

namespace gladius::cli {
namespace {

constexpr std::int64_t kBarWidth = 20, kLeastBarWidth = 5;

std::string bar(std::int64_t done, std::int64_t total, std::int64_t width) {
  const std::int64_t filled = done * width / total;
  return fmt::format("[{:=>{}}{: >{}}] ", "", filled, "", width - filled);
}

// The line with a bar before it, in less than `columns`: what wraps cannot be drawn over.
std::string fit(const std::string& line, std::int64_t done, std::int64_t total,
                std::int64_t columns) {
  constexpr std::int64_t kAround = 4;  // brackets, a space, and the last column
  const std::int64_t room = columns - kAround - std::ssize(line);
  const std::string all =
      room < kLeastBarWidth ? line : bar(done, total, std::min(room, kBarWidth)) + line;
  return all.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(columns - 1, 0)));
}

}  // namespace

bool is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

std::int64_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void Bar::draw(const std::string& line, std::int64_t done, std::int64_t total) {
  log("\r\x1b[K{}", fit(line, done, total, terminal_columns()));
  shown_ = true;
}

void Bar::erase() {
  if (!shown_) return;
  log("\r\x1b[K");
  shown_ = false;
}

}  // namespace gladius::cli

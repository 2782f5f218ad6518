// gladius watch: the live page.
#include <fmt/format.h>
#include <spawn.h>

#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/train/run/model_paths.h"
#include "gladius/train/watch/request_guard.h"
#include "gladius/train/watch/watch_server.h"
#include "output.h"
#include "support.h"

extern char** environ;

namespace gladius::cli {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string host = "127.0.0.1";
  int port = 6007;
  bool open = false;
};

// By the desktop's own choice of a browser, which does not hold up the server.
void open_browser(const std::string& url, const Common& common) {
  std::string program = "xdg-open", address = url;
  char* arguments[] = {program.data(), address.data(), nullptr};
  pid_t process = 0;
  if (::posix_spawnp(&process, program.c_str(), nullptr, nullptr, arguments, environ) != 0) {
    warn(common, "--open: there is no xdg-open (package xdg-utils); open the address by hand");
  }
}

void watch(const Options& options, const Common& common) {
  train::WatchOptions watched{.runs = {}, .host = options.host, .port = options.port};
  for (const std::string& run : options.runs) watched.runs.push_back(train::find_run(run));
  train::WatchServer server(watched);
  if (common.json) {
    print_json({{"url", server.url()}});
  } else {
    print("{}\n", server.url());
  }
  inform(common, train::RequestGuard::is_loopback(options.host)
                     ? "only this machine can open it; Ctrl-C ends the page, not the runs"
                     : "whoever has this address can read the runs, and it travels unencrypted; "
                       "Ctrl-C ends the page, not the runs");
  if (options.open) open_browser(server.url(), common);
  server.serve();
}

}  // namespace

void add_watch(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "watch",
      "Shows runs in a browser while they go on: losses, evaluations, speed, time left; several "
      "runs in one plot. It only reads",
      "gladius watch runs/mine --open\n  gladius watch runs/* --port 8000");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("RUN_DIR,--run", options->runs,
                   "Directories of runs, which may have just begun, or be complete")
      ->required();
  command->add_option("--port", options->port, "0: one that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      ->add_option("--host", options->host,
                   "Address to listen on; others than this machine's own ask for a token")
      ->capture_default_str();
  command->add_flag("--open", options->open, "Opens the page in the browser");
  command->callback([options, &common] { watch(*options, common); });
}

}  // namespace gladius::cli

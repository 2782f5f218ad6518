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
  bool open = false, allow_stop = false;
};

// Who can open the page, and what they can do.
std::string audience(const Options& options) {
  constexpr const char* kEnd = "Ctrl-C ends the page, not the runs";
  const bool is_loopback = train::RequestGuard::is_loopback(options.host);
  const char* what = options.allow_stop ? "read and stop" : "read";
  if (!is_loopback) {
    return fmt::format("whoever has this address can {} the runs, and it travels unencrypted; {}",
                       what, kEnd);
  }
  return options.allow_stop
             ? fmt::format("on this machine, whoever has this address can {} the runs; {}", what,
                           kEnd)
             : fmt::format("only this machine can open it; {}", kEnd);
}

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
  train::WatchOptions watched{
      .runs = {}, .host = options.host, .port = options.port, .allow_stop = options.allow_stop};
  for (const std::string& run : options.runs) watched.runs.push_back(train::find_run(run));
  train::WatchServer server(watched);
  if (common.json) {
    print_json({{"url", server.url()}});
  } else {
    print("{}\n", server.url());
  }
  inform(common, audience(options));
  if (options.open) open_browser(server.url(), common);
  server.serve();
}

}  // namespace

void add_watch(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "watch",
      "Shows runs in a browser while they go on: losses, evaluations, samples, speed, time left; "
      "several runs in one plot. It only reads, unless --allow-stop is given",
      "gladius watch runs/mine --open\n  gladius watch runs/* --port 8000");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("RUN_DIR,--run", options->runs,
                   "Directories of runs, which may have just begun, or be complete")
      ->type_name("DIR")
      ->required();
  command->add_option("--port", options->port, "0: one that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      ->add_option("--host", options->host,
                   "Address to listen on; others than this machine's own ask for a token")
      ->capture_default_str();
  command->add_flag("--allow-stop", options->allow_stop,
                    "The page has a button that stops a run with a checkpoint; asks for a token");
  command->add_flag("--open", options->open, "Opens the page in the browser");
  command->callback([options, &common] { watch(*options, common); });
}

}  // namespace gladius::cli

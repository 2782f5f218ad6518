#include "gladius/train/watch/watch_server.h"

#include <fmt/format.h>
#include <httplib.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "gladius/tensor/base/error.h"
#include "gladius/train/run/stop_request.h"
#include "gladius/train/watch/request_guard.h"
#include "gladius/train/watch/watched_run.h"
#include "page.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{500};
// A connection that is closed is noticed by writing to it.
constexpr milliseconds kSilence{10'000};
// Pages that stay connected, and threads for all requests.
constexpr int kMostPages = 24, kThreads = kMostPages + 8;
constexpr std::int64_t kMostPoints = 5000, kPoints = 600;
constexpr char kCookie[] = "gladius_token=";

constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view cookie_token(const std::string& cookies) {
  const std::size_t begin = cookies.find(kCookie);
  if (begin == std::string::npos) return {};
  const std::string_view rest = std::string_view(cookies).substr(begin + sizeof kCookie - 1);
  return rest.substr(0, rest.find(';'));
}

// A name that is not UTF-8 is shown with other characters.
std::string in_json(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void refuse(httplib::Response& response, int status, const std::string& why) {
  response.status = status;
  response.set_content(why + "\n", "text/plain; charset=utf-8");
}

// `otherwise` where the parameter is missing; nothing where it is no number.
std::optional<std::int64_t> number(const httplib::Request& request, const char* name,
                                   std::int64_t otherwise) {
  if (!request.has_param(name)) return otherwise;
  const std::string text = request.get_param_value(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace

class WatchServer::Impl {
 public:
  explicit Impl(const WatchOptions& options)
      : host_(options.host), allow_stop_(options.allow_stop) {
    for (const RunPaths& paths : options.runs) runs_.emplace_back(paths);
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_payload_max_length(0);
    server_.set_read_timeout(std::chrono::seconds(5));
    server_.set_default_headers({{"Content-Security-Policy", kPolicy},
                                 {"X-Content-Type-Options", "nosniff"},
                                 {"Referrer-Policy", "no-referrer"},
                                 {"Cache-Control", "no-store"}});
    // The library's own setting lets two servers have one port, each with some of its requests.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    bind(options.port);
    guard_.emplace(host_, port_, allow_stop_);
    server_.set_pre_routing_handler(
        [this](const auto& request, auto& response) { return admit(request, response); });
    add_files();
    add_api();
    read_runs();
  }

  std::string url() const {
    const std::string host = host_.find(':') == std::string::npos ? host_ : "[" + host_ + "]";
    const std::string query = guard_->token().empty() ? "" : "?token=" + guard_->token();
    return fmt::format("http://{}:{}/{}", host, port_, query);
  }

  void serve() {
    std::thread reader([this] { follow_runs(); });
    server_.listen_after_bind();
    stop();
    reader.join();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    news_.notify_all();
    server_.stop();
  }

 private:
  void bind(int port) {
    port_ = port;
    if (port == 0) {
      port_ = server_.bind_to_any_port(host_);
    } else if (!server_.bind_to_port(host_, port)) {
      port_ = -1;
    }
    if (port_ < 0) {
      throw IoError(
          fmt::format("cannot listen on port {} of {}: choose another with --port", port, host_));
    }
  }

  httplib::Server::HandlerResponse admit(const httplib::Request& request,
                                         httplib::Response& response) const {
    const std::string host = request.get_header_value("Host"),
                      origin = request.get_header_value("Origin"),
                      token = request.get_param_value("token"),
                      cookies = request.get_header_value("Cookie");
    const std::string header = request.get_header_value("X-Gladius-Token");
    const RequestOrigin from{.host = host,
                             .origin = origin,
                             .query_token = token,
                             .cookie_token = cookie_token(cookies),
                             .header_token = header};
    const bool is_action = allow_stop_ && request.method == "POST";
    const std::string why = is_action ? guard_->action_refusal(from) : guard_->refusal(from);
    if (!why.empty()) {
      refuse(response, 403, why);
    } else if (request.method != "GET" && !is_action) {
      refuse(response, 405, "this server only shows");
    } else {
      if (!token.empty() && !guard_->token().empty()) {
        response.set_header("Set-Cookie", fmt::format("{}{}; HttpOnly; SameSite=Strict; Path=/",
                                                      kCookie, guard_->token()));
      }
      return httplib::Server::HandlerResponse::Unhandled;
    }
    return httplib::Server::HandlerResponse::Handled;
  }

  void add_files() {
    const auto add = [this](const char* path, const char* content, const char* type) {
      server_.Get(path, [content, type](const httplib::Request&, httplib::Response& response) {
        response.set_content(content, type);
      });
    };
    for (const PageFile& file : kPage) add(file.path, file.content, file.type);
  }

  void add_api() {
    server_.Get("/api/runs", [this](const httplib::Request&, httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      response.set_content(summaries(), "application/json");
    });
    server_.Get("/api/series",
                [this](const auto& request, auto& response) { answer_series(request, response); });
    server_.Get("/api/samples",
                [this](const auto& request, auto& response) { answer_samples(request, response); });
    server_.Get("/api/alignment",
                [this](const httplib::Request& request, httplib::Response& response) {
                  const std::lock_guard lock(mutex_);
                  if (const WatchedRun* run = find_run(request, response)) {
                    response.set_content(in_json(run->alignment()), "application/json");
                  }
                });
    if (allow_stop_) {
      server_.Post("/api/stop",
                   [this](const auto& request, auto& response) { answer_stop(request, response); });
    }
    server_.Get("/api/events", [this](const httplib::Request&, httplib::Response& response) {
      if (pages_ >= kMostPages) return refuse(response, 503, "too many pages are open");
      ++pages_;
      response.set_chunked_content_provider(
          "text/event-stream",
          [this, seen = std::int64_t{-1}](std::size_t, httplib::DataSink& sink) mutable {
            return send_news(seen, sink);
          },
          [this](bool) { --pages_; });
    });
  }

  void answer_series(const httplib::Request& request, httplib::Response& response) {
    const StepRange all;
    const auto most = number(request, "points", kPoints),
               begin = number(request, "begin", all.begin), end = number(request, "end", all.end);
    if (!most || !begin || !end) return refuse(response, 400, "not a number");
    if (*most < 1 || *most > kMostPoints) {
      return refuse(response, 400, fmt::format("points: 1 to {}", kMostPoints));
    }
    const std::lock_guard lock(mutex_);
    if (const WatchedRun* run = find_run(request, response)) {
      response.set_content(run->series({*begin, *end}, *most), "application/json");
    }
  }

  void answer_samples(const httplib::Request& request, httplib::Response& response) {
    const auto step = number(request, "step", std::numeric_limits<std::int64_t>::max());
    if (!step) return refuse(response, 400, "not a number");
    const std::lock_guard lock(mutex_);
    if (const WatchedRun* run = find_run(request, response)) {
      response.set_content(in_json(run->samples(*step)), "application/json");
    }
  }

  void answer_stop(const httplib::Request& request, httplib::Response& response) {
    const std::lock_guard lock(mutex_);
    const WatchedRun* run = find_run(request, response);
    if (run == nullptr) return;
    try {
      request_stop(run->paths());
      response.status = 202;
    } catch (const Error& error) {
      refuse(response, 409, error.what());
    }
  }

  // With the lock. The parameter `run` of a request; null where it is refused.
  const WatchedRun* find_run(const httplib::Request& request, httplib::Response& response) const {
    const auto run = number(request, "run", 0);
    if (run && *run >= 0 && *run < std::ssize(runs_)) return &runs_[static_cast<std::size_t>(*run)];
    refuse(response, run ? 404 : 400, run ? "no such run" : "not a number");
    return nullptr;
  }

  // Waits for what is newer than `seen`, in one of the server's threads.
  bool send_news(std::int64_t& seen, httplib::DataSink& sink) {
    std::string event = ": still here\n\n";
    {
      std::unique_lock lock(mutex_);
      news_.wait_for(lock, kSilence, [&] { return stopping_ || version_ != seen; });
      if (stopping_) return false;
      if (version_ != seen) event = fmt::format("data: {}\n\n", summaries());
      seen = version_;
    }
    return sink.write(event.data(), event.size());
  }

  std::string summaries() const {
    Json list = Json::array();
    for (const WatchedRun& run : runs_) {
      list.push_back(run.summary());
      list.back()["can_stop"] = allow_stop_ && run.is_going_on();
    }
    return in_json(list);
  }

  void follow_runs() {
    std::unique_lock lock(mutex_);
    bool more = false;
    while (!stopping_) {
      news_.wait_for(lock, more ? milliseconds(0) : kPoll, [&] { return stopping_; });
      more = read_runs();
    }
  }

  // With the lock, or before there are threads. Whether there is more to read.
  bool read_runs() {
    bool changed = false, more = false;
    for (WatchedRun& run : runs_) {
      const WatchedRun::Update update = run.update();
      changed |= update.changed;
      more |= update.more;
    }
    if (changed) ++version_;
    if (changed) news_.notify_all();
    return more;
  }

  std::string host_;
  bool allow_stop_;
  int port_ = 0;
  httplib::Server server_;
  std::optional<RequestGuard> guard_;
  std::atomic<int> pages_ = 0;
  std::mutex mutex_;  // of all below
  std::condition_variable news_;
  std::vector<WatchedRun> runs_;
  std::int64_t version_ = 0;  // rises when a run has changed
  bool stopping_ = false;
};

WatchServer::WatchServer(const WatchOptions& options) : impl_(std::make_unique<Impl>(options)) {}
WatchServer::~WatchServer() = default;
std::string WatchServer::url() const { return impl_->url(); }
void WatchServer::serve() { impl_->serve(); }
void WatchServer::stop() { impl_->stop(); }

}  // namespace gladius::train

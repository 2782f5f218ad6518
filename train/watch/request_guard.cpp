#include "gladius/train/watch/request_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

namespace gladius::train {
namespace {

constexpr std::array<std::string_view, 3> kLoopback{"127.0.0.1", "localhost", "::1"};

// 128 bits of the system's randomness.
std::string make_token() {
  std::random_device random;
  std::string token;
  for (int i = 0; i < 4; ++i) token += fmt::format("{:08x}", random());
  return token;
}

// In a time that does not tell how much of it is right.
bool is_secret(std::string_view given, std::string_view token) {
  unsigned difference = given.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(given.size(), token.size()); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(token[i]);
  }
  return difference == 0;
}

}  // namespace

RequestGuard::RequestGuard(std::string_view host, int port, bool allows_actions)
    : port_(port),
      is_loopback_(is_loopback(host)),
      allows_actions_(allows_actions),
      token_(is_loopback_ && !allows_actions ? "" : make_token()) {}

bool RequestGuard::is_loopback(std::string_view host) {
  return std::ranges::find(kLoopback, host) != kLoopback.end();
}

std::string RequestGuard::refusal(const RequestOrigin& request) const {
  const bool own_host = std::ranges::any_of(kLoopback, [&](std::string_view name) {
    const std::string written = name == "::1" ? "[::1]" : std::string(name);
    return request.host == fmt::format("{}:{}", written, port_) ||
           (port_ == 80 && request.host == written);
  });
  if (is_loopback_ && !own_host) return "the request's Host is not this server";
  if (!request.origin.empty() && request.origin != fmt::format("http://{}", request.host)) {
    return "the request is another site's";
  }
  if (!token_.empty() && !is_secret(request.query_token, token_) &&
      !is_secret(request.cookie_token, token_) && !is_secret(request.header_token, token_)) {
    return "the address lacks the token that `gladius watch` has printed";
  }
  return "";
}

std::string RequestGuard::action_refusal(const RequestOrigin& request) const {
  if (!allows_actions_) return "this server only shows";
  if (std::string why = refusal(request); !why.empty()) return why;
  if (request.origin.empty()) return "the request does not say that it comes from the page";
  if (!is_secret(request.header_token, token_)) {
    return "open the page by the address with the token that `gladius watch` has printed";
  }
  return "";
}

}  // namespace gladius::train

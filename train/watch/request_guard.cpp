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

RequestGuard::RequestGuard(std::string_view host, int port)
    : port_(port), token_(is_loopback(host) ? "" : make_token()) {}

bool RequestGuard::is_loopback(std::string_view host) {
  return std::ranges::find(kLoopback, host) != kLoopback.end();
}

std::string RequestGuard::refusal(const RequestOrigin& request) const {
  const bool own_host = std::ranges::any_of(kLoopback, [&](std::string_view name) {
    const std::string written = name == "::1" ? "[::1]" : std::string(name);
    return request.host == fmt::format("{}:{}", written, port_) ||
           (port_ == 80 && request.host == written);
  });
  if (token_.empty() && !own_host) return "the request's Host is not this server";
  if (!request.origin.empty() && request.origin != fmt::format("http://{}", request.host)) {
    return "the request is another site's";
  }
  if (!token_.empty() && !is_secret(request.query_token, token_) &&
      !is_secret(request.cookie_token, token_)) {
    return "the address lacks the token that `gladius watch` has printed";
  }
  return "";
}

}  // namespace gladius::train

// Which requests the live page's server answers.
#pragma once

#include <string>
#include <string_view>

namespace gladius::train {

/// What of a request says where it comes from. Empty: the request does not have it.
struct RequestOrigin {
  std::string_view host = {}, origin = {}, query_token = {}, cookie_token = {}, header_token = {};
};

/// Keeps other web sites and other people from reading runs. On the machine's own address a request
/// has to name that address (a foreign name that leads here, "DNS rebinding", is refused), and a
/// page that asks has to be this one. On any other address, and where actions are allowed, it also
/// has to know a secret. Several threads may use it at once.
class RequestGuard {
 public:
  /// For a server at `host`:`port`; a secret is made where `host` is not the machine's own address,
  /// and for actions.
  RequestGuard(std::string_view host, int port, bool allows_actions = false);

  /// Whether only this machine can reach `host`: 127.0.0.1, ::1, localhost.
  static bool is_loopback(std::string_view host);
  /// Empty where none is needed.
  const std::string& token() const { return token_; }
  /// Empty: the request is answered; else why not, a line.
  std::string refusal(const RequestOrigin& request) const;
  /// The same for a request that changes something: it has to say that it comes from the page, and
  /// to have the secret in a header, which no other site can send (a cookie goes with requests of
  /// every server on this machine).
  std::string action_refusal(const RequestOrigin& request) const;

 private:
  int port_;
  bool is_loopback_, allows_actions_;
  std::string token_;
};

}  // namespace gladius::train

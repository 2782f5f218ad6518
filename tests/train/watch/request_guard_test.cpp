#include "gladius/train/watch/request_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gladius::train {
namespace {

using ::testing::HasSubstr;

TEST(RequestGuard, OnTheMachinesOwnAddressOnlyItsNamesAreAnswered) {
  const RequestGuard guard("127.0.0.1", 6007);
  EXPECT_EQ(guard.token(), "");
  for (const char* host : {"127.0.0.1:6007", "localhost:6007", "[::1]:6007"}) {
    EXPECT_EQ(guard.refusal({.host = host}), "") << host;
    const std::string own = std::string("http://") + host;
    EXPECT_EQ(guard.refusal({.host = host, .origin = own}), "") << host;
  }
  for (const char* host :
       {"", "127.0.0.1", "127.0.0.1:80", "evil.example:6007", "localhost.evil:6007"}) {
    EXPECT_THAT(guard.refusal({.host = host}), HasSubstr("Host")) << host;
  }
  for (const char* origin : {"http://evil.example", "https://127.0.0.1:6007", "null",
                             "http://127.0.0.1:6008", "http://localhost:6007"}) {
    EXPECT_THAT(guard.refusal({.host = "127.0.0.1:6007", .origin = origin}),
                HasSubstr("another site"))
        << origin;
  }
}

TEST(RequestGuard, ElsewhereASecretIsAskedFor) {
  const RequestGuard guard("0.0.0.0", 6007), other("0.0.0.0", 6007);
  ASSERT_EQ(guard.token().size(), 32u);
  EXPECT_NE(guard.token(), other.token());
  const std::string host = "192.168.1.2:6007";
  EXPECT_EQ(guard.refusal({.host = host, .query_token = guard.token()}), "");
  EXPECT_EQ(guard.refusal({.host = host, .cookie_token = guard.token()}), "");
  EXPECT_NE(
      guard.refusal({.host = host, .origin = "http://evil.example", .cookie_token = guard.token()}),
      "");
  for (const std::string& wrong :
       {std::string(), other.token(), guard.token().substr(1), guard.token() + "0"}) {
    EXPECT_THAT(guard.refusal({.host = host, .query_token = wrong, .cookie_token = wrong}),
                HasSubstr("token"));
  }
}

TEST(RequestGuard, AnActionComesFromThePageWithTheSecretInAHeader) {
  const RequestGuard guard("127.0.0.1", 6007, /*allows_actions=*/true);
  ASSERT_EQ(guard.token().size(), 32u) << "also on the machine's own address";
  const std::string host = "localhost:6007", origin = "http://localhost:6007";
  EXPECT_NE(guard.refusal({.host = host}), "");
  EXPECT_EQ(guard.refusal({.host = host, .query_token = guard.token()}), "");
  EXPECT_THAT(guard.refusal({.host = "evil.example:6007", .query_token = guard.token()}),
              HasSubstr("Host"));
  const RequestOrigin right{.host = host, .origin = origin, .header_token = guard.token()};
  EXPECT_EQ(guard.action_refusal(right), "");
  RequestOrigin request = right;
  request.origin = "";
  EXPECT_THAT(guard.action_refusal(request), HasSubstr("does not say that it comes from the page"));
  for (const char* other : {"null", "http://localhost:8080", "http://evil.example"}) {
    request.origin = other;
    EXPECT_THAT(guard.action_refusal(request), HasSubstr("another site")) << other;
  }
  request = right;
  request.header_token = "";
  request.query_token = request.cookie_token = guard.token();
  EXPECT_THAT(guard.action_refusal(request), HasSubstr("token"));
  EXPECT_THAT(RequestGuard("127.0.0.1", 6007).action_refusal(right), HasSubstr("only shows"));
  EXPECT_THAT(RequestGuard("0.0.0.0", 6007).action_refusal(right), HasSubstr("only shows"));
}

}  // namespace
}  // namespace gladius::train

// The entry of every test program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

int main(int argc, char** argv) {
  // Programs that the tests stop would inherit what nohup, or a shell's `&`, ignores.
  for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) ::signal(number, SIG_DFL);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}

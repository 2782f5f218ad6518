#include "gladius/tensor/base/text_format.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gladius {
namespace {

TEST(TextFormat, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(498'674'688), "475.57 MiB");
  EXPECT_EQ(format_bytes(std::uint64_t{5000} << 30), "5000.00 GiB");
}

TEST(TextFormat, Counts) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(124'668'672), "124,668,672");
}

TEST(TextFormat, Durations) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(59.6), "1:00");
  EXPECT_EQ(format_duration(3725), "1:02:05");
  EXPECT_EQ(format_duration(INFINITY), "-");
  EXPECT_EQ(format_duration(NAN), "-");
}

TEST(TextFormat, TimesAreUtc) { EXPECT_EQ(format_time(1'768'489'468), "2026-01-15T15:04:28Z"); }

TEST(TextFormat, Changes) {
  EXPECT_EQ(format_change(61.39, 128.58), "-52.3%");
  EXPECT_EQ(format_change(3, 2), "+50.0%");
}

}  // namespace
}  // namespace gladius

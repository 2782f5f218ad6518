#include "gladius/train/report/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "support/random.h"

namespace gladius::train {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointwise;

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++found;
  }
  return found;
}

Plot plot_of(std::vector<double> values) {
  Plot plot{"Loss", {}, {{"each", std::move(values)}}, {}};
  for (std::size_t i = 0; i < plot.series[0].values.size(); ++i) {
    plot.steps.push_back(static_cast<double>(i));
  }
  return plot;
}

TEST(Plot, StretchesHaveMeanAndRangeOfTheirSteps) {
  const auto points = stretches(plot_of({1, 3, NAN, 5, 2, INFINITY, NAN}), 4);
  ASSERT_EQ(points.size(), 4u);
  EXPECT_EQ(points[0].first, 0);
  EXPECT_EQ(points[0].last, 1);
  EXPECT_EQ(points[0].ranges[0].low, 1);
  EXPECT_EQ(points[0].ranges[0].mean, 2);
  EXPECT_EQ(points[0].ranges[0].high, 3);
  EXPECT_EQ(points[1].ranges[0].mean, 5);
  EXPECT_EQ(points[2].ranges[0].mean, 2);
  EXPECT_TRUE(std::isnan(points[3].ranges[0].mean));
  EXPECT_TRUE(stretches(plot_of({}), 4).empty());
}

TEST(Plot, NoStepAndNoExtremeIsLost) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  testing::Rng rng(seed);
  for (int trial = 0; trial < 100; ++trial) {
    const auto steps = static_cast<std::size_t>(testing::random_int(rng, 1, 5000));
    const auto most = static_cast<std::size_t>(testing::random_int(rng, 1, 300));
    std::vector<double> values(steps);
    for (double& value : values) value = std::uniform_real_distribution<double>(-1, 1)(rng);
    const auto points = stretches(plot_of(values), most);
    EXPECT_LE(points.size(), most);
    EXPECT_EQ(points.front().first, 0);
    EXPECT_EQ(points.back().last, static_cast<double>(steps - 1));
    double low = 1, high = -1;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (i > 0) {
        EXPECT_EQ(points[i].first, points[i - 1].last + 1);
      }
      low = std::min(low, points[i].ranges[0].low);
      high = std::max(high, points[i].ranges[0].high);
    }
    EXPECT_EQ(low, *std::ranges::min_element(values));
    EXPECT_EQ(high, *std::ranges::max_element(values));
  }
}

TEST(Plot, TicksAreRoundAndEncloseTheRange) {
  EXPECT_THAT(round_ticks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(round_ticks(1.2, 3.9, 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(round_ticks(0, 3e-4, 4), Pointwise(DoubleNear(1e-12), {0.0, 1e-4, 2e-4, 3e-4}));
  EXPECT_THAT(round_ticks(7, 7, 4), ElementsAre(2, 4, 6, 8, 10, 12));
  EXPECT_THAT(round_ticks(0, 0, 4), ElementsAre(-1, -0.5, 0, 0.5, 1));
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  testing::Rng rng(seed);
  for (int trial = 0; trial < 1000; ++trial) {
    const double low = std::pow(10, testing::random_int(rng, -20, 20)) *
                       std::uniform_real_distribution<double>(-1, 1)(rng);
    const double high = low + std::pow(10, testing::random_int(rng, -20, 20));
    const auto ticks = round_ticks(low, high, 4);
    ASSERT_GE(ticks.size(), 2u);
    EXPECT_LE(ticks.size(), 12u);
    const double slack = 1e-8 * (ticks.back() - ticks.front());
    EXPECT_LE(ticks.front(), low + slack);
    EXPECT_GE(ticks.back(), high - slack);
  }
}

TEST(Plot, PointingAtAStepShowsItsValues) {
  const std::string svg = to_svg(plot_of({4, NAN, 2}));
  EXPECT_EQ(count(svg, "<g class=\"at\">"), 3u);
  EXPECT_EQ(count(svg, "<circle"), 2u);
  EXPECT_THAT(svg, HasSubstr(">step 2</text><text x=\"22\" y=\"28\">each: 2</text>"));
  EXPECT_THAT(svg, HasSubstr(">step 1</text><text x=\"22\" y=\"28\">each: -</text>"));
  // From the highest value down to the lowest; between them nothing, as there is no value.
  EXPECT_THAT(svg, HasSubstr("d=\"M0.0,42.0h0M1000.0,242.0h0\""));
}

// What the heading is beside, so that it has one line.
TEST(Plot, TheLegendIsInThePicture) {
  Plot plot = plot_of({4, 2});
  plot.series.push_back({"all", {3, 3}});
  const std::string svg = to_svg(plot);
  EXPECT_THAT(svg, HasSubstr("<figcaption><b>Loss</b></figcaption>"));
  EXPECT_EQ(count(svg, "<rect class=\"key s"), 2u);
}

TEST(Plot, AsAFileItStandsAlone) {
  Plot plot = plot_of({4, NAN, 2});
  plot.series[0].name = "<each>";
  plot.marks = {{1, "\"&'"}};
  const std::string svg = to_svg_file(plot);
  EXPECT_THAT(svg,
              ::testing::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\""));
  EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
  for (const char* part : {"<style>", ">Loss</text>", ">&lt;each&gt;: 2</text>",
                           ">&quot;&amp;&#39;</text>", "d=\"M0.0,42.0h0M1000.0,242.0h0\""}) {
    EXPECT_THAT(svg, HasSubstr(part));
  }
  for (const char* part : {"class=\"at\"", "var(", "nan", "href", "url("}) {
    EXPECT_THAT(svg, Not(HasSubstr(part)));
  }
  EXPECT_EQ(svg, to_svg_file(plot));
}

TEST(Plot, ALineJoinsValuesThatAreSparse) {
  Plot plot = plot_of({4, NAN, 2});
  plot.series[0].sparse = true;
  EXPECT_THAT(to_svg(plot), HasSubstr("d=\"M0.0,42.0L1000.0,242.0\""));
}

TEST(Plot, WithoutValuesThereIsNoLine) {
  EXPECT_THAT(to_svg(plot_of({})), Not(HasSubstr("<svg")));
  for (const Plot& plot : {plot_of({NAN}), plot_of({3}), plot_of({3, 3})}) {
    EXPECT_THAT(to_svg(plot), Not(HasSubstr("nan")));
    EXPECT_THAT(to_svg(plot), Not(HasSubstr("inf")));
  }
}

TEST(Plot, MarksStandWhereTheyAre) {
  Plot plot = plot_of({1, 2, 3, 4, 5});
  plot.marks = {{0, "one"}, {2, "two"}, {9, "not yet"}};
  const std::string svg = to_svg(plot);
  EXPECT_THAT(svg, HasSubstr("x=\"50.00%\" dx=\"4\" y=\"54\">two</text>"));
  EXPECT_THAT(svg, HasSubstr(">one</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("not yet")));
}

TEST(Plot, ManyStepsAreFewPoints) {
  std::vector<double> values(100'001);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1.0 / static_cast<double>(i + 1);
  const std::string svg = to_svg(plot_of(values));
  EXPECT_LE(count(svg, "<circle"), 250u);
  EXPECT_GE(count(svg, "<circle"), 125u);
  EXPECT_THAT(svg, HasSubstr("steps 0 to 400<"));
  EXPECT_THAT(svg, HasSubstr(" to 100,000<"));
}

}  // namespace
}  // namespace gladius::train

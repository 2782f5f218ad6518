// Two models compared.
#pragma once

#include <gtest/gtest.h>

#include "gladius/models/language_model.h"

namespace gladius::testing {

inline void expect_same_weights(const LanguageModel& a, const LanguageModel& b) {
  const NamedTensors x = a.state_dict(), y = b.state_dict();
  ASSERT_EQ(x.size(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(x[i].first, y[i].first);
    ASSERT_EQ(x[i].second.shape(), y[i].second.shape()) << x[i].first;
    EXPECT_EQ(x[i].second.to_vector<float>(), y[i].second.to_vector<float>()) << x[i].first;
  }
}

}  // namespace gladius::testing

// What an error says.
#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <string>

#include "gladius/tensor/base/error.h"

namespace gladius::testing {

/// The message of the E that `f` must throw; a test failure and "" if it does not.
template <class E = Error, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& other) {
    ADD_FAILURE() << "another kind of error: " << other.what();
    return "";
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace gladius::testing

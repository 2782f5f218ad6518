// The library's exceptions. Each message says what was expected, what came and where.
#pragma once

#include <stdexcept>
#include <string>

namespace gladius {

/// Base of every exception the library throws for wrong use or bad input.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Sizes, strides or indices that do not fit the operation.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// An element type that the operation does not take.
class DtypeError : public Error {
 public:
  using Error::Error;
};

/// A file that cannot be opened, read, written or renamed.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A file that can be read but whose contents are malformed.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// A configuration (model or run) that is invalid or not supported.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// A graph used against its rules: a second backward, a saved value changed in place, ...
class GraphError : public Error {
 public:
  using Error::Error;
};

}  // namespace gladius

// A reader of TensorBoard's event files, apart from the product's writer.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace gladius::testing {

/// An Event message; what a test does not look at is left out.
struct ReadEvent {
  double wall_time = 0;
  std::uint64_t step = 0;
  std::string file_version;
  std::map<std::string, float> scalars;
};

namespace event_reader {

template <typename Number>
Number take(std::string_view& bytes) {
  if (bytes.size() < sizeof(Number)) throw std::runtime_error("an event ends too early");
  Number value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

inline std::string_view take_bytes(std::string_view& bytes, std::uint64_t size) {
  if (bytes.size() < size) throw std::runtime_error("an event ends too early");
  const std::string_view taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return taken;
}

inline std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<unsigned char>(bytes);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
}

// Bit by bit, as the definition has it.
inline std::uint32_t masked_crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1U)));
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

// Calls field(number, value as bytes) for each field of a message.
template <typename Field>
void read_message(std::string_view message, const Field& field) {
  while (!message.empty()) {
    const std::uint64_t key = take_varint(message);
    std::string_view value;
    switch (key & 7) {
      case 0: {
        const std::string_view before = message;
        take_varint(message);
        value = before.substr(0, before.size() - message.size());
        break;
      }
      case 1:
        value = take_bytes(message, 8);
        break;
      case 2:
        value = take_bytes(message, take_varint(message));
        break;
      case 5:
        value = take_bytes(message, 4);
        break;
      default:
        throw std::runtime_error("an unknown kind of field");
    }
    field(key >> 3, value);
  }
}

inline ReadEvent read_event(std::string_view message) {
  ReadEvent event;
  read_message(message, [&](std::uint64_t number, std::string_view value) {
    if (number == 1) event.wall_time = take<double>(value);
    if (number == 2) event.step = take_varint(value);
    if (number == 3) event.file_version = value;
    if (number != 5) return;
    read_message(value, [&](std::uint64_t, std::string_view scalar) {
      std::string tag;
      float simple_value = 0;
      read_message(scalar, [&](std::uint64_t part, std::string_view content) {
        if (part == 1) tag = content;
        if (part == 2) simple_value = take<float>(content);
      });
      event.scalars[tag] = simple_value;
    });
  });
  return event;
}

}  // namespace event_reader

/// All events of a file's bytes; std::runtime_error for what is not whole.
inline std::vector<ReadEvent> read_events(std::string_view file) {
  using namespace event_reader;
  std::vector<ReadEvent> events;
  while (!file.empty()) {
    const std::string_view header = file.substr(0, 8);
    const auto length = take<std::uint64_t>(file);
    if (take<std::uint32_t>(file) != masked_crc32c(header)) {
      throw std::runtime_error("a length does not have its checksum");
    }
    const std::string_view message = take_bytes(file, length);
    if (take<std::uint32_t>(file) != masked_crc32c(message)) {
      throw std::runtime_error("an event does not have its checksum");
    }
    events.push_back(read_event(message));
  }
  return events;
}

}  // namespace gladius::testing

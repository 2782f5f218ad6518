#include "gladius/train/report/tensorboard/event.h"

#include <array>
#include <bit>
#include <cmath>
#include <optional>

namespace gladius::train {
namespace {

// Little-endian, whatever the machine is.
template <typename Unsigned>
std::string fixed(Unsigned value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    bytes += static_cast<char>(value >> (8 * i) & 0xff);
  }
  return bytes;
}

std::uint64_t read_fixed64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    table[byte] = crc;
  }
  return table;
}();

// As TFRecord stores it: a checksum of bytes that hold their own checksum would be weak.
std::string masked_crc(std::string_view bytes) {
  return fixed(std::rotr(crc32c(bytes), 15) + 0xa282ead8U);
}

// Protocol buffers: a field is its number and kind, then the value.
enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string key(int field, Wire wire) {
  return varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
}

std::string bytes_field(int field, std::string_view value) {
  return key(field, Wire::bytes) + varint(value.size()) + std::string(value);
}

// Event.wall_time comes first, so that wall_time_of finds it.
std::string wall_time_field(double wall_time) {
  return key(1, Wire::fixed64) + fixed(std::bit_cast<std::uint64_t>(wall_time));
}
constexpr std::size_t kWallTimeAt = sizeof(std::uint64_t) + sizeof(std::uint32_t) + 1;

// Summary.value, a Summary.Value with tag and simple_value.
std::string scalar(std::string_view tag, double value) {
  return bytes_field(1, bytes_field(1, tag) + key(2, Wire::fixed32) +
                            fixed(std::bit_cast<std::uint32_t>(static_cast<float>(value))));
}

struct Scalar {
  std::string_view tag;
  std::optional<double> value;
};

// Of the cases, or of the calls if there are any.
std::optional<double> share_of(const std::optional<StepSuite>& suite,
                               std::int64_t StepSuite::*right, std::int64_t StepSuite::*all) {
  if (!suite || *suite.*all == 0) return std::nullopt;
  return static_cast<double>(*suite.*right) / static_cast<double>(*suite.*all);
}

std::string summary(const StepRecord& record) {
  const std::optional<StepEvaluation>& evaluation = record.evaluation;
  const std::optional<StepOnPolicy>& own = record.on_policy;
  const Scalar scalars[] = {
      {"loss/loss", record.loss},
      {"loss/loss_running_mean", record.loss_running_mean},
      {"loss/loss_window_mean", record.loss_window_mean},
      {"loss/kl", record.kl},
      {"loss/ce", record.ce},
      {"optimizer/lr", record.lr},
      {"optimizer/grad_norm", record.grad_norm},
      {"throughput/tokens_per_s", record.tokens_per_s},
      {"memory/memory_mib", record.memory_mib},
      {"on_policy/share", own ? std::optional(own->share) : std::nullopt},
      {"on_policy/mean_tokens", own ? own->mean_tokens : std::nullopt},
      {"on_policy/tokens_per_s", own ? own->tokens_per_s : std::nullopt},
      {"eval/eval_cross_entropy",
       evaluation ? std::optional(evaluation->cross_entropy) : std::nullopt},
      {"eval/eval_perplexity", evaluation ? std::optional(evaluation->perplexity) : std::nullopt},
      {"eval/eval_bits_per_byte", evaluation ? evaluation->bits_per_byte : std::nullopt},
      {"suite/all_right", share_of(record.suite, &StepSuite::all_right, &StepSuite::cases)},
      {"suite/name_right", share_of(record.suite, &StepSuite::name_right, &StepSuite::calls)}};
  std::string message;
  for (const auto& [tag, value] : scalars) {
    if (value && std::isfinite(*value)) message += scalar(tag, *value);
  }
  for (const auto& [part, norm] : record.grad_norms) {
    if (std::isfinite(norm)) message += scalar("grad_norms/" + part, norm);
  }
  return message;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return ~crc;
}

std::string tfrecord_frame(std::string_view payload) {
  const std::string length = fixed(std::uint64_t{payload.size()});
  return length + masked_crc(length) + std::string(payload) + masked_crc(payload);
}

std::string version_frame(double wall_time) {
  return tfrecord_frame(wall_time_field(wall_time) + bytes_field(3, "brain.Event:2"));
}

std::string step_frame(const StepRecord& record, double wall_time) {
  return tfrecord_frame(wall_time_field(wall_time) + key(2, Wire::varint) +
                        varint(static_cast<std::uint64_t>(record.step)) +
                        bytes_field(5, summary(record)));
}

double wall_time_of(std::string_view frame) {
  if (frame.size() < kWallTimeAt + sizeof(double)) return 0;
  return std::bit_cast<double>(read_fixed64(frame.substr(kWallTimeAt)));
}

}  // namespace gladius::train

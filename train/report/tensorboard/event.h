// What TensorBoard's event files consist of: TFRecord frames with Event messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gladius/train/run/metrics.h"

namespace gladius::train {

/// CRC-32C (Castagnoli), as in RFC 3720, appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

/// One record of a TFRecord file (tensorflow/core/lib/io/record_writer.h): length, its checksum,
/// payload, its checksum.
std::string tfrecord_frame(std::string_view payload);

/// The frame of the Event (tensorflow/core/util/event.proto) that begins a file. Times are seconds
/// since 1970.
std::string version_frame(double wall_time);

/// The frame of a step's Event: a scalar for each number in the record that TensorBoard shows,
/// under the metrics' names, in the groups loss/, optimizer/, throughput/ and eval/. A number that
/// is not there or not finite (null in metrics.jsonl) has none. The length follows from the record
/// alone.
std::string step_frame(const StepRecord& record, double wall_time);

/// The wall time of a frame of one of the two kinds; 0 for bytes too few to have it.
double wall_time_of(std::string_view frame);

}  // namespace gladius::train

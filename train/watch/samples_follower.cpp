#include "gladius/train/watch/samples_follower.h"

#include <algorithm>

#include "gladius/train/run/samples.h"

namespace gladius::train {

using Json = nlohmann::ordered_json;

bool SamplesFollower::update() {
  const NewLines lines = lines_.look();
  if (lines.started_over) {
    places_.clear();
    ++generation_;
  }
  std::int64_t count = 0;
  for (std::size_t begin = 0; begin < lines.text.size(); ++count) {
    const std::size_t size = lines.text.find('\n', begin) - begin;
    const auto step = step_of_samples(lines.text.substr(begin, size));
    const bool follows = step && (places_.empty() || *step > places_.back().step);
    if (follows) places_.push_back({*step, lines.offset + begin, size});
    begin += size + 1;
  }
  lines_.take(lines, count);
  return lines.started_over || count > 0;
}

Json SamplesFollower::at(std::int64_t step) const {
  Json steps = Json::array();
  for (const Place& place : places_) steps.push_back(place.step);
  Json result{{"steps", std::move(steps)}, {"step", nullptr}, {"samples", nullptr}};
  const auto next = std::ranges::upper_bound(places_, step, {}, &Place::step);
  if (next == places_.begin()) return result;
  const Place& place = *(next - 1);
  const Json line =
      Json::parse(lines_.bytes(place.offset, place.size), nullptr, /*allow_exceptions=*/false);
  if (!line.is_object() || !line.contains("samples")) return result;  // it has just changed
  result["step"] = place.step;
  result["samples"] = line["samples"];
  return result;
}

}  // namespace gladius::train

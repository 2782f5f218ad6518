// A key of the run file, stated once: how it is read, written and described.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "gladius/tensor/base/enum_names.h"
#include "gladius/train/run/run_fields.h"
#include "gladius/train/run/run_keys.h"

namespace gladius::train {

/// A key that is bound to a member of Config. Its default is what a new Config has there.
template <class Config>
struct RunKey {
  std::string name;
  std::string expects;
  std::string meaning;
  OnResume on_resume = OnResume::refused;
  bool required = false;
  /// Puts the key's value into the member, which is left as it is where the key is missing.
  /// ConfigError as RunFields.
  std::function<void(const RunFields&, Config&)> read;
  std::function<nlohmann::ordered_json(const Config&)> write;
  /// Of a section or a list: the keys inside, with paths that begin there.
  std::vector<RunKeyDescription> inner = {};
};

/// JSON as the documentation shows a default: numbers short, "" as null.
std::string shown_default(const nlohmann::ordered_json& value);
/// "a whole number in [1, 64]", "a number above 0"
std::string described(const std::pair<std::int64_t, std::int64_t>& range);
std::string described(const char* what, const RunFields::Range& range);
/// One as text, several as a list, none as null.
nlohmann::ordered_json paths_json(const std::vector<std::filesystem::path>& paths);

/// The keys of one object of the run file, in order.
template <class Config>
class RunKeys {
 public:
  RunKeys(std::initializer_list<RunKey<Config>> keys) : keys_(keys) {}

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const RunKey<Config>& key : keys_) names.push_back(key.name);
    return names;
  }
  /// ConfigError for a key that is not among these, or as RunFields.
  void read(const RunFields& fields, Config& config) const {
    fields.require_known(names());
    for (const RunKey<Config>& key : keys_) {
      if (key.required && !fields.has(key.name)) {
        fields.fail(key.name, fmt::format("is missing: {}", key.meaning));
      }
      key.read(fields, config);
    }
  }
  nlohmann::ordered_json write(const Config& config) const {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (const RunKey<Config>& key : keys_) json[key.name] = key.write(config);
    return json;
  }
  /// A section is described by its keys alone, a list also by a row of its own.
  std::vector<RunKeyDescription> describe() const {
    std::vector<RunKeyDescription> rows;
    for (const RunKey<Config>& key : keys_) {
      if (!key.expects.empty()) {
        rows.push_back({key.name, key.expects,
                        key.required ? kRequired : shown_default(key.write(Config{})), key.meaning,
                        key.on_resume});
      }
      for (RunKeyDescription inner : key.inner) {
        inner.path = key.name + "." + inner.path;
        rows.push_back(std::move(inner));
      }
    }
    return rows;
  }

 private:
  std::vector<RunKey<Config>> keys_;
};

/// Makers of keys, one a type.
namespace run_key {

using Json = nlohmann::ordered_json;
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr RunFields::Range kPositive{
    .low = 0, .high = kInfinity, .open_low = true, .open_high = true};
inline constexpr RunFields::Range kNotNegative{.low = 0, .high = kInfinity, .open_high = true};

/// A key whose value RunFields reads with `get(fields, name, the value so far)` and JSON can hold.
template <class Config, class Value, class Get>
RunKey<Config> plain(std::string name, Value Config::*member, std::string expects,
                     std::string meaning, OnResume on_resume, Get get) {
  return {.name = name,
          .expects = std::move(expects),
          .meaning = std::move(meaning),
          .on_resume = on_resume,
          .read = [=](const RunFields& fields,
                      Config& config) { config.*member = get(fields, name, config.*member); },
          .write = [=](const Config& config) { return Json(config.*member); }};
}

template <class Config>
RunKey<Config> boolean(std::string name, bool Config::*member, std::string meaning,
                       OnResume on_resume = OnResume::refused) {
  return plain(name, member, "true or false", meaning, on_resume,
               [](const RunFields& fields, const std::string& key, bool value) {
                 return fields.value_or(key, value);
               });
}

/// In [range.first, range.second].
template <class Config>
RunKey<Config> integer(std::string name, std::int64_t Config::*member,
                       std::pair<std::int64_t, std::int64_t> range, std::string meaning,
                       OnResume on_resume = OnResume::refused) {
  return plain(name, member, described(range), meaning, on_resume,
               [range](const RunFields& fields, const std::string& key, std::int64_t value) {
                 return fields.integer(key, value, range.first, range.second);
               });
}

/// null where there is none.
template <class Config>
RunKey<Config> integer(std::string name, std::optional<std::int64_t> Config::*member,
                       std::pair<std::int64_t, std::int64_t> range, std::string meaning,
                       OnResume on_resume = OnResume::refused) {
  return {.name = name,
          .expects = described(range) + ", or null",
          .meaning = std::move(meaning),
          .on_resume = on_resume,
          .read =
              [=](const RunFields& fields, Config& config) {
                if (!fields.has(name)) return;
                config.*member = fields.integer(name, range.first, range.first, range.second);
              },
          .write =
              [=](const Config& config) {
                return config.*member ? Json(*(config.*member)) : Json(nullptr);
              }};
}

/// A list of them; null where there are none.
template <class Config>
RunKey<Config> integers(std::string name, std::vector<std::int64_t> Config::*member,
                        std::pair<std::int64_t, std::int64_t> range, std::string meaning,
                        OnResume on_resume = OnResume::refused) {
  return {.name = name,
          .expects = "a list of whole numbers, or null",
          .meaning = std::move(meaning),
          .on_resume = on_resume,
          .read =
              [=](const RunFields& fields, Config& config) {
                if (fields.has(name)) config.*member = fields.integers(name, range);
              },
          .write =
              [=](const Config& config) {
                return (config.*member).empty() ? Json(nullptr) : Json(config.*member);
              }};
}

template <class Config>
RunKey<Config> number(std::string name, double Config::*member, RunFields::Range range,
                      std::string meaning, OnResume on_resume = OnResume::refused) {
  return plain(name, member, described("a number", range), meaning, on_resume,
               [range](const RunFields& fields, const std::string& key, double value) {
                 return fields.number(key, value, range);
               });
}

template <class Config>
RunKey<Config> numbers(std::string name, std::pair<double, double> Config::*member,
                       RunFields::Range range, std::string meaning,
                       OnResume on_resume = OnResume::refused) {
  return plain(name, member, described("a list of two numbers", range), meaning, on_resume,
               [range](const RunFields& fields, const std::string& key,
                       std::pair<double, double> value) { return fields.pair(key, value, range); });
}

/// One of kEnumNames<Enum>.
template <class Config, class Enum>
RunKey<Config> choice(std::string name, Enum Config::*member, std::string meaning,
                      OnResume on_resume = OnResume::refused) {
  return {.name = name,
          .expects = fmt::format("{}", fmt::join(names_of<Enum>(), " or ")),
          .meaning = std::move(meaning),
          .on_resume = on_resume,
          .read =
              [=](const RunFields& fields, Config& config) {
                config.*member = *value_named<Enum>(
                    fields.choice(name, name_of(config.*member), names_of<Enum>()));
              },
          .write = [=](const Config& config) { return Json(name_of(config.*member)); }};
}

template <class Config>
RunKey<Config> text(std::string name, std::string Config::*member, std::string meaning,
                    OnResume on_resume = OnResume::refused) {
  return plain(name, member, "text", meaning, on_resume,
               [](const RunFields& fields, const std::string& key, const std::string& value) {
                 return fields.value_or(key, value);
               });
}

/// A list of them, none of them empty; null where there are none.
template <class Config>
RunKey<Config> texts(std::string name, std::vector<std::string> Config::*member, std::size_t most,
                     std::string meaning, OnResume on_resume = OnResume::refused) {
  return {.name = name,
          .expects = fmt::format("a list of up to {} texts, or null", most),
          .meaning = std::move(meaning),
          .on_resume = on_resume,
          .read =
              [=](const RunFields& fields, Config& config) {
                if (fields.has(name)) config.*member = fields.texts(name, most);
              },
          .write =
              [=](const Config& config) {
                return (config.*member).empty() ? Json(nullptr) : Json(config.*member);
              }};
}

template <class Config>
RunKey<Config> path(std::string name, std::filesystem::path Config::*member, std::string meaning,
                    OnResume on_resume = OnResume::refused) {
  return {.name = name,
          .expects = "a path",
          .meaning = std::move(meaning),
          .on_resume = on_resume,
          .read =
              [=](const RunFields& fields, Config& config) {
                if (const auto given = fields.path(name)) config.*member = *given;
              },
          .write = [=](const Config& config) { return Json((config.*member).string()); }};
}

/// null where there is none.
template <class Config>
RunKey<Config> path(std::string name, std::optional<std::filesystem::path> Config::*member,
                    std::string meaning, OnResume on_resume = OnResume::refused) {
  return {.name = name,
          .expects = "a path, or null",
          .meaning = std::move(meaning),
          .on_resume = on_resume,
          .read =
              [=](const RunFields& fields, Config& config) {
                if (fields.has(name)) config.*member = fields.path(name);
              },
          .write =
              [=](const Config& config) {
                return config.*member ? Json((config.*member)->string()) : Json(nullptr);
              }};
}

template <class Config>
RunKey<Config> paths(std::string name, std::vector<std::filesystem::path> Config::*member,
                     std::string meaning, OnResume on_resume = OnResume::refused) {
  return {
      .name = name,
      .expects = "a path, or a list of them",
      .meaning = std::move(meaning),
      .on_resume = on_resume,
      .read = [=](const RunFields& fields, Config& config) { config.*member = fields.paths(name); },
      .write = [=](const Config& config) { return paths_json(config.*member); }};
}

/// An object with keys of its own.
template <class Config, class Section>
RunKey<Config> section(std::string name, Section Config::*member, const RunKeys<Section>& keys) {
  return {.name = name,
          .expects = "",
          .meaning = "",
          .read = [=](const RunFields& fields,
                      Config& config) { keys.read(fields.object(name), config.*member); },
          .write = [=](const Config& config) { return keys.write(config.*member); },
          .inner = keys.describe()};
}

/// The same, or null where there is none.
template <class Config, class Section>
RunKey<Config> section(std::string name, std::optional<Section> Config::*member,
                       std::string meaning, const RunKeys<Section>& keys) {
  return {.name = name,
          .expects = "an object, or null",
          .meaning = std::move(meaning),
          .read =
              [=](const RunFields& fields, Config& config) {
                if (fields.has(name)) keys.read(fields.object(name), (config.*member).emplace());
              },
          .write =
              [=](const Config& config) {
                return config.*member ? keys.write(*(config.*member)) : Json(nullptr);
              },
          .inner = keys.describe()};
}

/// A list of such objects.
template <class Config, class Element>
RunKey<Config> list(std::string name, std::vector<Element> Config::*member, std::string meaning,
                    const RunKeys<Element>& keys) {
  std::vector<RunKeyDescription> inner = keys.describe();
  for (RunKeyDescription& row : inner) row.path = "N." + row.path;
  return {.name = name,
          .expects = "a list of objects",
          .meaning = std::move(meaning),
          .read =
              [=](const RunFields& fields, Config& config) {
                for (const RunFields& element : fields.objects(name)) {
                  keys.read(element, (config.*member).emplace_back());
                }
              },
          .write =
              [=](const Config& config) {
                Json json = Json::array();
                for (const Element& element : config.*member) json.push_back(keys.write(element));
                return json;
              },
          .inner = std::move(inner)};
}

/// `none` ("", 0) is written as null, which reads as a missing key.
template <class Config>
RunKey<Config> null_for(const Json& none, RunKey<Config> key) {
  key.expects += ", or null";
  key.write = [none, write = key.write](const Config& config) {
    const Json value = write(config);
    return value == none ? Json(nullptr) : value;
  };
  return key;
}

template <class Config>
RunKey<Config> required(RunKey<Config> key) {
  key.required = true;
  return key;
}

}  // namespace run_key
}  // namespace gladius::train

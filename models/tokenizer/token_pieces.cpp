#include "gladius/models/tokenizer/token_pieces.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius::text {
namespace {

using Json = nlohmann::json;

// A component without what it puts in front of a text; null for one that does nothing else.
Json without_prefix(Json component) {
  if (!component.is_object()) return component;
  if (component.value("type", Json()) == "Prepend") return nullptr;
  for (const char* list : {"normalizers", "pretokenizers"}) {
    if (!component.contains(list)) continue;
    Json kept = Json::array();
    for (const Json& part : component.at(list)) {
      if (Json rest = without_prefix(part); !rest.is_null()) kept.push_back(std::move(rest));
    }
    component[list] = std::move(kept);
  }
  if (component.contains("add_prefix_space")) component["add_prefix_space"] = false;
  if (component.value("type", Json()) == "Metaspace") component["prepend_scheme"] = "never";
  return component;
}

// A directory's tokenizer whose encodings are those of the middle of a text.
Tokenizer load_for_continuations(const std::filesystem::path& directory) {
  auto root = read_tokenizer_json<Json>(directory);
  for (const char* role : {"normalizer", "pre_tokenizer"}) {
    if (root.contains(role)) root[role] = without_prefix(root.at(role));
  }
  return Tokenizer::load(directory, root);
}

// Writes bytes in the student's entries.
class PieceEncoder {
 public:
  PieceEncoder(const TokenBytes& bytes, const std::filesystem::path& directory)
      : tokenizer_(load_for_continuations(directory)) {
    const auto size = bytes.tokenizer().vocab_size();
    std::unordered_map<std::string, std::int32_t> first;
    single_bytes_.fill(-1);
    for (std::int32_t id = 0; id < size; ++id) {
      canonical_.push_back(id);
      bytes_.push_back(bytes[id].value_or(""));
      const std::string& text = bytes_.back();
      if (text.empty() || bytes.tokenizer().is_added(id)) continue;
      canonical_.back() = first.try_emplace(text, id).first->second;
      if (text.size() == 1) single_bytes_[static_cast<unsigned char>(text[0])] = canonical_.back();
    }
  }

  // Nothing where the student cannot write them: what it would write has other bytes.
  std::vector<std::int32_t> encode(std::string_view text) const {
    std::vector<std::int32_t> pieces;
    for (std::size_t pos = 0; pos < text.size();) {
      std::size_t end = pos;
      while (end < text.size()) {
        const std::size_t length = utf8::valid_length(text, end);
        if (length == 0) break;
        end += length;
      }
      for (const std::int32_t id : tokenizer_.encode(text.substr(pos, end - pos), false)) {
        pieces.push_back(canonical_[static_cast<std::size_t>(id)]);
      }
      if (end < text.size()) pieces.push_back(single_bytes_[static_cast<unsigned char>(text[end])]);
      pos = end + 1;
    }
    return writes(pieces, text) ? pieces : std::vector<std::int32_t>();
  }

  std::vector<std::int32_t> take_canonical() { return std::move(canonical_); }

 private:
  bool writes(const std::vector<std::int32_t>& pieces, std::string_view text) const {
    std::size_t at = 0;
    for (const std::int32_t id : pieces) {
      if (id < 0) return false;
      const std::string& bytes = bytes_[static_cast<std::size_t>(id)];
      if (bytes.empty() || text.substr(at, bytes.size()) != bytes) return false;
      at += bytes.size();
    }
    return at == text.size();
  }

  Tokenizer tokenizer_;
  std::vector<std::int32_t> canonical_;
  std::vector<std::string> bytes_;
  std::array<std::int32_t, 256> single_bytes_;
};

std::optional<std::int32_t> named(const Tokenizer& tokenizer, const char* name) {
  const auto& tokens = tokenizer.special_tokens();
  if (!tokens.contains(name) || !tokens.at(name).is_string()) return {};
  const std::int32_t id = tokenizer.token_to_id(tokens.at(name).get<std::string>());
  return id < 0 ? std::nullopt : std::optional(id);
}

// The student's token for a special one of the teacher's.
std::vector<std::int32_t> special_piece(const Tokenizer& teacher, std::int32_t id,
                                        const Tokenizer& student) {
  const std::int32_t same = student.token_to_id(teacher.id_to_token(id));
  if (same >= 0 && student.is_added(same)) return {same};
  for (const char* name : {"eos_token", "bos_token"}) {
    if (named(teacher, name) != id) continue;
    if (const auto other = named(student, name)) return {*other};
  }
  return {};
}

}  // namespace

TokenPieces::TokenPieces(const TokenBytes& teacher, const TokenBytes& student,
                         const std::filesystem::path& student_directory) {
  PieceEncoder encoder(student, student_directory);
  begins_.push_back(0);
  const auto size = static_cast<std::int32_t>(teacher.tokenizer().vocab_size());
  for (std::int32_t id = 0; id < size; ++id) {
    const std::vector<std::int32_t> pieces =
        teacher.tokenizer().is_special(id)
            ? special_piece(teacher.tokenizer(), id, student.tokenizer())
            : encoder.encode(teacher[id].value_or(""));
    pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
    begins_.push_back(static_cast<std::uint32_t>(pieces_.size()));
  }
  canonical_ = encoder.take_canonical();
  index();
}

TokenPieces::TokenPieces(const std::vector<std::vector<std::int32_t>>& pieces,
                         std::vector<std::int32_t> canonical)
    : begins_{0}, canonical_(std::move(canonical)) {
  for (const auto& list : pieces) {
    for (const std::int32_t id : list)
      pieces_.push_back(canonical_.at(static_cast<std::size_t>(id)));
    begins_.push_back(static_cast<std::uint32_t>(pieces_.size()));
  }
  index();
}

void TokenPieces::index() {
  for (std::int32_t id = 0; id < student_size(); ++id) {
    const std::int32_t other = canonical_[static_cast<std::size_t>(id)];
    if (other != id) twins_.emplace_back(id, other);
  }
  for (std::int32_t id = 0; id < teacher_size(); ++id) {
    if (!pieces(id).empty()) order_.push_back(id);
  }
  std::ranges::stable_sort(order_, [this](std::int32_t a, std::int32_t b) {
    return std::ranges::lexicographical_compare(pieces(a), pieces(b));
  });
}

TokenPieces::Ids TokenPieces::pieces(std::int32_t teacher_id) const {
  if (teacher_id < 0 || teacher_id >= teacher_size()) return {};
  const auto id = static_cast<std::size_t>(teacher_id);
  return Ids(pieces_).subspan(begins_[id], begins_[id + 1] - begins_[id]);
}

std::int32_t TokenPieces::canonical(std::int32_t student_id) const {
  return student_id < 0 || student_id >= student_size()
             ? student_id
             : canonical_[static_cast<std::size_t>(student_id)];
}

std::pair<std::size_t, std::size_t> TokenPieces::beginning_with(Ids prefix) const {
  const auto beginning = [&](std::int32_t id) {
    return pieces(id).first(std::min(prefix.size(), pieces(id).size()));
  };
  const auto first = std::ranges::partition_point(order_, [&](std::int32_t id) {
    return std::ranges::lexicographical_compare(beginning(id), prefix);
  });
  const auto last = std::partition_point(first, order_.end(), [&](std::int32_t id) {
    return !std::ranges::lexicographical_compare(prefix, beginning(id));
  });
  return {static_cast<std::size_t>(first - order_.begin()),
          static_cast<std::size_t>(last - order_.begin())};
}

}  // namespace gladius::text

#include "gladius/models/tokenizer/text_alignment.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

namespace gladius::text {
namespace {

// The tokens [first, last) that lie within a content; offsets are from its begin.
class ContentTokens {
 public:
  ContentTokens(const TokenizedText& text, ByteSpan content)
      : text_(text), begin_(content.begin), size_(content.end - content.begin) {
    const auto inside = [&](const TokenPlace& place) {
      return place.end > place.begin && place.begin >= content.begin && place.end <= content.end;
    };
    const auto& places = text.places;
    const auto first = std::ranges::find_if(places, inside);
    first_ = static_cast<std::int32_t>(first - places.begin());
    last_ =
        static_cast<std::int32_t>(std::find_if_not(first, places.end(), inside) - places.begin());
  }

  bool empty() const { return first_ == last_; }
  std::int32_t first() const { return first_; }
  std::int32_t last() const { return last_; }
  std::int64_t size() const { return size_; }
  std::int32_t id(std::int32_t token) const { return text_.ids[static_cast<std::size_t>(token)]; }
  std::int64_t begin(std::int32_t token) const { return at(token).begin - begin_; }
  std::int64_t end(std::int32_t token) const { return at(token).end - begin_; }
  bool exact(std::int32_t token) const { return at(token).exact; }
  bool reaches_end() const { return !empty() && end(last_ - 1) == size_; }
  // The token behind the content, or -1.
  std::int32_t following() const {
    const auto next = static_cast<std::size_t>(last_);
    return reaches_end() && next < text_.ids.size() ? text_.ids[next] : -1;
  }

  // The token that `offset` lies in, or begins with.
  std::optional<std::int32_t> covering(std::int64_t offset) const {
    const auto tokens = text_.places.begin();
    const auto found =
        std::partition_point(tokens + first_, tokens + last_,
                             [&](const TokenPlace& place) { return place.end - begin_ <= offset; });
    const auto token = static_cast<std::int32_t>(found - tokens);
    if (token == last_ || begin(token) > offset) return {};
    return token;
  }

  // Whether tokens [from, to) stand for just their bytes, without a gap.
  bool spells(std::int32_t from, std::int32_t to) const {
    for (std::int32_t i = from; i < to; ++i) {
      if (!exact(i) || (i > from && begin(i) != end(i - 1))) return false;
    }
    return true;
  }

 private:
  const TokenPlace& at(std::int32_t token) const {
    return text_.places[static_cast<std::size_t>(token)];
  }

  const TokenizedText& text_;
  std::int64_t begin_, size_;
  std::int32_t first_ = 0, last_ = 0;
};

// The teacher's tokens that spell the student's `token`, of which `covering` is the first: if it is
// more than one, and their borders are the same.
std::pair<std::int32_t, std::int32_t> chain(const ContentTokens& student, std::int32_t token,
                                            const ContentTokens& teacher, std::int32_t covering) {
  const std::int64_t end = student.end(token);
  if (end <= teacher.end(covering)) return {0, 0};
  std::int32_t last = covering + 1;
  while (last < teacher.last() && teacher.end(last) < end) ++last;
  if (last == teacher.last() || teacher.end(last) != end) return {0, 0};
  return teacher.spells(covering, last + 1) ? std::pair(covering, last + 1) : std::pair(0, 0);
}

// The row that predicts the student's `token`, which is of the content.
AlignedRow row_before(const ContentTokens& student, std::int32_t token,
                      const ContentTokens& teacher) {
  const std::int64_t offset = student.begin(token);
  const auto covering = teacher.covering(offset);
  if (!covering || *covering == 0 || !teacher.exact(*covering)) return {};
  const std::int64_t boundary = teacher.begin(*covering);
  std::int32_t first = token;  // of the student's, from the teacher's boundary on
  while (first > student.first() && student.begin(first) > boundary) --first;
  if (student.begin(first) != boundary || !student.spells(first, token + 1)) return {};
  AlignedRow row{.teacher_row = *covering - 1, .emitted = token - first};
  std::tie(row.chain_begin, row.chain_end) = chain(student, token, teacher, *covering);
  return row;
}

// Whether the teacher's token that `row` predicts is one of those that its projection leads to the
// text: its pieces begin with the student's tokens behind the teacher's boundary, up to `token` or
// to the teacher's own end. In a text the student may cut the same bytes otherwise, as what follows
// merges with them ("un" "able" beside "una" "ble"); the projection would then give the text's next
// token nothing.
bool follows_text(const ContentTokens& student, std::int32_t token, const ContentTokens& teacher,
                  const AlignedRow& row, const TokenPieces& pieces) {
  const std::int32_t predicted = row.teacher_row + 1;
  const TokenPieces::Ids expected = pieces.pieces(teacher.id(predicted));
  const bool whole = student.end(token) <= teacher.end(predicted);
  const std::int32_t first = token - row.emitted, count = row.emitted + (whole ? 1 : 0);
  if (count > std::ssize(expected)) return false;
  for (std::int32_t i = 0; i < count; ++i) {
    if (pieces.canonical(student.id(first + i)) != expected[static_cast<std::size_t>(i)]) {
      return false;
    }
  }
  return true;
}

// The tokens of a content on both sides, and those that end it, or -1.
struct SharedContent {
  ContentTokens student, teacher;
  std::int32_t teacher_end = -1, student_end = -1;
};

std::vector<SharedContent> shared_contents(const TokenizedText& student,
                                           const TokenizedText& teacher,
                                           const std::function<bool(std::int32_t)>& is_special) {
  std::vector<SharedContent> shared;
  const std::size_t contents = std::min(student.contents.size(), teacher.contents.size());
  for (std::size_t i = 0; i < contents; ++i) {
    const ContentTokens ours(student, student.contents[i]), theirs(teacher, teacher.contents[i]);
    if (ours.empty() || theirs.empty() || ours.size() != theirs.size()) continue;
    SharedContent content{ours, theirs};
    const std::int32_t teacher_end = theirs.following(), student_end = ours.following();
    if (teacher_end >= 0 && student_end >= 0 && is_special(teacher_end)) {
      content.teacher_end = teacher_end, content.student_end = student_end;
    }
    shared.push_back(content);
  }
  return shared;
}

void align_content(const SharedContent& content, const TokenPieces& pieces,
                   std::vector<AlignedRow>& rows) {
  const ContentTokens &student = content.student, &teacher = content.teacher;
  const auto put = [&](std::int32_t index, AlignedRow row) {
    if (row.emitted == 0) {
      row.teacher_end = content.teacher_end, row.student_end = content.student_end;
    }
    rows[static_cast<std::size_t>(index)] = row;
  };
  for (std::int32_t token = std::max(student.first(), 1); token < student.last(); ++token) {
    AlignedRow row = row_before(student, token, teacher);
    if (row.teacher_row < 0 || !follows_text(student, token, teacher, row, pieces)) continue;
    row.next = pieces.canonical(student.id(token));
    put(token - 1, row);
  }
  if (!student.reaches_end() || !teacher.reaches_end()) return;
  put(student.last() - 1, {.teacher_row = teacher.last() - 1, .next = content.student_end});
}

// The first ends behind `student` and `teacher`, where tokens of both begin, that both have.
std::pair<std::int32_t, std::int32_t> next_border(const SharedContent& content,
                                                  std::int32_t student, std::int32_t teacher) {
  const ContentTokens &ours = content.student, &theirs = content.teacher;
  while (student < ours.last() && teacher < theirs.last()) {
    const std::int64_t difference = ours.end(student) - theirs.end(teacher);
    if (difference == 0) return {student + 1, teacher + 1};
    ++(difference < 0 ? student : teacher);
  }
  return {ours.last(), theirs.last()};
}

void chunk_content(const SharedContent& content, std::vector<AlignedChunk>& chunks) {
  const ContentTokens &ours = content.student, &theirs = content.teacher;
  std::int32_t student = ours.first(), teacher = theirs.first();
  while (student < ours.last() && teacher < theirs.last()) {
    if (ours.begin(student) != theirs.begin(teacher)) {
      ++(ours.begin(student) < theirs.begin(teacher) ? student : teacher);
      continue;
    }
    const auto [our_end, their_end] = next_border(content, student, teacher);
    if (student > 0 && teacher > 0 && ours.end(our_end - 1) == theirs.end(their_end - 1) &&
        ours.spells(student, our_end) && theirs.spells(teacher, their_end)) {
      chunks.push_back({student, our_end, teacher, their_end});
    }
    student = our_end, teacher = their_end;
  }
  if (content.teacher_end < 0) return;
  chunks.push_back({ours.last(), ours.last() + 1, theirs.last(), theirs.last() + 1});
}

}  // namespace

std::vector<AlignedRow> align(const TokenizedText& student, const TokenizedText& teacher,
                              const TokenPieces& pieces,
                              const std::function<bool(std::int32_t)>& is_special) {
  std::vector<AlignedRow> rows(student.ids.size());
  for (const SharedContent& content : shared_contents(student, teacher, is_special)) {
    align_content(content, pieces, rows);
  }
  return rows;
}

std::vector<AlignedChunk> align_chunks(const TokenizedText& student, const TokenizedText& teacher,
                                       const std::function<bool(std::int32_t)>& is_special) {
  std::vector<AlignedChunk> chunks;
  for (const SharedContent& content : shared_contents(student, teacher, is_special)) {
    chunk_content(content, chunks);
  }
  return chunks;
}

std::int64_t count_aligned(const std::vector<AlignedRow>& rows) {
  return std::ranges::count_if(rows, [](const AlignedRow& row) { return row.teacher_row >= 0; });
}

}  // namespace gladius::text

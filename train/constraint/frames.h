// The stacks of a grammar's automaton. For this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "gladius/train/constraint/grammar.h"
#include "gladius/train/constraint/json_text.h"
#include "gladius/train/constraint/object_rules.h"

namespace gladius::train {

/// How far a node is.
struct Progress {
  std::uint8_t phase = 0;
  Character character = Character::none;
  std::uint32_t at = 0;    // a state of a leaf, a place among names, a member, a part
  std::int64_t count = 0;  // characters, items, other members
  std::uint64_t used = 0;  // members

  bool operator==(const Progress&) const = default;
};

using FrameId = std::uint32_t;

/// A frame is a node with how far it is and the frame below it, which goes on when the node ends. A
/// frame stands for the whole stack below it; equal stacks are one frame. Every frame can come to
/// the end of the text, and knows the fewest bytes to there: some byte leads to a frame of one
/// fewer.
class Frames {
 public:
  static constexpr FrameId kEnd = 0;  // the text is whole
  /// Values of no schema lie within each other this deep.
  static constexpr std::uint32_t kMostAnyDepth = 8;

  /// `grammar` must outlive it.
  explicit Frames(const Grammar& grammar);

  FrameId start();
  /// Adds what the byte leads to.
  void step(FrameId frame, Byte byte, std::vector<FrameId>& out);
  std::int64_t cost(FrameId frame) const { return frames_[frame].cost; }
  /// For a string between two characters: how many characters it may still get, whatever they are.
  /// -1 otherwise.
  std::int64_t room_for_characters(FrameId frame) const;
  /// The frame with no more characters than the string needs, where it may still get so many from
  /// either: they go on alike for as long. Itself otherwise.
  FrameId far_from_bound(FrameId frame, std::int64_t characters);
  /// The same stack, of another set of frames of the same grammar.
  FrameId adopt(const Frames& other, FrameId frame);

 private:
  struct Frame {
    NodeId node = 0;
    FrameId parent = 0;
    Progress progress;
    std::int64_t cost = 0;
    std::uint32_t any_depth = 0;

    bool is_same(const Frame& other) const {
      return node == other.node && parent == other.parent && progress == other.progress;
    }
  };
  using Out = std::vector<FrameId>;

  FrameId push(NodeId node, const Progress& progress, FrameId parent);
  FrameId push_space(FrameId below) { return push(Grammar::kSpace, {}, below); }
  // What a choice begins with.
  void enter(const Choice& choice, FrameId parent, Out& out);
  // What goes on when a node above `frame` has ended.
  void resume(FrameId frame, Out& out);

  void step_in(const SpaceRule& rule, const Frame& frame, Byte byte, Out& out);
  void step_in(const LeafRule& rule, const Frame& frame, Byte byte, Out& out);
  void step_in(const StringRule& rule, const Frame& frame, Byte byte, Out& out);
  void step_in(const ArrayRule& rule, const Frame& frame, Byte byte, Out& out);
  void step_in(const ObjectRule& rule, const Frame& frame, Byte byte, Out& out);
  void step_in(const SequenceRule& rule, const Frame& frame, Byte byte, Out& out);
  void step_each(const Out& frames, Byte byte, Out& out);
  void enter_and_step(const Choice& choice, FrameId parent, Byte byte, Out& out);
  void begin_name(const ObjectRule& rule, const Frame& frame, Out& out);
  void step_in_name(const ObjectRule& rule, const Frame& frame, Byte byte, Out& out);
  void step_in_other_name(const ObjectRule& rule, const Frame& frame, Byte byte, Out& out);
  FrameId after_value(const ObjectRule& rule, const Frame& frame);

  // Bytes to the end of the text from this far.
  std::int64_t cost_of(const Frame& frame);
  std::int64_t cost_in(const StringRule& rule, const Frame& frame) const;
  std::int64_t cost_in(const ArrayRule& rule, const Frame& frame) const;
  std::int64_t cost_in(const ObjectRule& rule, const Frame& frame);
  std::int64_t cost_of_names(const ObjectRule& rule, const Frame& frame);
  std::int64_t cost_in(const SequenceRule& rule, const Frame& frame) const;

  const Grammar& grammar_;
  std::vector<Frame> frames_;
  std::unordered_multimap<std::size_t, FrameId> known_;  // by their hash
};

}  // namespace gladius::train

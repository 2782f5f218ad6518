// How blocks of quantised numbers are read, for the kernels that store or multiply them. Private to
// them; compiled once a target (see Highway's foreach_target.h), hence no #pragma once.
#if defined(GLADIUS_TENSOR_KERNELS_BLOCK_READERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GLADIUS_TENSOR_KERNELS_BLOCK_READERS_INL_H_
#undef GLADIUS_TENSOR_KERNELS_BLOCK_READERS_INL_H_
#else
#define GLADIUS_TENSOR_KERNELS_BLOCK_READERS_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include "gladius/tensor/dtype.h"
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Bytes = const std::uint8_t*;

HWY_INLINE float half_at(Bytes at) {
  const hn::CappedTag<float, 1> f32;
  const hn::Rebind<hwy::float16_t, decltype(f32)> f16;
  return hn::GetLane(
      hn::PromoteTo(f32, hn::LoadU(f16, reinterpret_cast<const hwy::float16_t*>(at))));
}

// Vectors of integers of the tag I (at most 16 lanes, or 32 of bytes) from bytes.
template <class I>
HWY_INLINE hn::Vec<I> load(I i, Bytes at) {
  if constexpr (sizeof(hn::TFromD<I>) == 1) {
    return hn::LoadU(i, at);
  } else {
    return hn::PromoteTo(i, hn::LoadU(hn::Rebind<std::uint8_t, I>(), at));
  }
}
template <class I>
HWY_INLINE hn::Vec<I> load_signed(I i, Bytes at) {
  return hn::PromoteTo(
      i, hn::LoadU(hn::Rebind<std::int8_t, I>(), reinterpret_cast<const std::int8_t*>(at)));
}

// Bits [kShift, kShift + kCount) of bytes.
template <int kCount, int kShift, class I>
HWY_INLINE hn::Vec<I> bits(I i, Bytes at) {
  const auto shifted = hn::ShiftRight<kShift>(load(i, at));
  return kShift + kCount == 8 ? shifted : hn::And(shifted, hn::Set(i, (1 << kCount) - 1));
}

// `value` where the bytes have bit `bit`, else 0.
template <class I>
HWY_INLINE hn::Vec<I> where_bit(I i, Bytes at, int bit, int value) {
  using T = hn::TFromD<I>;
  const auto wanted = hn::Set(i, static_cast<T>(1 << bit));
  return hn::IfThenElseZero(hn::TestBit(load(i, at), wanted), hn::Set(i, static_cast<T>(value)));
}

// Signed bytes, eight to a word, as floats times a factor.
template <int kCount>
HWY_INLINE void scaled(const std::uint64_t* words, float factor, float* to) {
  const hn::CappedTag<float, 8> f32;
  const hn::RebindToSigned<decltype(f32)> i32;
  for (int k = 0; k < kCount; k += static_cast<int>(hn::Lanes(f32))) {
    const auto numbers = hn::ConvertTo(f32, load_signed(i32, reinterpret_cast<Bytes>(words) + k));
    hn::StoreU(hn::Mul(numbers, hn::Set(f32, factor)), f32, to + k);
  }
}

// Levels `at` and on of 32 in 16 bytes, the low nibbles first.
template <class I>
HWY_INLINE hn::Vec<I> nibbles(I i, Bytes q, int at) {
  return at < 16 ? hn::And(load(i, q + at), hn::Set(i, 15))
                 : hn::ShiftRight<4>(load(i, q + at - 16));
}

// Bit j in element j. A shift by lanes of 16 bits would be many instructions.
template <class T>
struct BitPlaces {
  constexpr BitPlaces() {
    for (int j = 0; j < 16; ++j) bits[j] = static_cast<T>(1 << j);
  }
  alignas(64) T bits[16] = {};
};
template <class T>
constexpr BitPlaces<T> kBitPlaces;

// Bit `at` + j of the word in lane j, moved to bit 4.
template <class I>
HWY_INLINE hn::Vec<I> fifth_bits(I i, Bytes word, int at) {
  std::uint32_t all = 0;
  std::memcpy(&all, word, sizeof all);
  using T = hn::TFromD<I>;
  const auto places = hn::Load(i, kBitPlaces<T>.bits);
  const auto some = hn::Set(i, static_cast<T>(all >> at));
  return hn::IfThenElseZero(hn::TestBit(some, places), hn::Set(i, T{16}));
}

// A reader hands a block to the sink group by group, each of kGroup numbers that share a scale:
// sink(first number of the group, scale, q) for numbers scale q, or with a shift before q for
// scale q + shift. q(j) gives the integers of the numbers j and on of the group as a vector of I.
struct Q40Reader {
  static constexpr int kGroup = 32, kElements = 32, kBytes = 18;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    sink(0, half_at(block),
         [=](int j) HWY_ATTR { return hn::Sub(nibbles(i, block + 2, j), hn::Set(i, 8)); });
  }
};

struct Q41Reader {
  static constexpr int kGroup = 32, kElements = 32, kBytes = 20;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    sink(0, half_at(block), half_at(block + 2),
         [=](int j) HWY_ATTR { return nibbles(i, block + 4, j); });
  }
};

struct Q50Reader {
  static constexpr int kGroup = 32, kElements = 32, kBytes = 22;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    sink(0, half_at(block), [=](int j) HWY_ATTR {
      return hn::Sub(hn::Or(nibbles(i, block + 6, j), fifth_bits(i, block + 2, j)), hn::Set(i, 16));
    });
  }
};

struct Q51Reader {
  static constexpr int kGroup = 32, kElements = 32, kBytes = 24;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    sink(0, half_at(block), half_at(block + 2), [=](int j) HWY_ATTR {
      return hn::Or(nibbles(i, block + 8, j), fifth_bits(i, block + 4, j));
    });
  }
};

struct Q80Reader {
  static constexpr int kGroup = 32, kElements = 32, kBytes = 34;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    sink(0, half_at(block), [=](int j) HWY_ATTR { return load_signed(i, block + 2 + j); });
  }
};

// Of a block of a K type: number = d scale[g] (level - offset) - dmin minimum[g] for the groups g.
// The scales are signed bytes, the minima bytes; eight to a word.
struct KScales {
  float d = 0, dmin = 0;
  std::uint64_t scale[2] = {}, minimum[2] = {};
};

HWY_INLINE std::uint64_t eight_bytes(Bytes at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}
HWY_INLINE std::uint32_t four_bytes(Bytes at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}
HWY_INLINE std::uint64_t joined(std::uint32_t low, std::uint32_t high) {
  return low | std::uint64_t{high} << 32;
}
// A word of the same eight bytes.
constexpr std::uint64_t repeated(std::uint8_t byte) { return byte * 0x0101010101010101u; }

// What the K types have in common: blocks of 256 numbers, eight chunks of 32, with a scale for each
// chunk or half of it. A layout has the scales of a block, and levels(i, block, f) calls
// f(chunk, q) for the chunks in any order, q(j) being the levels j and on of the chunk: integers
// from 0 to kLevels - 1.
// u8 scales[16] (low nibble scale, high nibble minimum), qs[64], f16 d, f16 dmin: 32 bytes hold
// four chunks, two bits each.
struct Q2KLayout {
  static constexpr int kGroup = 16, kBytes = 84, kLevels = 4, kOffset = 0, kLargestScale = 15;
  static constexpr bool kHasMinima = true;
  static HWY_INLINE void scales(Bytes block, KScales& to) {
    to.d = half_at(block + 80), to.dmin = half_at(block + 82);
    for (int i = 0; i < 2; ++i) {
      const std::uint64_t both = eight_bytes(block + 8 * i);
      to.scale[i] = both & repeated(15), to.minimum[i] = both >> 4 & repeated(15);
    }
  }
  template <class I, class F>
  static HWY_INLINE void levels(I i, Bytes block, F f) {
    for (int part = 0; part < 2; ++part) {
      const Bytes q = block + 16 + 32 * part;
      f(4 * part, [=](int j) HWY_ATTR { return bits<2, 0>(i, q + j); });
      f(4 * part + 1, [=](int j) HWY_ATTR { return bits<2, 2>(i, q + j); });
      f(4 * part + 2, [=](int j) HWY_ATTR { return bits<2, 4>(i, q + j); });
      f(4 * part + 3, [=](int j) HWY_ATTR { return bits<2, 6>(i, q + j); });
    }
  }
};

// hmask[32], qs[64], scales[12] of 6 bits minus 32, f16 d: two bits as Q2_K, the third of chunk c
// is bit c of the mask.
struct Q3KLayout {
  static constexpr int kGroup = 16, kBytes = 110, kLevels = 8, kOffset = 4, kLargestScale = 32;
  static constexpr bool kHasMinima = false;
  static HWY_INLINE void scales(Bytes block, KScales& to) {
    to.d = half_at(block + 108);
    constexpr auto kFour = static_cast<std::uint32_t>(repeated(15));
    constexpr auto kTwo = static_cast<std::uint32_t>(repeated(3));
    const std::uint32_t a = four_bytes(block + 96), b = four_bytes(block + 100),
                        c = four_bytes(block + 104);
    const std::uint64_t six[2] = {
        joined((a & kFour) | (c & kTwo) << 4, (b & kFour) | (c >> 2 & kTwo) << 4),
        joined((a >> 4 & kFour) | (c >> 4 & kTwo) << 4, (b >> 4 & kFour) | (c >> 6 & kTwo) << 4)};
    for (int i = 0; i < 2; ++i) {  // minus 32: bit 5 turned round is the sign, bits 5 to 7
      const std::uint64_t sign = ~six[i] & repeated(32);
      to.scale[i] = (six[i] & repeated(31)) | sign * 7;
    }
  }
  template <class I, class F>
  static HWY_INLINE void levels(I i, Bytes block, F f) {
    Q2KLayout::levels(i, block + 16, [&](int chunk, auto two) HWY_ATTR {
      f(chunk, [=](int j) HWY_ATTR { return hn::Or(two(j), where_bit(i, block + j, chunk, 4)); });
    });
  }
};

// f16 d, f16 dmin, scales[12], qs[128]: 32 bytes hold two chunks, low nibbles first.
struct Q4KLayout {
  static constexpr int kGroup = 32, kBytes = 144, kLevels = 16, kOffset = 0, kLargestScale = 63;
  static constexpr bool kHasMinima = true;
  static HWY_INLINE void scales(Bytes block, KScales& to) {
    to.d = half_at(block), to.dmin = half_at(block + 2);
    constexpr std::uint32_t kSix = 0x3f3f3f3f, kFour = 0x0f0f0f0f, kTwo = 0x03030303;
    const std::uint32_t a = four_bytes(block + 4), b = four_bytes(block + 8),
                        c = four_bytes(block + 12);
    to.scale[0] = joined(a & kSix, (c & kFour) | (a >> 6 & kTwo) << 4);
    to.minimum[0] = joined(b & kSix, (c >> 4 & kFour) | (b >> 6 & kTwo) << 4);
  }
  template <class I, class F>
  static HWY_INLINE void levels(I i, Bytes block, F f) {
    nibbles_of(i, block + 16, f);
  }
  template <class I, class F>
  static HWY_INLINE void nibbles_of(I i, Bytes q, F f) {
    for (int chunk = 0; chunk < 8; chunk += 2, q += 32) {
      f(chunk, [=](int j) HWY_ATTR { return bits<4, 0>(i, q + j); });
      f(chunk + 1, [=](int j) HWY_ATTR { return bits<4, 4>(i, q + j); });
    }
  }
};

// The same with qh[32] before the nibbles, whose bit c is the fifth of chunk c.
struct Q5KLayout {
  static constexpr int kGroup = 32, kBytes = 176, kLevels = 32, kOffset = 0, kLargestScale = 63;
  static constexpr bool kHasMinima = true;
  static HWY_INLINE void scales(Bytes block, KScales& to) { Q4KLayout::scales(block, to); }
  template <class I, class F>
  static HWY_INLINE void levels(I i, Bytes block, F f) {
    Q4KLayout::nibbles_of(i, block + 48, [&](int chunk, auto four) HWY_ATTR {
      f(chunk,
        [=](int j) HWY_ATTR { return hn::Or(four(j), where_bit(i, block + 16 + j, chunk, 16)); });
    });
  }
};

// ql[128], qh[64], i8 scales[16], f16 d: four chunks of 64 nibble bytes (low ones first) and 32
// bytes of two bits each.
struct Q6KLayout {
  static constexpr int kGroup = 16, kBytes = 210, kLevels = 64, kOffset = 32, kLargestScale = 128;
  static constexpr bool kHasMinima = false;
  static HWY_INLINE void scales(Bytes block, KScales& to) {
    to.d = half_at(block + 208);
    to.scale[0] = eight_bytes(block + 192), to.scale[1] = eight_bytes(block + 200);
  }
  template <class I, class F>
  static HWY_INLINE void levels(I i, Bytes block, F f) {
    const auto joined_bits = [=](auto four, auto two)
                                 HWY_ATTR { return hn::Or(four, hn::ShiftLeft<4>(two)); };
    for (int part = 0; part < 2; ++part) {
      const Bytes q = block + 64 * part, high = block + 128 + 32 * part;
      f(4 * part,
        [=](int j) HWY_ATTR { return joined_bits(bits<4, 0>(i, q + j), bits<2, 0>(i, high + j)); });
      f(4 * part + 1, [=](int j) HWY_ATTR {
        return joined_bits(bits<4, 0>(i, q + 32 + j), bits<2, 2>(i, high + j));
      });
      f(4 * part + 2,
        [=](int j) HWY_ATTR { return joined_bits(bits<4, 4>(i, q + j), bits<2, 4>(i, high + j)); });
      f(4 * part + 3, [=](int j) HWY_ATTR {
        return joined_bits(bits<4, 4>(i, q + 32 + j), bits<2, 6>(i, high + j));
      });
    }
  }
};

// The reader of a layout.
template <class Layout>
struct KReader : Layout {
  static constexpr int kGroup = Layout::kGroup, kElements = 256, kGroups = kElements / kGroup;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    KScales s;
    Layout::scales(block, s);
    float scale[16], shift[16];
    scaled<kGroups>(s.scale, s.d, scale);
    if constexpr (Layout::kHasMinima) scaled<kGroups>(s.minimum, -s.dmin, shift);
    Layout::levels(i, block, [&](int chunk, auto levels) HWY_ATTR {
      for (int at = 0; at < 32; at += kGroup) {
        const int g = (32 * chunk + at) / kGroup;
        const auto numbers = [=](int j) HWY_ATTR {
          using T = hn::TFromD<I>;
          const auto q = levels(at + j);
          return Layout::kOffset ? hn::Sub(q, hn::Set(i, T{Layout::kOffset})) : q;
        };
        if constexpr (Layout::kHasMinima) {
          sink(g * kGroup, scale[g], shift[g], numbers);
        } else {
          sink(g * kGroup, scale[g], numbers);
        }
      }
    });
  }
};

using Q2KReader = KReader<Q2KLayout>;
using Q3KReader = KReader<Q3KLayout>;
using Q4KReader = KReader<Q4KLayout>;
using Q5KReader = KReader<Q5KLayout>;
using Q6KReader = KReader<Q6KLayout>;

// Calls f with the reader of a K type.
template <class F>
HWY_INLINE void with_k_reader(Dtype dtype, F f) {
  switch (dtype) {
    case Dtype::Q2_K:
      return f(Q2KReader());
    case Dtype::Q3_K:
      return f(Q3KReader());
    case Dtype::Q4_K:
      return f(Q4KReader());
    case Dtype::Q5_K:
      return f(Q5KReader());
    case Dtype::Q6_K:
      return f(Q6KReader());
    default:
      return;
  }
}

// Calls f with the reader of a type of 32 numbers to a block.
template <class F>
HWY_INLINE void with_small_reader(Dtype dtype, F f) {
  switch (dtype) {
    case Dtype::Q4_0:
      return f(Q40Reader());
    case Dtype::Q4_1:
      return f(Q41Reader());
    case Dtype::Q5_0:
      return f(Q50Reader());
    case Dtype::Q5_1:
      return f(Q51Reader());
    case Dtype::Q8_0:
      return f(Q80Reader());
    default:
      return;
  }
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard

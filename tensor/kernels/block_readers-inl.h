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

// Vectors of integers of the tag I (at most 16 lanes) from bytes.
template <class I>
HWY_INLINE hn::Vec<I> load(I i, Bytes at) {
  return hn::PromoteTo(i, hn::LoadU(hn::Rebind<std::uint8_t, I>(), at));
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

// Sixteen signed bytes as floats times a factor.
HWY_INLINE void scaled(const std::int8_t* bytes, float factor, float* to) {
  const hn::CappedTag<float, 16> f32;
  const hn::RebindToSigned<decltype(f32)> i32;
  for (int k = 0; k < 16; k += static_cast<int>(hn::Lanes(f32))) {
    const auto numbers = hn::ConvertTo(f32, load_signed(i32, reinterpret_cast<Bytes>(bytes) + k));
    hn::StoreU(hn::Mul(numbers, hn::Set(f32, factor)), f32, to + k);
  }
}

// Levels `at` and on of 32 in 16 bytes, the low nibbles first.
template <class I>
HWY_INLINE hn::Vec<I> nibbles(I i, Bytes q, int at) {
  return at < 16 ? hn::And(load(i, q + at), hn::Set(i, 15))
                 : hn::ShiftRight<4>(load(i, q + at - 16));
}

// Bit `at` + j of the word in lane j, moved to bit 4.
template <class I>
HWY_INLINE hn::Vec<I> fifth_bits(I i, Bytes word, int at) {
  std::uint32_t all = 0;
  std::memcpy(&all, word, sizeof all);
  using T = hn::TFromD<I>;
  const auto places = hn::Shl(hn::Set(i, T{1}), hn::Iota(i, T{0}));
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

// u8 scales[16] (low nibble scale, high nibble minimum), qs[64], f16 d, f16 dmin: each 16 values
// share a scale; 32 bytes hold four groups of 32 values, two bits each.
struct Q2KReader {
  static constexpr int kGroup = 16, kElements = 256, kBytes = 84;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    std::int8_t low[16], high[16];
    for (int s = 0; s < 16; ++s) {
      low[s] = static_cast<std::int8_t>(block[s] & 15);
      high[s] = static_cast<std::int8_t>(block[s] >> 4);
    }
    float scale[16], shift[16];
    scaled(low, half_at(block + 80), scale);
    scaled(high, -half_at(block + 82), shift);
    for (int part = 0; part < 4; ++part) {  // 16 bytes of four groups
      const Bytes q = block + 16 + 16 * part;
      const int s = 8 * (part / 2) + part % 2;
      const auto group = [&](int at, auto levels)
                             HWY_ATTR { sink(16 * at, scale[at], shift[at], levels); };
      group(s, [=](int j) HWY_ATTR { return bits<2, 0>(i, q + j); });
      group(s + 2, [=](int j) HWY_ATTR { return bits<2, 2>(i, q + j); });
      group(s + 4, [=](int j) HWY_ATTR { return bits<2, 4>(i, q + j); });
      group(s + 6, [=](int j) HWY_ATTR { return bits<2, 6>(i, q + j); });
    }
  }
};

// hmask[32], qs[64], scales[12] of 6 bits minus 32, f16 d: two bits as Q2_K, the third from the
// mask, where 0 takes 4 off.
struct Q3KReader {
  static constexpr int kGroup = 16, kElements = 256, kBytes = 110;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    const Bytes scales = block + 96;
    std::int8_t six[16];
    for (int s = 0; s < 16; ++s) {
      const int nibble = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
      const int pair = (scales[8 + s % 4] >> (2 * (s / 4))) & 3;
      six[s] = static_cast<std::int8_t>((nibble | pair << 4) - 32);
    }
    float scale[16];
    scaled(six, half_at(block + 108), scale);
    for (int part = 0; part < 4; ++part) {
      const Bytes q = block + 32 + 16 * part, mask = block + 16 * (part % 2);
      const int s = 8 * (part / 2) + part % 2;
      const auto group = [&](int at, auto levels) HWY_ATTR {
        sink(16 * at, scale[at], [=](int j) HWY_ATTR {
          const auto third = where_bit(i, mask + j, at / 2, 4);
          return hn::Sub(hn::Or(levels(j), third), hn::Set(i, 4));
        });
      };
      group(s, [=](int j) HWY_ATTR { return bits<2, 0>(i, q + j); });
      group(s + 2, [=](int j) HWY_ATTR { return bits<2, 2>(i, q + j); });
      group(s + 4, [=](int j) HWY_ATTR { return bits<2, 4>(i, q + j); });
      group(s + 6, [=](int j) HWY_ATTR { return bits<2, 6>(i, q + j); });
    }
  }
};

// The 6-bit scales and minima of the eight groups of Q4_K and Q5_K, times d and dmin.
struct SixBits {
  HWY_INLINE explicit SixBits(Bytes block) {
    std::uint32_t a = 0, b = 0, c = 0;  // four bytes each
    std::memcpy(&a, block + 4, sizeof a);
    std::memcpy(&b, block + 8, sizeof b);
    std::memcpy(&c, block + 12, sizeof c);
    constexpr std::uint32_t kSix = 0x3f3f3f3f, kFour = 0x0f0f0f0f, kTwo = 0x03030303;
    const std::uint32_t words[4] = {a & kSix, (c & kFour) | ((a >> 6) & kTwo) << 4, b & kSix,
                                    ((c >> 4) & kFour) | ((b >> 6) & kTwo) << 4};
    std::int8_t each[16];
    std::memcpy(each, words, sizeof words);
    float numbers[16];
    scaled(each, 1.0f, numbers);
    const float d = half_at(block), dmin = half_at(block + 2);
    for (int g = 0; g < 8; ++g) scale[g] = d * numbers[g], shift[g] = -dmin * numbers[8 + g];
  }

  float scale[8], shift[8];
};

// f16 d, f16 dmin, scales[12], qs[128]: 32 bytes hold two groups of 32 values, low nibbles first.
struct Q4KReader {
  static constexpr int kGroup = 32, kElements = 256, kBytes = 144;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    const SixBits six(block);
    for (int g = 0; g < 8; g += 2) {
      const Bytes q = block + 16 + 16 * g;
      sink(32 * g, six.scale[g], six.shift[g],
           [=](int j) HWY_ATTR { return bits<4, 0>(i, q + j); });
      sink(32 * g + 32, six.scale[g + 1], six.shift[g + 1],
           [=](int j) HWY_ATTR { return bits<4, 4>(i, q + j); });
    }
  }
};

// The same with qh[32] before the nibbles, whose bit g is the fifth of group g.
struct Q5KReader {
  static constexpr int kGroup = 32, kElements = 256, kBytes = 176;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    const SixBits six(block);
    const Bytes high = block + 16;
    for (int g = 0; g < 8; g += 2) {
      const Bytes q = block + 48 + 16 * g;
      sink(32 * g, six.scale[g], six.shift[g], [=](int j) HWY_ATTR {
        return hn::Or(bits<4, 0>(i, q + j), where_bit(i, high + j, g, 16));
      });
      sink(32 * g + 32, six.scale[g + 1], six.shift[g + 1], [=](int j) HWY_ATTR {
        return hn::Or(bits<4, 4>(i, q + j), where_bit(i, high + j, g + 1, 16));
      });
    }
  }
};

// ql[128], qh[64], i8 scales[16], f16 d: 128 values of 64 nibble bytes (low ones first) and 32
// bytes of two bits each; 16 values share a scale.
struct Q6KReader {
  static constexpr int kGroup = 16, kElements = 256, kBytes = 210;
  template <class I, class Sink>
  static HWY_INLINE void read(I i, Bytes block, Sink& sink) {
    float scale[16];
    scaled(reinterpret_cast<const std::int8_t*>(block + 192), half_at(block + 208), scale);
    for (int part = 0; part < 4; ++part) {
      const Bytes q = block + 64 * (part / 2) + 16 * (part % 2);
      const Bytes high = block + 128 + 16 * part;
      const int s = 8 * (part / 2) + part % 2;
      const auto group = [&](int at, auto four, auto two) HWY_ATTR {
        sink(16 * at, scale[at], [=](int j) HWY_ATTR {
          return hn::Sub(hn::Or(four(j), hn::ShiftLeft<4>(two(j))), hn::Set(i, 32));
        });
      };
      group(
          s, [=](int j) HWY_ATTR { return bits<4, 0>(i, q + j); },
          [=](int j) HWY_ATTR { return bits<2, 0>(i, high + j); });
      group(
          s + 2, [=](int j) HWY_ATTR { return bits<4, 0>(i, q + 32 + j); },
          [=](int j) HWY_ATTR { return bits<2, 2>(i, high + j); });
      group(
          s + 4, [=](int j) HWY_ATTR { return bits<4, 4>(i, q + j); },
          [=](int j) HWY_ATTR { return bits<2, 4>(i, high + j); });
      group(
          s + 6, [=](int j) HWY_ATTR { return bits<4, 4>(i, q + 32 + j); },
          [=](int j) HWY_ATTR { return bits<2, 6>(i, high + j); });
    }
  }
};

// Calls f with the reader of a quantised type.
template <class F>
HWY_INLINE void with_block_reader(Dtype dtype, F f) {
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

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard

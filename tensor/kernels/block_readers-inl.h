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
#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes: so many elements share a scale.
using D = hn::CappedTag<float, 16>;
using Bytes = const std::uint8_t*;
using Integers = hn::Vec<hn::RebindToSigned<D>>;

const D f32;
const hn::RebindToSigned<D> i32;
const hn::Rebind<std::uint8_t, D> u8;
const hn::Rebind<std::int8_t, D> i8;

HWY_INLINE float half_at(Bytes at) {
  float16 value;
  std::memcpy(&value.bits, at, sizeof value.bits);
  return static_cast<float>(value);
}

HWY_INLINE Integers load(Bytes at) { return hn::PromoteTo(i32, hn::LoadU(u8, at)); }
HWY_INLINE Integers low(Integers v) { return hn::And(v, hn::Set(i32, 15)); }
HWY_INLINE Integers constant(int value) { return hn::Set(i32, value); }

// Hands scale q(i) + shift for i < n to the sink, a vector at a time with its place in the block,
// from `first` on; q(i) gives a vector of integers.
template <class Sink, class Q>
HWY_INLINE void emit(Sink& sink, int first, int n, float scale, float shift, Q q) {
  const auto d = hn::Set(f32, scale), m = hn::Set(f32, shift);
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(f32))) {
    sink(first + i, hn::MulAdd(hn::ConvertTo(f32, q(i)), d, m));
  }
}

// Without a shift: a zero keeps its sign.
template <class Sink, class Q>
HWY_INLINE void emit(Sink& sink, int first, int n, float scale, Q q) {
  const auto d = hn::Set(f32, scale);
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(f32))) {
    sink(first + i, hn::Mul(hn::ConvertTo(f32, q(i)), d));
  }
}

// Bit `first` + i of `bits` in lane i, moved to bit 4.
HWY_INLINE Integers fifth_bits(std::uint32_t bits, int first) {
  const hn::RebindToUnsigned<D> u32;
  const auto places = hn::Iota(u32, static_cast<std::uint32_t>(first));
  const auto bit = hn::And(hn::Shr(hn::Set(u32, bits), places), hn::Set(u32, 1u));
  return hn::BitCast(i32, hn::ShiftLeft<4>(bit));
}

struct Q40Reader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const float d = half_at(block);
    const Bytes q = block + 2;
    emit(sink, 0, 16, d, [&](int i) HWY_ATTR { return hn::Sub(low(load(q + i)), constant(8)); });
    emit(sink, 16, 16, d,
         [&](int i) HWY_ATTR { return hn::Sub(hn::ShiftRight<4>(load(q + i)), constant(8)); });
  }
};

struct Q41Reader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const float d = half_at(block), m = half_at(block + 2);
    const Bytes q = block + 4;
    emit(sink, 0, 16, d, m, [&](int i) HWY_ATTR { return low(load(q + i)); });
    emit(sink, 16, 16, d, m, [&](int i) HWY_ATTR { return hn::ShiftRight<4>(load(q + i)); });
  }
};

struct Q50Reader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const float d = half_at(block);
    std::uint32_t bits = 0;
    std::memcpy(&bits, block + 2, sizeof bits);
    const Bytes q = block + 6;
    emit(sink, 0, 16, d, [&](int i) HWY_ATTR {
      return hn::Sub(hn::Or(low(load(q + i)), fifth_bits(bits, i)), constant(16));
    });
    emit(sink, 16, 16, d, [&](int i) HWY_ATTR {
      return hn::Sub(hn::Or(hn::ShiftRight<4>(load(q + i)), fifth_bits(bits, i + 16)),
                     constant(16));
    });
  }
};

struct Q51Reader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const float d = half_at(block), m = half_at(block + 2);
    std::uint32_t bits = 0;
    std::memcpy(&bits, block + 4, sizeof bits);
    const Bytes q = block + 8;
    emit(sink, 0, 16, d, m,
         [&](int i) HWY_ATTR { return hn::Or(low(load(q + i)), fifth_bits(bits, i)); });
    emit(sink, 16, 16, d, m, [&](int i) HWY_ATTR {
      return hn::Or(hn::ShiftRight<4>(load(q + i)), fifth_bits(bits, i + 16));
    });
  }
};

struct Q80Reader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const auto* q = reinterpret_cast<const std::int8_t*>(block + 2);
    emit(sink, 0, 32, half_at(block),
         [&](int i) HWY_ATTR { return hn::PromoteTo(i32, hn::LoadU(i8, q + i)); });
  }
};

// u8 scales[16] (low nibble scale, high nibble minimum), qs[64], f16 d, f16 dmin: each 16 values
// share a scale; 32 bytes hold four groups of 32 values, two bits each.
struct Q2KReader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const Bytes qs = block + 16;
    const float d = half_at(block + 80), dmin = half_at(block + 82);
    for (int s = 0; s < 16; ++s) {
      const Bytes q = qs + 32 * (s / 8) + 16 * (s % 2);
      const int shift = 2 * (s % 8 / 2);
      const float scale = d * static_cast<float>(block[s] & 15);
      const float minimum = dmin * static_cast<float>(block[s] >> 4);
      emit(sink, 16 * s, 16, scale, -minimum, [&](int i) HWY_ATTR {
        return hn::And(hn::ShiftRightSame(load(q + i), shift), constant(3));
      });
    }
  }
};

// hmask[32], qs[64], scales[12] of 6 bits minus 32, f16 d: two bits as Q2_K, the third from the
// mask, where 0 takes 4 off.
struct Q3KReader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const Bytes mask = block, qs = block + 32, scales = block + 96;
    const float d = half_at(block + 108);
    for (int s = 0; s < 16; ++s) {
      const int nibble = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
      const int scale = (nibble | ((scales[8 + s % 4] >> (2 * (s / 4))) & 3) << 4) - 32;
      const Bytes q = qs + 32 * (s / 8) + 16 * (s % 2), bits = mask + 16 * (s % 2);
      const int shift = 2 * (s % 8 / 2), group = s / 2;
      emit(sink, 16 * s, 16, d * static_cast<float>(scale), [&](int i) HWY_ATTR {
        const Integers bit = hn::And(hn::ShiftRightSame(load(bits + i), group), constant(1));
        const Integers two = hn::And(hn::ShiftRightSame(load(q + i), shift), constant(3));
        return hn::Sub(hn::Or(two, hn::ShiftLeft<2>(bit)), constant(4));
      });
    }
  }
};

// The 6-bit scale and minimum of group j of Q4_K and Q5_K.
struct ScaleAndMinimum {
  float scale, minimum;
};
HWY_INLINE ScaleAndMinimum six_bits(Bytes s, int j) {
  const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
  const int minimum = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4;
  return {static_cast<float>(scale), static_cast<float>(minimum)};
}

// f16 d, f16 dmin, scales[12], qs[128]: 32 bytes hold two groups of 32 values, low nibbles first.
struct Q4KReader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const float d = half_at(block), dmin = half_at(block + 2);
    for (int j = 0; j < 8; ++j) {
      const auto [scale, minimum] = six_bits(block + 4, j);
      const Bytes q = block + 16 + 32 * (j / 2);
      const int shift = 4 * (j % 2);
      emit(sink, 32 * j, 32, d * scale, -(dmin * minimum),
           [&](int i) HWY_ATTR { return low(hn::ShiftRightSame(load(q + i), shift)); });
    }
  }
};

// The same with qh[32] before the nibbles, whose bit j is the fifth of group j.
struct Q5KReader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const float d = half_at(block), dmin = half_at(block + 2);
    const Bytes high = block + 16;
    for (int j = 0; j < 8; ++j) {
      const auto [scale, minimum] = six_bits(block + 4, j);
      const Bytes q = block + 48 + 32 * (j / 2);
      const int shift = 4 * (j % 2);
      emit(sink, 32 * j, 32, d * scale, -(dmin * minimum), [&](int i) HWY_ATTR {
        const Integers bit = hn::And(hn::ShiftRightSame(load(high + i), j), constant(1));
        return hn::Or(low(hn::ShiftRightSame(load(q + i), shift)), hn::ShiftLeft<4>(bit));
      });
    }
  }
};

// ql[128], qh[64], i8 scales[16], f16 d: 128 values of 64 nibble bytes (low ones first) and 32
// bytes of two bits each; 16 values share a scale.
struct Q6KReader {
  template <class Sink>
  static HWY_INLINE void read(Bytes block, Sink& sink) {
    const Bytes ql = block, qh = block + 128;
    const float d = half_at(block + 208);
    for (int s = 0; s < 16; ++s) {
      const int half = s / 8, group = s % 8 / 2, column = 16 * (s % 2);
      const Bytes q = ql + 64 * half + 32 * (group % 2) + column, high = qh + 32 * half + column;
      const auto scale = static_cast<float>(static_cast<std::int8_t>(block[192 + s]));
      emit(sink, 16 * s, 16, d * scale, [&](int i) HWY_ATTR {
        const Integers two = hn::And(hn::ShiftRightSame(load(high + i), 2 * group), constant(3));
        const Integers four = low(hn::ShiftRightSame(load(q + i), 4 * (group / 2)));
        return hn::Sub(hn::Or(four, hn::ShiftLeft<4>(two)), constant(32));
      });
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

// SPDX-License-Identifier: Apache-2.0
#include "crc32.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "call.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vfio_migrate {

namespace {

constexpr uint32_t kPolynomial = 0xedb88320;

/// Words that are summed side by side, as the processor has more to do at once than one sum asks of
/// it.
constexpr int kBraids = 4;

/// What byte b comes to when it is the n-th of a word of 8, and that the last, or the first of
/// kBraids.
struct Tables {
  uint32_t last[8][256];
  uint32_t first[8][256];
};

constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t sum = byte;
    for (int bit = 0; bit < 8; bit++) sum = (sum >> 1) ^ ((sum & 1) ? kPolynomial : 0);
    tables.last[7][byte] = sum;
  }
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t sum = tables.last[7][byte];
    for (int behind = 1; behind < 8 * kBraids; behind++) {
      sum = (sum >> 8) ^ tables.last[7][sum & 0xff];
      if (behind < 8) tables.last[7 - behind][byte] = sum;
      if (behind >= 8 * (kBraids - 1)) tables.first[8 * kBraids - 1 - behind][byte] = sum;
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

// All that VFIO is used on here.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

inline uint64_t Load(const uint8_t* bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof(word));
  return word;
}

inline uint32_t Moved(const uint32_t (&table)[8][256], uint64_t word) {
  return table[0][word & 0xff] ^ table[1][(word >> 8) & 0xff] ^ table[2][(word >> 16) & 0xff] ^
         table[3][(word >> 24) & 0xff] ^ table[4][(word >> 32) & 0xff] ^
         table[5][(word >> 40) & 0xff] ^ table[6][(word >> 48) & 0xff] ^ table[7][word >> 56];
}

/// All of these take and answer the sum without its inversion.
using Sum = uint32_t (*)(uint32_t sum, const uint8_t* bytes, size_t length);

/// Braids of words, as zlib has them, and words and bytes for what is left.
uint32_t ByTables(uint32_t sum, const uint8_t* bytes, size_t length) {
  constexpr size_t kBlock = 8 * kBraids;
  if (length >= 2 * kBlock) {
    uint32_t sums[kBraids] = {sum};
    for (; length >= 2 * kBlock; bytes += kBlock, length -= kBlock) {
#pragma GCC unroll 8
      for (int i = 0; i < kBraids; i++) {
        sums[i] = Moved(kTables.first, Load(bytes + 8 * i) ^ sums[i]);
      }
    }
    sum = 0;
    for (int i = 0; i < kBraids; i++, bytes += 8, length -= 8) {
      sum = Moved(kTables.last, Load(bytes) ^ sums[i] ^ sum);
    }
  }
  for (; length >= 8; bytes += 8, length -= 8) sum = Moved(kTables.last, Load(bytes) ^ sum);
  for (; length > 0; bytes++, length--) {
    sum = (sum >> 8) ^ kTables.last[7][(sum ^ *bytes) & 0xff];
  }
  return sum;
}

#if defined(__x86_64__)

bool HasInstructions() { return __builtin_cpu_supports("pclmul"); }

/// x^n modulo the polynomial, reflected, and shifted left by one: a product of reflected factors
/// comes out one bit to the right.
constexpr uint64_t PowerOfX(int n) {
  uint32_t power = 0x80000000;  // x^0
  for (int i = 0; i < n; i++) power = (power >> 1) ^ ((power & 1) ? kPolynomial : 0);
  return uint64_t{power} << 1;
}

/// What moves 128 bits past `Bits` more: for the half that comes first, and the other one.
template <int Bits>
__attribute__((target("pclmul,sse2"))) inline __m128i Folded(__m128i block) {
  const __m128i powers = _mm_set_epi64x(PowerOfX(Bits - 32), PowerOfX(Bits + 32));
  return _mm_xor_si128(_mm_clmulepi64_si128(block, powers, 0x00),
                       _mm_clmulepi64_si128(block, powers, 0x11));
}

__attribute__((target("pclmul,sse2"))) inline __m128i Block(const uint8_t* bytes) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

/// Four blocks at once are folded over the next four, those into one, and that has the remainder of
/// all that was folded. Gopal et al., "Fast CRC Computation for Generic Polynomials Using
/// PCLMULQDQ", Intel 2009.
__attribute__((target("pclmul,sse2"))) uint32_t ByInstructions(uint32_t sum, const uint8_t* bytes,
                                                               size_t length) {
  if (length < 64) return ByTables(sum, bytes, length);
  __m128i a = _mm_xor_si128(Block(bytes), _mm_cvtsi32_si128(static_cast<int>(sum)));
  __m128i b = Block(bytes + 16), c = Block(bytes + 32), d = Block(bytes + 48);
  for (bytes += 64, length -= 64; length >= 64; bytes += 64, length -= 64) {
    a = _mm_xor_si128(Folded<512>(a), Block(bytes));
    b = _mm_xor_si128(Folded<512>(b), Block(bytes + 16));
    c = _mm_xor_si128(Folded<512>(c), Block(bytes + 32));
    d = _mm_xor_si128(Folded<512>(d), Block(bytes + 48));
  }
  b = _mm_xor_si128(Folded<128>(a), b);
  c = _mm_xor_si128(Folded<128>(b), c);
  d = _mm_xor_si128(Folded<128>(c), d);
  uint8_t rest[16];
  memcpy(rest, &d, sizeof(rest));
  return ByTables(ByTables(0, rest, sizeof(rest)), bytes, length);
}

#else

bool HasInstructions() { return false; }
constexpr Sum ByInstructions = ByTables;

#endif

double LeastMs(Sum sum) {
  double least = 1e9;
  for (int i = 0; i < 3; i++) {
    double begun = NowMs();
    [[maybe_unused]] volatile uint32_t result =
        sum(0, reinterpret_cast<const uint8_t*>(&kTables), sizeof(kTables));
    least = std::min(least, NowMs() - begun);
  }
  return least;
}

/// An emulated processor has the instructions too, and may be quicker without.
Sum Quickest() {
  if (!HasInstructions()) return ByTables;
  return LeastMs(ByInstructions) < LeastMs(ByTables) ? ByInstructions : ByTables;
}

std::atomic<Sum> quickest{nullptr};

}  // namespace

uint32_t Crc32(uint32_t before, const uint8_t* bytes, size_t length) {
  Sum sum = quickest.load(std::memory_order_relaxed);
  if (!sum) quickest.store(sum = Quickest(), std::memory_order_relaxed);
  return ~sum(~before, bytes, length);
}

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace vfio_migrate {

/// Fletcher's checksum of a stream, whatever the pieces: the sum of its little-endian words of 64
/// bits, the last filled up with zeros, and the sum of what that sum was behind each word, both
/// modulo 2^64. A fifth of a CRC's cost, and an emulated processor adds as fast as it reads. It
/// tells bytes that are missing, changed or in another order, unless that shows in the top bits of
/// words alone, which the weights of words far apart shift out; noise on a line is a CRC's to tell.
class RunningSums {
 public:
  void Add(const uint8_t* bytes, size_t length);

  uint64_t first() const { return first_ + word_; }
  uint64_t second() const { return held_ == 0 ? second_ : second_ + first(); }

 private:
  uint64_t first_ = 0;
  uint64_t second_ = 0;
  /// Of the word that is not whole yet.
  uint64_t word_ = 0;
  unsigned held_ = 0;
};

}  // namespace vfio_migrate

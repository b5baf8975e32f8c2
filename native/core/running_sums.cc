// SPDX-License-Identifier: Apache-2.0
#include "running_sums.h"

#include <cstring>

namespace vfio_migrate {

// All that VFIO is used on here.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

void RunningSums::Add(const uint8_t* bytes, size_t length) {
  const uint8_t* end = bytes + length;
  const auto take_byte = [&] {
    word_ |= uint64_t{*bytes++} << (8 * held_);
    held_ = (held_ + 1) % 8;
    if (held_ > 0) return;
    second_ += first_ += word_;
    word_ = 0;
  };
  while (held_ > 0 && bytes < end) take_byte();
  // In registers: the bytes may be anybody's, these members too.
  uint64_t first = first_, second = second_;
  for (; end - bytes >= 8; bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    second += first += word;
  }
  first_ = first;
  second_ = second;
  while (bytes < end) take_byte();
}

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/ioctl.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

namespace vfio_migrate {

/// What every call answers: a value >= 0, or -errno.
using Answer = int64_t;

inline Answer Answered(int64_t returned) { return returned < 0 ? -errno : returned; }

inline Answer Ioctl(int fd, unsigned long request, void* argument) {
  return Answered(ioctl(fd, request, argument));
}

/// A double is exact up to 2^53; a count beyond that must not be rounded silently.
constexpr uint64_t kMaxExact = uint64_t{1} << 53;

inline Answer Exact(uint64_t value) {
  return value > kMaxExact ? -EOVERFLOW : static_cast<Answer>(value);
}

/// The clock of process.hrtime().
inline double NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace vfio_migrate

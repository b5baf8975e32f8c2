// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace vfio_migrate {

/// Keeps a rate: says how long to wait before the next piece, and how large that may be. What was
/// not used is not saved up, so that a pause is followed by no burst.
class Pace {
 public:
  /// 0 is no limit.
  explicit Pace(double bytes_per_second) : bytes_per_ms_(bytes_per_second / 1e3) {}

  /// At most `most`, and no more than goes through in a tenth of a second.
  size_t PieceBytes(size_t most) const {
    if (bytes_per_ms_ == 0) return most;
    double piece = std::clamp(bytes_per_ms_ * 100, 1.0, static_cast<double>(most));
    return static_cast<size_t>(piece);
  }
  double WaitMs(double now_ms) const { return std::max(0.0, due_ms_ - now_ms); }
  /// A piece was begun then.
  void Took(double begun_ms, uint64_t bytes) {
    if (bytes_per_ms_ == 0) return;
    due_ms_ = std::max(due_ms_, begun_ms) + static_cast<double>(bytes) / bytes_per_ms_;
  }

 private:
  double bytes_per_ms_;
  double due_ms_ = 0;
};

}  // namespace vfio_migrate

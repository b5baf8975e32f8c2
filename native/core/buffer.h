// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "shared.h"

namespace vfio_migrate {

/// The usual transfer. QEMU measured no gain above 1 MiB.
constexpr size_t kPieceBytes = size_t{1} << 20;
/// The largest single transfer, whatever is asked for.
constexpr size_t kMaxPieceBytes = size_t{16} << 20;

class Buffer;

/// Keeps a few mappings for the next transfer: mapping and clearing 1 MiB costs as much as reading
/// it.
class BufferPool final : public Shared {
 public:
  /// Page-aligned memory of at least `bytes`; one without data when there is none to be had.
  Buffer Take(size_t bytes);

 private:
  friend class Buffer;
  static constexpr size_t kKept = 2;

  ~BufferPool() override;
  void Give(uint8_t* data, size_t capacity);

  Mutex mutex_;
  uint8_t* kept_[kKept] = {};
};

/// Memory of ours, never of V8: a lane that is abandoned at teardown may still be writing into it.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        pool_(std::move(other.pool_)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(pool_, other.pool_);
    return *this;
  }
  ~Buffer() {
    if (data_) pool_->Give(data_, capacity_);
  }

  uint8_t* data() const { return data_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  friend class BufferPool;
  Buffer(uint8_t* data, size_t capacity, BufferPool* pool)
      : data_(data), capacity_(capacity), pool_(pool) {}

  uint8_t* data_ = nullptr;
  size_t capacity_ = 0;
  Held<BufferPool> pool_;
};

}  // namespace vfio_migrate

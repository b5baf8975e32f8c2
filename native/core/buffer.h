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

/// Fewer bytes than this are copied: that costs less than the buffer that they would keep from
/// others.
constexpr size_t kLeastLentBytes = kPieceBytes / 4;

class BufferPool;

/// Page-aligned memory of ours, never of V8: a lane that is abandoned at teardown may still be
/// writing into it. JavaScript and a lane may hold it at once; whoever lets go last gives it back.
class Buffer final : public Shared {
 public:
  uint8_t* data() const { return data_; }
  size_t capacity() const { return capacity_; }

 private:
  friend class BufferPool;
  explicit Buffer(Held<BufferPool> pool) : pool_(std::move(pool)) {}
  ~Buffer() override;

  uint8_t* data_ = nullptr;
  size_t capacity_ = 0;
  Held<BufferPool> pool_;
};

/// Keeps mappings for the next transfer: mapping and clearing 1 MiB costs as much as reading it.
/// Nobody waits for one to come back: where none is kept, a fresh one is made, and where enough are
/// kept, one that comes back is unmapped.
class BufferPool final : public Shared {
 public:
  /// At least `bytes`; null when there is no memory to be had.
  Held<Buffer> Take(size_t bytes);
  /// Its session is over: nothing is kept any more.
  void Close();

 private:
  friend class Buffer;
  static constexpr size_t kKept = 8;

  ~BufferPool() override { Close(); }
  uint8_t* TakeKept(size_t capacity);
  bool Keep(uint8_t* data, size_t capacity);
  void DropKept();
  void Give(uint8_t* data, size_t capacity);

  Mutex mutex_;
  bool closed_ = false;
  /// Of each that is kept: what was last asked for.
  size_t capacity_ = 0;
  size_t kept_count_ = 0;
  uint8_t* kept_[kKept] = {};
};

/// From now on each heap of this process keeps up to 32 MiB of what was freed at its end, and has
/// blocks of up to 16 MiB that would be mapped apart, unless the environment of the process says
/// otherwise (mallopt(3)). Memory that JavaScript is given and lets go of is freed in bursts; by
/// default it would go back to the kernel each time, and be cleared and faulted in again, which is
/// as dear as to read into it. Once is enough.
void KeepFreedMemory();

}  // namespace vfio_migrate

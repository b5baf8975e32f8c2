// SPDX-License-Identifier: Apache-2.0
#include "buffer.h"

#include <sys/mman.h>

namespace vfio_migrate {

namespace {

size_t RoundUp(size_t bytes) {
  size_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
  return (pieces ? pieces : 1) * kPieceBytes;
}

}  // namespace

Buffer BufferPool::Take(size_t bytes) {
  size_t capacity = RoundUp(bytes);
  if (capacity == kPieceBytes) {
    Lock lock(mutex_);
    for (uint8_t*& kept : kept_) {
      if (kept) return Buffer(std::exchange(kept, nullptr), capacity, this);
    }
  }
  void* data = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return Buffer();
  return Buffer(static_cast<uint8_t*>(data), capacity, this);
}

void BufferPool::Give(uint8_t* data, size_t capacity) {
  if (capacity == kPieceBytes) {
    Lock lock(mutex_);
    for (uint8_t*& kept : kept_) {
      if (!kept) {
        kept = data;
        return;
      }
    }
  }
  munmap(data, capacity);
}

BufferPool::~BufferPool() {
  for (uint8_t* kept : kept_) {
    if (kept) munmap(kept, kPieceBytes);
  }
}

}  // namespace vfio_migrate

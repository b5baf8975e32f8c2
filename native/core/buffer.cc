// SPDX-License-Identifier: Apache-2.0
#include "buffer.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "lane.h"

namespace vfio_migrate {

namespace {

/// Few sizes, so that what serves one transfer serves the next.
size_t RoundUp(size_t bytes) {
  constexpr size_t kUnit = size_t{64} << 10;
  size_t units = (bytes + kUnit - 1) / kUnit;
  return (units ? units : 1) * kUnit;
}

/// With its pages: to fault one by one is several times as dear.
uint8_t* Map(size_t capacity) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
  void* data = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  census.buffers++;
  return static_cast<uint8_t*>(data);
}

void Unmap(uint8_t* data, size_t capacity) {
  munmap(data, capacity);
  census.buffers--;
}

}  // namespace

Buffer::~Buffer() {
  if (data_) pool_->Give(data_, capacity_);
}

Held<Buffer> BufferPool::Take(size_t bytes) {
  auto buffer = Held<Buffer>::Adopt(new (std::nothrow) Buffer(Held<BufferPool>(this)));
  if (!buffer) return buffer;
  size_t capacity = RoundUp(bytes);
  uint8_t* data = TakeKept(capacity);
  buffer->data_ = data ? data : Map(capacity);
  buffer->capacity_ = capacity;
  return buffer->data_ ? buffer : Held<Buffer>();
}

uint8_t* BufferPool::TakeKept(size_t capacity) {
  Lock lock(mutex_);
  if (capacity != capacity_) DropKept();
  capacity_ = capacity;
  return kept_count_ > 0 ? kept_[--kept_count_] : nullptr;
}

bool BufferPool::Keep(uint8_t* data, size_t capacity) {
  Lock lock(mutex_);
  if (closed_ || capacity != capacity_ || kept_count_ == kKept) return false;
  kept_[kept_count_++] = data;
  return true;
}

void BufferPool::Give(uint8_t* data, size_t capacity) {
  if (!Keep(data, capacity)) Unmap(data, capacity);
}

void BufferPool::DropKept() {
  while (kept_count_ > 0) Unmap(kept_[--kept_count_], capacity_);
}

void BufferPool::Close() {
  Lock lock(mutex_);
  closed_ = true;
  DropKept();
}

void KeepFreedMemory() {
  // glibc trims a heap at twice the largest block that it had mapped apart and has seen freed. The
  // pages of this one are never touched.
  constexpr size_t kLargest = size_t{16} << 20;
  static std::atomic_flag has_learned = ATOMIC_FLAG_INIT;
  if (has_learned.test_and_set(std::memory_order_relaxed)) return;
  void* volatile block = malloc(kLargest);
  free(block);
}

}  // namespace vfio_migrate

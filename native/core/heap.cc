// SPDX-License-Identifier: Apache-2.0
#include "heap.h"

#include <atomic>
#include <cstdlib>

namespace vfio_migrate {

void KeepFreedMemory() {
  // glibc trims a heap at twice the largest block that it had mapped apart and has seen freed; from
  // one of 32 MiB, with what it puts before it, it would not learn. The pages are never touched.
  constexpr size_t kLargest = size_t{31} << 20;
  static std::atomic_flag has_learned = ATOMIC_FLAG_INIT;
  if (has_learned.test_and_set(std::memory_order_relaxed)) return;
  void* volatile block = malloc(kLargest);
  free(block);
}

}  // namespace vfio_migrate

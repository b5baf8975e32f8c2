// SPDX-License-Identifier: Apache-2.0
#include "dma_log.h"

#include <cstring>
#include <new>

#include "feature.h"

namespace vfio_migrate {

namespace {

constexpr uint64_t kMinPageSize = 4096;
constexpr uint64_t kMaxBitmapWords = (uint64_t{64} << 20) / sizeof(uint64_t);

/// Words of 64 pages, as the kernel's iova_bitmap counts them. The kernel refuses these page sizes
/// itself, but the size of the bitmap has to be known before it is asked.
Answer CountWords(uint64_t length, uint64_t page_size) {
  if (page_size < kMinPageSize || (page_size & (page_size - 1)) != 0 || length == 0) return -EINVAL;
  uint64_t words = (length - 1) / page_size / 64 + 1;
  return words > kMaxBitmapWords ? -E2BIG : static_cast<Answer>(words);
}

}  // namespace

Bitmap ReportDmaLog(int device, uint64_t iova, uint64_t length, uint64_t page_size) {
  Bitmap bitmap;
  bitmap.result = CountWords(length, page_size);
  if (bitmap.result < 0) return bitmap;
  auto count = static_cast<size_t>(bitmap.result);
  bitmap.words.reset(new (std::nothrow) uint64_t[count]);
  if (!bitmap.words) {
    bitmap.result = -ENOMEM;
    return bitmap;
  }
  // Clears it, and brings every page in: the kernel ORs bits, and drops them silently where it
  // finds no page.
  memset(bitmap.words.get(), 0, count * sizeof(uint64_t));
  bitmap.result = feature::DmaLoggingReport(device, iova, length, page_size, bitmap.words.get());
  if (bitmap.result >= 0) bitmap.count = count;
  return bitmap;
}

}  // namespace vfio_migrate

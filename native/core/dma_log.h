// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "call.h"

namespace vfio_migrate {

struct Bitmap {
  Answer result = 0;
  std::unique_ptr<uint64_t[]> words;
  size_t count = 0;
};

/// VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT into memory of ours. Blocks.
Bitmap ReportDmaLog(int device, uint64_t iova, uint64_t length, uint64_t page_size);

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "call.h"
#include "uapi.h"

namespace vfio_migrate {

struct DeviceInfo {
  Answer result = 0;
  uint32_t flags = 0;
  uint32_t num_regions = 0;
  uint32_t num_irqs = 0;
};

struct RegionInfo {
  Answer result = 0;
  uint32_t flags = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
  bool has_type = false;
  uint32_t type = 0;
  uint32_t subtype = 0;
  bool has_sparse = false;
  std::unique_ptr<uapi::RegionSparseMmapArea[]> areas;
  size_t area_count = 0;
};

/// What a region read or write may move at once.
constexpr size_t kMaxRegionBytes = size_t{16} << 20;

struct RegionData {
  Answer result = 0;
  std::unique_ptr<uint8_t[]> data;
};

/// All of these may block: on vfio-pci they wake the device first.
DeviceInfo GetDeviceInfo(int device);
RegionInfo GetRegionInfo(int device, uint32_t index);
/// pread(2) and pwrite(2), one access of `width` (1, 2, 4 or 8) after another. An access that is
/// not taken whole is -EIO.
RegionData ReadRegion(int device, uint64_t offset, size_t length, size_t width);
Answer WriteRegion(int device, uint64_t offset, const uint8_t* data, size_t length, size_t width);

}  // namespace vfio_migrate

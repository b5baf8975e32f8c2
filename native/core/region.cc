// SPDX-License-Identifier: Apache-2.0
#include "region.h"

#include <unistd.h>

#include <cstring>
#include <new>

namespace vfio_migrate {

namespace {

/// More than any driver has capabilities for; what asks for more is not believed.
constexpr uint32_t kMaxInfoBytes = 1u << 20;

using Bytes = std::unique_ptr<uint8_t[]>;

/// GET_REGION_INFO into `bytes`, which grows when the kernel asks for it by argsz. Returns how many
/// are there.
Answer Fetch(int device, uint32_t index, Bytes* bytes) {
  uint32_t size = sizeof(uapi::RegionInfo);
  for (;;) {
    bytes->reset(new (std::nothrow) uint8_t[size]());
    if (!*bytes) return -ENOMEM;
    uapi::RegionInfo info{};
    info.argsz = size;
    info.index = index;
    memcpy(bytes->get(), &info, sizeof(info));
    Answer answer = Ioctl(device, uapi::kDeviceGetRegionInfo, bytes->get());
    if (answer < 0) return answer;
    memcpy(&info, bytes->get(), sizeof(info));
    if (info.argsz <= size) return size;
    if (info.argsz > kMaxInfoBytes) return -E2BIG;
    size = info.argsz;
  }
}

template <typename T>
bool Parse(const uint8_t* bytes, size_t size, size_t at, T* out) {
  if (at > size || size - at < sizeof(T)) return false;
  memcpy(out, bytes + at, sizeof(T));
  return true;
}

bool ParseType(const uint8_t* bytes, size_t size, size_t at, RegionInfo* info) {
  uapi::RegionInfoCapType capability;
  if (!Parse(bytes, size, at, &capability)) return false;
  info->has_type = true;
  info->type = capability.type;
  info->subtype = capability.subtype;
  return true;
}

Answer ParseSparse(const uint8_t* bytes, size_t size, size_t at, RegionInfo* info) {
  uapi::RegionInfoCapSparseMmap capability;
  if (!Parse(bytes, size, at, &capability)) return -EIO;
  size_t first = at + sizeof(capability);
  size_t count = capability.nr_areas;
  if (count > (size - first) / sizeof(uapi::RegionSparseMmapArea)) return -EIO;
  info->areas.reset(new (std::nothrow) uapi::RegionSparseMmapArea[count]);
  if (!info->areas) return -ENOMEM;
  memcpy(info->areas.get(), bytes + first, count * sizeof(uapi::RegionSparseMmapArea));
  info->has_sparse = true;
  info->area_count = count;
  for (size_t i = 0; i < count; i++) {
    if (Exact(info->areas[i].offset) < 0 || Exact(info->areas[i].size) < 0) return -EOVERFLOW;
  }
  return 0;
}

/// Offsets only grow in a chain that the kernel made; one that goes back would never end.
Answer ParseCapabilities(const uint8_t* bytes, size_t size, size_t at, RegionInfo* info) {
  while (at != 0) {
    uapi::InfoCapHeader header;
    if (!Parse(bytes, size, at, &header)) return -EIO;
    if (header.id == uapi::kRegionInfoCapType && !ParseType(bytes, size, at, info)) return -EIO;
    if (header.id == uapi::kRegionInfoCapSparseMmap) {
      Answer answer = ParseSparse(bytes, size, at, info);
      if (answer < 0) return answer;
    }
    if (header.next != 0 && header.next <= at) return -EIO;
    at = header.next;
  }
  return 0;
}

Answer Whole(ssize_t moved, size_t width) {
  if (moved < 0) return -errno;
  return static_cast<size_t>(moved) == width ? 0 : -EIO;
}

}  // namespace

DeviceInfo GetDeviceInfo(int device) {
  uapi::DeviceInfo raw{};
  raw.argsz = sizeof(raw);
  DeviceInfo info;
  info.result = Ioctl(device, uapi::kDeviceGetInfo, &raw);
  if (info.result < 0) return info;
  info.flags = raw.flags;
  info.num_regions = raw.num_regions;
  info.num_irqs = raw.num_irqs;
  return info;
}

RegionInfo GetRegionInfo(int device, uint32_t index) {
  RegionInfo info;
  Bytes bytes;
  Answer size = Fetch(device, index, &bytes);
  if (size < 0) {
    info.result = size;
    return info;
  }
  uapi::RegionInfo raw;
  memcpy(&raw, bytes.get(), sizeof(raw));
  info.flags = raw.flags;
  info.size = raw.size;
  info.offset = raw.offset;
  if (Exact(raw.size) < 0 || Exact(raw.offset) < 0) {
    info.result = -EOVERFLOW;
  } else if (raw.flags & uapi::kRegionInfoFlagCaps) {
    info.result = ParseCapabilities(bytes.get(), static_cast<size_t>(size), raw.cap_offset, &info);
  }
  return info;
}

RegionData ReadRegion(int device, uint64_t offset, size_t length, size_t width) {
  RegionData answer;
  if (length > kMaxRegionBytes) {
    answer.result = -E2BIG;
    return answer;
  }
  answer.data.reset(new (std::nothrow) uint8_t[length]);
  if (!answer.data) {
    answer.result = -ENOMEM;
    return answer;
  }
  for (size_t at = 0; at < length; at += width) {
    ssize_t moved = pread(device, answer.data.get() + at, width, static_cast<off_t>(offset + at));
    answer.result = Whole(moved, width);
    if (answer.result < 0) return answer;
  }
  answer.result = static_cast<Answer>(length);
  return answer;
}

Answer WriteRegion(int device, uint64_t offset, const uint8_t* data, size_t length, size_t width) {
  for (size_t at = 0; at < length; at += width) {
    ssize_t moved = pwrite(device, data + at, width, static_cast<off_t>(offset + at));
    Answer answer = Whole(moved, width);
    if (answer < 0) return answer;
  }
  return static_cast<Answer>(length);
}

}  // namespace vfio_migrate

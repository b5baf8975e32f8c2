// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// The part of the kernel's VFIO interface that is used here, in our own words. Build hosts have
/// headers older than PRE_COPY, and layouts differ between kernels: what is asserted below is what
/// is sent.
namespace vfio_migrate::uapi {

/// Every request is _IO(';', n): it carries neither size nor direction.
constexpr unsigned long Request(unsigned number) { return 0x3b00ul | number; }

constexpr unsigned long kSetIommu = Request(102);
constexpr unsigned long kGroupGetStatus = Request(103);
constexpr unsigned long kGroupSetContainer = Request(104);
constexpr unsigned long kGroupUnsetContainer = Request(105);
constexpr unsigned long kGroupGetDeviceFd = Request(106);
constexpr unsigned long kDeviceGetInfo = Request(107);
constexpr unsigned long kDeviceGetRegionInfo = Request(108);
constexpr unsigned long kDeviceReset = Request(111);
constexpr unsigned long kDeviceFeature = Request(117);
constexpr unsigned long kDeviceBindIommufd = Request(118);
constexpr unsigned long kMigGetPrecopyInfo = Request(121);

constexpr uint32_t kFeatureGet = 1u << 16;
constexpr uint32_t kFeatureSet = 1u << 17;
constexpr uint32_t kFeatureProbe = 1u << 18;

constexpr uint32_t kFeatureMigration = 1;
constexpr uint32_t kFeatureMigDeviceState = 2;
constexpr uint32_t kFeatureDmaLoggingStart = 6;
constexpr uint32_t kFeatureDmaLoggingStop = 7;
constexpr uint32_t kFeatureDmaLoggingReport = 8;
constexpr uint32_t kFeatureMigDataSize = 9;
constexpr uint32_t kFeatureMigPrecopyInfoV2 = 12;

/// The states that an arc enters with a new data_fd.
constexpr uint32_t kStateStopCopy = 3;
constexpr uint32_t kStateResuming = 4;
constexpr uint32_t kStatePreCopy = 6;
constexpr uint32_t kStatePreCopyP2p = 7;

constexpr uint32_t kGroupFlagsViable = 1u << 0;
constexpr uint32_t kRegionInfoFlagCaps = 1u << 3;
constexpr uint16_t kRegionInfoCapSparseMmap = 1;
constexpr uint16_t kRegionInfoCapType = 2;
constexpr uint32_t kBindFlagToken = 1u << 0;

struct DeviceFeature {
  uint32_t argsz;
  uint32_t flags;
};
static_assert(sizeof(DeviceFeature) == 8);
static_assert(offsetof(DeviceFeature, argsz) == 0);
static_assert(offsetof(DeviceFeature, flags) == 4);

struct FeatureMigration {
  uint64_t flags;
};
static_assert(sizeof(FeatureMigration) == 8);
static_assert(offsetof(FeatureMigration, flags) == 0);

struct FeatureMigState {
  uint32_t device_state;
  int32_t data_fd;
};
static_assert(sizeof(FeatureMigState) == 8);
static_assert(offsetof(FeatureMigState, device_state) == 0);
static_assert(offsetof(FeatureMigState, data_fd) == 4);

struct FeatureMigDataSize {
  uint64_t stop_copy_length;
};
static_assert(sizeof(FeatureMigDataSize) == 8);
static_assert(offsetof(FeatureMigDataSize, stop_copy_length) == 0);

struct PrecopyInfo {
  uint32_t argsz;
  uint32_t flags;
  uint64_t initial_bytes;
  uint64_t dirty_bytes;
};
static_assert(sizeof(PrecopyInfo) == 24);
static_assert(offsetof(PrecopyInfo, argsz) == 0);
static_assert(offsetof(PrecopyInfo, flags) == 4);
static_assert(offsetof(PrecopyInfo, initial_bytes) == 8);
static_assert(offsetof(PrecopyInfo, dirty_bytes) == 16);

struct DmaLoggingControl {
  uint64_t page_size;
  uint32_t num_ranges;
  uint32_t reserved;
  uint64_t ranges;
};
static_assert(sizeof(DmaLoggingControl) == 24);
static_assert(offsetof(DmaLoggingControl, page_size) == 0);
static_assert(offsetof(DmaLoggingControl, num_ranges) == 8);
static_assert(offsetof(DmaLoggingControl, reserved) == 12);
static_assert(offsetof(DmaLoggingControl, ranges) == 16);

struct DmaLoggingRange {
  uint64_t iova;
  uint64_t length;
};
static_assert(sizeof(DmaLoggingRange) == 16);
static_assert(offsetof(DmaLoggingRange, iova) == 0);
static_assert(offsetof(DmaLoggingRange, length) == 8);

struct DmaLoggingReport {
  uint64_t iova;
  uint64_t length;
  uint64_t page_size;
  uint64_t bitmap;
};
static_assert(sizeof(DmaLoggingReport) == 32);
static_assert(offsetof(DmaLoggingReport, iova) == 0);
static_assert(offsetof(DmaLoggingReport, length) == 8);
static_assert(offsetof(DmaLoggingReport, page_size) == 16);
static_assert(offsetof(DmaLoggingReport, bitmap) == 24);

/// vfio_device_info of 7.2; 6.12 and mdev samples fill the first 16 bytes only.
struct DeviceInfo {
  uint32_t argsz;
  uint32_t flags;
  uint32_t num_regions;
  uint32_t num_irqs;
  uint32_t cap_offset;
  uint32_t pad;
};
static_assert(sizeof(DeviceInfo) == 24);
static_assert(offsetof(DeviceInfo, argsz) == 0);
static_assert(offsetof(DeviceInfo, flags) == 4);
static_assert(offsetof(DeviceInfo, num_regions) == 8);
static_assert(offsetof(DeviceInfo, num_irqs) == 12);
static_assert(offsetof(DeviceInfo, cap_offset) == 16);
static_assert(offsetof(DeviceInfo, pad) == 20);

struct RegionInfo {
  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t cap_offset;
  uint64_t size;
  uint64_t offset;
};
static_assert(sizeof(RegionInfo) == 32);
static_assert(offsetof(RegionInfo, argsz) == 0);
static_assert(offsetof(RegionInfo, flags) == 4);
static_assert(offsetof(RegionInfo, index) == 8);
static_assert(offsetof(RegionInfo, cap_offset) == 12);
static_assert(offsetof(RegionInfo, size) == 16);
static_assert(offsetof(RegionInfo, offset) == 24);

struct InfoCapHeader {
  uint16_t id;
  uint16_t version;
  uint32_t next;
};
static_assert(sizeof(InfoCapHeader) == 8);
static_assert(offsetof(InfoCapHeader, id) == 0);
static_assert(offsetof(InfoCapHeader, version) == 2);
static_assert(offsetof(InfoCapHeader, next) == 4);

struct RegionInfoCapType {
  InfoCapHeader header;
  uint32_t type;
  uint32_t subtype;
};
static_assert(sizeof(RegionInfoCapType) == 16);
static_assert(offsetof(RegionInfoCapType, type) == 8);
static_assert(offsetof(RegionInfoCapType, subtype) == 12);

struct RegionInfoCapSparseMmap {
  InfoCapHeader header;
  uint32_t nr_areas;
  uint32_t reserved;
};
static_assert(sizeof(RegionInfoCapSparseMmap) == 16);
static_assert(offsetof(RegionInfoCapSparseMmap, nr_areas) == 8);
static_assert(offsetof(RegionInfoCapSparseMmap, reserved) == 12);

struct RegionSparseMmapArea {
  uint64_t offset;
  uint64_t size;
};
static_assert(sizeof(RegionSparseMmapArea) == 16);
static_assert(offsetof(RegionSparseMmapArea, offset) == 0);
static_assert(offsetof(RegionSparseMmapArea, size) == 8);

struct GroupStatus {
  uint32_t argsz;
  uint32_t flags;
};
static_assert(sizeof(GroupStatus) == 8);
static_assert(offsetof(GroupStatus, argsz) == 0);
static_assert(offsetof(GroupStatus, flags) == 4);

/// vfio_device_bind_iommufd of 7.2. 6.12 knows the first 16 bytes, and that is what is sent without
/// a token.
struct DeviceBindIommufd {
  uint32_t argsz;
  uint32_t flags;
  int32_t iommufd;
  uint32_t out_devid;
  uint64_t token_uuid_ptr;
};
static_assert(sizeof(DeviceBindIommufd) == 24);
static_assert(offsetof(DeviceBindIommufd, argsz) == 0);
static_assert(offsetof(DeviceBindIommufd, flags) == 4);
static_assert(offsetof(DeviceBindIommufd, iommufd) == 8);
static_assert(offsetof(DeviceBindIommufd, out_devid) == 12);
static_assert(offsetof(DeviceBindIommufd, token_uuid_ptr) == 16);

constexpr uint32_t kBindSizeWithoutToken = offsetof(DeviceBindIommufd, token_uuid_ptr);

}  // namespace vfio_migrate::uapi

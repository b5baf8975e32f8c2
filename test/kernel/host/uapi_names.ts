// SPDX-License-Identifier: Apache-2.0

/** What the kernel calls the constants of native/core/uapi.h: an expression over <linux/vfio.h>. */
export const constants: Readonly<Record<string, string>> = {
  kSetIommu: 'VFIO_SET_IOMMU',
  kGroupGetStatus: 'VFIO_GROUP_GET_STATUS',
  kGroupSetContainer: 'VFIO_GROUP_SET_CONTAINER',
  kGroupUnsetContainer: 'VFIO_GROUP_UNSET_CONTAINER',
  kGroupGetDeviceFd: 'VFIO_GROUP_GET_DEVICE_FD',
  kDeviceGetInfo: 'VFIO_DEVICE_GET_INFO',
  kDeviceGetRegionInfo: 'VFIO_DEVICE_GET_REGION_INFO',
  kDeviceReset: 'VFIO_DEVICE_RESET',
  kDeviceFeature: 'VFIO_DEVICE_FEATURE',
  kDeviceBindIommufd: 'VFIO_DEVICE_BIND_IOMMUFD',
  kMigGetPrecopyInfo: 'VFIO_MIG_GET_PRECOPY_INFO',
  kFeatureGet: 'VFIO_DEVICE_FEATURE_GET',
  kFeatureSet: 'VFIO_DEVICE_FEATURE_SET',
  kFeatureProbe: 'VFIO_DEVICE_FEATURE_PROBE',
  kFeatureMigration: 'VFIO_DEVICE_FEATURE_MIGRATION',
  kFeatureMigDeviceState: 'VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE',
  kFeatureDmaLoggingStart: 'VFIO_DEVICE_FEATURE_DMA_LOGGING_START',
  kFeatureDmaLoggingStop: 'VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP',
  kFeatureDmaLoggingReport: 'VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT',
  kFeatureMigDataSize: 'VFIO_DEVICE_FEATURE_MIG_DATA_SIZE',
  kFeatureMigPrecopyInfoV2: 'VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2',
  kStateStopCopy: 'VFIO_DEVICE_STATE_STOP_COPY',
  kStateResuming: 'VFIO_DEVICE_STATE_RESUMING',
  kStatePreCopy: 'VFIO_DEVICE_STATE_PRE_COPY',
  kStatePreCopyP2p: 'VFIO_DEVICE_STATE_PRE_COPY_P2P',
  kGroupFlagsViable: 'VFIO_GROUP_FLAGS_VIABLE',
  kRegionInfoFlagCaps: 'VFIO_REGION_INFO_FLAG_CAPS',
  kRegionInfoCapSparseMmap: 'VFIO_REGION_INFO_CAP_SPARSE_MMAP',
  kRegionInfoCapType: 'VFIO_REGION_INFO_CAP_TYPE',
  kBindFlagToken: 'VFIO_DEVICE_BIND_FLAG_TOKEN',
  kBindSizeWithoutToken: 'offsetof(struct vfio_device_bind_iommufd, out_devid) + sizeof(__u32)',
}

/** The kernel's structs by the names that native/core/uapi.h gives them. */
export const structs: Readonly<Record<string, string>> = {
  DeviceFeature: 'vfio_device_feature',
  FeatureMigration: 'vfio_device_feature_migration',
  FeatureMigState: 'vfio_device_feature_mig_state',
  FeatureMigDataSize: 'vfio_device_feature_mig_data_size',
  PrecopyInfo: 'vfio_precopy_info',
  DmaLoggingControl: 'vfio_device_feature_dma_logging_control',
  DmaLoggingRange: 'vfio_device_feature_dma_logging_range',
  DmaLoggingReport: 'vfio_device_feature_dma_logging_report',
  DeviceInfo: 'vfio_device_info',
  RegionInfo: 'vfio_region_info',
  InfoCapHeader: 'vfio_info_cap_header',
  RegionInfoCapType: 'vfio_region_info_cap_type',
  RegionInfoCapSparseMmap: 'vfio_region_info_cap_sparse_mmap',
  RegionSparseMmapArea: 'vfio_region_sparse_mmap_area',
  GroupStatus: 'vfio_group_status',
  DeviceBindIommufd: 'vfio_device_bind_iommufd',
}

/** Members that the kernel calls otherwise: a name that begins with two underscores is not ours to use. */
export const renamedMembers: Readonly<Record<string, string>> = {
  'DmaLoggingControl.reserved': '__reserved',
}

/** What Linux 6.12 does not have yet. */
export const absentIn612: readonly string[] = [
  'kFeatureMigPrecopyInfoV2',
  'kBindFlagToken',
  'DeviceBindIommufd.token_uuid_ptr',
]

/** A struct that grew after 6.12, and its size there. */
export const sizesIn612: Readonly<Record<string, number>> = { DeviceBindIommufd: 16 }

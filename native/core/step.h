// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vfio_migrate {

/// The calls that open a device, in the order in which they are made.
enum class OpenStep {
  kOpenCdev,
  kOpenIommufd,
  kBindIommufd,
  kOpenGroup,
  kGroupGetStatus,
  kOpenContainer,
  kGroupSetContainer,
  kSetIommu,
  kGroupGetDeviceFd,
  kStartThread,
};

}  // namespace vfio_migrate

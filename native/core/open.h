// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "call.h"
#include "fd.h"
#include "group.h"
#include "step.h"

namespace vfio_migrate {

/// Every fd that makes a device usable.
struct DeviceFds {
  Fd device;
  Fd iommufd;
  GroupShare group;
  std::unique_ptr<Fd[]> companions;
  size_t companion_count = 0;

  /// The device first: nothing that it stands on may go before it. Blocks: the last close of a PCI
  /// function resets it.
  void Close();
};

constexpr size_t kTokenBytes = 16;

/// open(cdev), open(iommufd), BIND_IOMMUFD; `token` of kTokenBytes or null. Blocks: opening a PCI
/// function resets it. `step` is the call that answered; on failure everything is undone.
Answer OpenCdev(const char* cdev, const char* iommufd, const uint8_t* token, DeviceFds* fds,
                OpenStep* step);

/// The shared group and container, then GET_DEVICE_FD of `name`. Blocks likewise.
Answer OpenGroup(const char* group, const char* container, int iommu_type, const char* name,
                 DeviceFds* fds, OpenStep* step);

}  // namespace vfio_migrate

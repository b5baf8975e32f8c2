// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "fd.h"
#include "group.h"
#include "step.h"

namespace vfio_migrate {

/// Every fd that makes a device usable: opened here, where group and container are shares, or lent.
struct DeviceFds {
  Fd device;
  Fd iommufd;
  GroupShare share;
  Fd lent_group;
  Fd lent_container;
  bool lent = false;

  int group_fd() const { return lent ? lent_group.get() : share.group_fd(); }
  int container_fd() const { return lent ? lent_container.get() : share.container_fd(); }

  /// The device first: nothing that it stands on may go before it. Blocks: the last close of a PCI
  /// function resets it.
  void Close();
};

/// The numbers of an open device and of what it stands on; -1 for none.
struct LentNumbers {
  int device = -1;
  int iommufd = -1;
  int group = -1;
  int container = -1;
};

/// Takes ownership; touches none of them. -EBUSY when one is taken already: then none is.
Answer AdoptLent(const LentNumbers& numbers, DeviceFds* fds);
/// Gives up the ownership of what was adopted, and leaves it open.
void GiveBackLent(DeviceFds* fds);

constexpr size_t kTokenBytes = 16;

/// open(cdev), open(iommufd), BIND_IOMMUFD; `token` of kTokenBytes or null. Blocks: opening a PCI
/// function resets it. `step` is the call that answered; on failure everything is undone.
Answer OpenCdev(const char* cdev, const char* iommufd, const uint8_t* token, DeviceFds* fds,
                OpenStep* step);

/// The shared group and container, then GET_DEVICE_FD of `name`. Blocks likewise.
Answer OpenGroup(const char* group, const char* container, int iommu_type, const char* name,
                 DeviceFds* fds, OpenStep* step);

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "step.h"

namespace vfio_migrate {

struct GroupMember;

/// A share in a group's fd and in the container that the group is in. Both exist once in the
/// process: a group can be opened once only (EBUSY), and one IOMMU domain serves all groups of a
/// container.
class GroupShare {
 public:
  GroupShare() = default;
  GroupShare(GroupShare&& other) noexcept;
  GroupShare& operator=(GroupShare&& other) noexcept;
  ~GroupShare() { Close(); }

  /// Opens group and container, or joins them when they are. `device` is what GET_DEVICE_FD takes;
  /// -EBUSY of that step when this process has the device open already: the kernel would give
  /// another fd of it, and two would drive one state machine. Blocks.
  Answer Open(const char* group, const char* container, int iommu_type, const char* device,
              OpenStep* step);
  /// The last share closes the group, and with its last group the container. Blocks.
  void Close();

  int group_fd() const;
  int container_fd() const;

 private:
  GroupMember* member_ = nullptr;
};

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "step.h"

namespace vfio_migrate {

struct Group;

/// A share in a group's fd and in the container that the group is in. Both exist once in the
/// process: a group can be opened once only (EBUSY), and one IOMMU domain serves all groups of a
/// container.
class GroupShare {
 public:
  GroupShare() = default;
  GroupShare(GroupShare&& other) noexcept;
  GroupShare& operator=(GroupShare&& other) noexcept;
  ~GroupShare() { Close(); }

  /// Opens group and container, or joins them when they are. Blocks.
  Answer Open(const char* group, const char* container, int iommu_type, OpenStep* step);
  /// The last share closes the group, and with its last group the container. Blocks.
  void Close();

  int group_fd() const;
  int container_fd() const;

 private:
  Group* group_ = nullptr;
};

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#include "group.h"

#include <pthread.h>

#include <cstring>
#include <new>
#include <utility>

#include "fd.h"
#include "shared.h"
#include "uapi.h"

namespace vfio_migrate {

namespace {

constexpr size_t kPathBytes = 256;

struct Container {
  char path[kPathBytes];
  int iommu_type;
  Fd fd;
  int groups = 0;
  Container* next = nullptr;
};

/// A group's fd, the container that it is in, and its devices that are open here.
struct Group {
  char path[kPathBytes];
  Fd fd;
  Container* container = nullptr;
  GroupMember* members = nullptr;
  Group* next = nullptr;
};

// The registry. Threads that are still in a call outlive main(), so nothing here has a destructor.
pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
Container* containers = nullptr;
Group* groups = nullptr;

}  // namespace

/// A device of a group that this process has open, or is about to open.
struct GroupMember {
  Group* group;
  char device[kPathBytes];
  GroupMember* next = nullptr;
};

namespace {

template <typename T>
void Unlink(T** list, T* gone) {
  while (*list != gone) list = &(*list)->next;
  *list = gone->next;
}

bool SetPath(char (&out)[kPathBytes], const char* path) {
  size_t length = strlen(path);
  if (length >= kPathBytes) return false;
  memcpy(out, path, length + 1);
  return true;
}

Group* FindGroup(const char* path) {
  for (Group* group = groups; group; group = group->next) {
    if (strcmp(group->path, path) == 0) return group;
  }
  return nullptr;
}

Container* FindContainer(const char* path, int iommu_type) {
  for (Container* each = containers; each; each = each->next) {
    if (each->iommu_type == iommu_type && strcmp(each->path, path) == 0) return each;
  }
  return nullptr;
}

Answer CheckViable(int group_fd) {
  uapi::GroupStatus status{sizeof(status), 0};
  Answer answer = Ioctl(group_fd, uapi::kGroupGetStatus, &status);
  if (answer < 0) return answer;
  return status.flags & uapi::kGroupFlagsViable ? 0 : -EPERM;
}

/// The container, with one more group counted; a new one is listed but has no IOMMU type yet.
Answer JoinContainer(const char* path, int iommu_type, Container** joined) {
  *joined = FindContainer(path, iommu_type);
  if (!*joined) {
    auto* fresh = new (std::nothrow) Container{};
    if (!fresh) return -ENOMEM;
    fresh->iommu_type = iommu_type;
    Answer answer = SetPath(fresh->path, path) ? OpenPath(path, &fresh->fd) : -ENAMETOOLONG;
    if (answer < 0) {
      delete fresh;
      return answer;
    }
    fresh->next = std::exchange(containers, fresh);
    *joined = fresh;
  }
  (*joined)->groups++;
  return 0;
}

void LeaveContainer(Container* container) {
  if (--container->groups > 0) return;
  Unlink(&containers, container);
  delete container;
}

Answer Attach(int group_fd, Container* container, OpenStep* step) {
  *step = OpenStep::kGroupSetContainer;
  int container_fd = container->fd.get();
  // A shared container may refuse another group, whose IOMMU domain it cannot serve. That is the
  // -errno of this open: one container per path and type in a process, and no second is tried.
  Answer answer = Ioctl(group_fd, uapi::kGroupSetContainer, &container_fd);
  // The kernel forgets the type when the last group leaves, and so do we: the container goes with
  // it.
  if (answer < 0 || container->groups > 1) return answer;
  *step = OpenStep::kSetIommu;
  answer = Answered(ioctl(container_fd, uapi::kSetIommu, static_cast<long>(container->iommu_type)));
  if (answer < 0) ioctl(group_fd, uapi::kGroupUnsetContainer);
  return answer;
}

Answer OpenFirst(Group* group, const char* container, int iommu_type, OpenStep* step) {
  *step = OpenStep::kOpenGroup;
  Answer answer = OpenPath(group->path, &group->fd);
  if (answer < 0) return answer;
  *step = OpenStep::kGroupGetStatus;
  answer = CheckViable(group->fd.get());
  if (answer < 0) return answer;
  *step = OpenStep::kOpenContainer;
  answer = JoinContainer(container, iommu_type, &group->container);
  if (answer < 0) return answer;
  answer = Attach(group->fd.get(), group->container, step);
  if (answer < 0) LeaveContainer(group->container);
  return answer;
}

Answer CreateGroup(const char* path, const char* container, int iommu_type, OpenStep* step,
                   Group** created) {
  auto* group = new (std::nothrow) Group{};
  Answer answer = !group ? -ENOMEM : SetPath(group->path, path) ? 0 : -ENAMETOOLONG;
  if (answer == 0) answer = OpenFirst(group, container, iommu_type, step);
  if (answer < 0) {
    delete group;
    return answer;
  }
  group->next = std::exchange(groups, group);
  *created = group;
  return 0;
}

/// A group is in one container only: another type is what the kernel calls "already has one".
Answer CheckJoin(const Group* group, const char* container, int iommu_type, const char* device,
                 OpenStep* step) {
  *step = OpenStep::kGroupSetContainer;
  if (group->container != FindContainer(container, iommu_type)) return -EINVAL;
  *step = OpenStep::kGroupGetDeviceFd;
  for (GroupMember* member = group->members; member; member = member->next) {
    if (strcmp(member->device, device) == 0) return -EBUSY;
  }
  return 0;
}

/// The name ends where its options begin: ` vf_token=`.
bool SetDevice(GroupMember* member, const char* name) {
  size_t length = strcspn(name, " ");
  if (length >= kPathBytes) return false;
  memcpy(member->device, name, length);
  member->device[length] = 0;
  return true;
}

}  // namespace

GroupShare::GroupShare(GroupShare&& other) noexcept
    : member_(std::exchange(other.member_, nullptr)) {}

GroupShare& GroupShare::operator=(GroupShare&& other) noexcept {
  std::swap(member_, other.member_);
  return *this;
}

Answer GroupShare::Open(const char* path, const char* container, int iommu_type, const char* device,
                        OpenStep* step) {
  *step = OpenStep::kOpenGroup;
  auto* member = new (std::nothrow) GroupMember{};
  if (!member) return -ENOMEM;
  Answer answer = SetDevice(member, device) ? 0 : -ENAMETOOLONG;
  Lock lock(&registry_mutex);
  Group* group = FindGroup(path);
  if (answer == 0) {
    answer = group ? CheckJoin(group, container, iommu_type, member->device, step)
                   : CreateGroup(path, container, iommu_type, step, &group);
  }
  if (answer < 0) {
    delete member;
    return answer;
  }
  member->group = group;
  member->next = std::exchange(group->members, member);
  member_ = member;
  return 0;
}

void GroupShare::Close() {
  GroupMember* member = std::exchange(member_, nullptr);
  if (!member) return;
  Lock lock(&registry_mutex);
  Group* group = member->group;
  Unlink(&group->members, member);
  delete member;
  if (group->members) return;
  Unlink(&groups, group);
  // The group first: closing it takes it out of the container.
  group->fd.Close();
  LeaveContainer(group->container);
  delete group;
}

int GroupShare::group_fd() const { return member_ ? member_->group->fd.get() : -1; }
int GroupShare::container_fd() const { return member_ ? member_->group->container->fd.get() : -1; }

}  // namespace vfio_migrate

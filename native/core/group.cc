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

// The registry. Threads that are still in a call outlive main(), so nothing here has a destructor.
pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
Container* containers = nullptr;
Group* groups = nullptr;

}  // namespace

struct Group {
  char path[kPathBytes];
  Fd fd;
  Container* container = nullptr;
  int shares = 0;
  Group* next = nullptr;
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
Answer CheckSame(const Group* group, const char* container, int iommu_type, OpenStep* step) {
  *step = OpenStep::kGroupSetContainer;
  return group->container == FindContainer(container, iommu_type) ? 0 : -EINVAL;
}

}  // namespace

GroupShare::GroupShare(GroupShare&& other) noexcept
    : group_(std::exchange(other.group_, nullptr)) {}

GroupShare& GroupShare::operator=(GroupShare&& other) noexcept {
  std::swap(group_, other.group_);
  return *this;
}

Answer GroupShare::Open(const char* path, const char* container, int iommu_type, OpenStep* step) {
  *step = OpenStep::kOpenGroup;
  Lock lock(&registry_mutex);
  Group* group = FindGroup(path);
  Answer answer = group ? CheckSame(group, container, iommu_type, step)
                        : CreateGroup(path, container, iommu_type, step, &group);
  if (answer < 0) return answer;
  group->shares++;
  group_ = group;
  return 0;
}

void GroupShare::Close() {
  Group* group = std::exchange(group_, nullptr);
  if (!group) return;
  Lock lock(&registry_mutex);
  if (--group->shares > 0) return;
  Unlink(&groups, group);
  // The group first: closing it takes it out of the container.
  group->fd.Close();
  LeaveContainer(group->container);
  delete group;
}

int GroupShare::group_fd() const { return group_ ? group_->fd.get() : -1; }
int GroupShare::container_fd() const { return group_ ? group_->container->fd.get() : -1; }

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake.h"

enum { kMostFds = 4096 };

static struct file files[192];
static struct file* by_fd[kMostFds];

static struct {
  int container_opens, iommu_type;
  bool has_group, group_open;
} legacy;

static const char* const names[kInGroup] = {"0000:08:00.2", "0000:08:00.3", "0000:08:00.4",
                                            "0000:08:00.5"};

bool ours(const char* path) {
  return path != NULL && (starts(path, "/dev/vfio/") || starts(path, "/dev/vfio-fake/") ||
                          same(path, "/dev/iommu"));
}

const char* file_name(const struct file* f) {
  switch (f->kind) {
    case kControl:
      return "control";
    case kDeviceFile:
      return "device";
    case kIommufd:
      return "iommufd";
    case kGroup:
      return "group";
    case kContainer:
      return "container";
    case kData:
      return f->session->saving ? "saving" : "resuming";
  }
  return "";
}

// ---- the table of fds

static bool is_the_same_file(const struct file* f) {
  struct stat st;
  return syscall(SYS_fstat, f->fd, &st) == 0 && st.st_dev == f->st_dev && st.st_ino == f->st_ino;
}

// An fd may have been closed by a raw system call, as libuv does, and be another file by now. What
// is found without the lock may be changing; what is found wrong is looked at again under it.
struct file* find_file(int fd) {
  if (fd < 0 || fd >= kMostFds) return NULL;
  struct file* f = __atomic_load_n(&by_fd[fd], __ATOMIC_ACQUIRE);
  if (f == NULL || (f->fd == fd && is_the_same_file(f))) return f;
  lock();
  f = by_fd[fd];
  if (f != NULL && !is_the_same_file(f)) {
    forget_file(f);
    f = NULL;
  }
  unlock();
  return f;
}

// ThreadSanitizer's, where it is preloaded.
extern void AnnotateIgnoreWritesBegin(const char*, int) __attribute__((weak));
extern void AnnotateIgnoreWritesEnd(const char*, int) __attribute__((weak));
extern void __sanitizer_syscall_pre_impl_close(long) __attribute__((weak));

// The number may have been another file's that libuv closed by a raw system call, which
// ThreadSanitizer did not see: it would take our file for that one. Told of a close, it forgets
// what it knows of the number; the close itself is of nobody, so it is not to be looked at.
void forget_former_file(int fd) {
  if (AnnotateIgnoreWritesBegin == NULL || __sanitizer_syscall_pre_impl_close == NULL) return;
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  __sanitizer_syscall_pre_impl_close(fd);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

static long new_file(enum kind kind, int device, int fd, struct session* session) {
  struct stat st;
  if (fd < 0) return -errno;
  // Closed by a raw system call, and nobody asked for the number since.
  if (fd < kMostFds && by_fd[fd] != NULL) forget_file(by_fd[fd]);
  for (size_t i = 0; fd < kMostFds && i < sizeof files / sizeof *files; i++) {
    struct file* f = &files[i];
    if (f->used) continue;
    syscall(SYS_fstat, fd, &st);
    forget_former_file(fd);
    f->used = true;
    f->kind = kind;
    f->fd = fd;
    f->device = device;
    f->session = session;
    f->busy = 0;
    f->bound = false;
    f->access = O_RDWR;
    f->st_dev = st.st_dev;
    f->st_ino = st.st_ino;
    f->reply_size = f->reply_position = 0;
    __atomic_store_n(&by_fd[fd], f, __ATOMIC_RELEASE);
    return fd;
  }
  syscall(SYS_close, fd);
  return -EMFILE;
}

static int backing(const char* name) { return (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC); }

static long new_device_file(int device) {
  long fd = new_file(kDeviceFile, device, backing("fake vfio device"), NULL);
  if (fd < 0) return fd;
  by_fd[fd]->bound = true;
  devices[device].opens++;
  return fd;
}

// What a session of it is: nobody but libc is between it and its reader.
static long stand_in(const struct session* s) {
  int flags = (s->saving ? O_RDONLY : O_WRONLY) | O_CLOEXEC;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, devices[s->device].file, flags);
  return fd < 0 ? -errno : fd;
}

long data_fd(struct session* s) {
  if (devices[s->device].file[0] != 0) return stand_in(s);
  int ends[2] = {-1, -1};
  if (s->saving && devices[s->device].manner == kMlx5) {
    if (syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  } else {
    ends[0] = backing(s->saving ? "fake saving" : "fake resuming");
  }
  long fd = new_file(kData, s->device, ends[0], s);
  if (fd < 0) {
    if (ends[1] >= 0) syscall(SYS_close, ends[1]);
    return fd;
  }
  by_fd[fd]->access = s->saving ? O_RDONLY : O_WRONLY;
  // Far above the addon's fds, so that their numbers are those which the kernel would give.
  s->fd_signal = ends[1] < 0 ? -1 : (int)syscall(SYS_fcntl, ends[1], F_DUPFD_CLOEXEC, 500);
  if (ends[1] >= 0) syscall(SYS_close, ends[1]);
  s->fd_real = ends[0];
  s->has_fd = true;
  char byte = 0;
  if (s->ready && s->fd_signal >= 0) syscall(SYS_write, s->fd_signal, &byte, 1);
  return fd;
}

static void forget_legacy(enum kind kind) {
  if (kind == kGroup) legacy.group_open = legacy.has_group = false;
  if (kind == kContainer && --legacy.container_opens == 0) legacy.iommu_type = 0;
}

void forget_file(struct file* f) {
  __atomic_store_n(&by_fd[f->fd], NULL, __ATOMIC_RELEASE);
  f->used = false;
  forget_legacy(f->kind);
  if (f->kind == kData) drop_session(f->session);
  if (f->kind != kDeviceFile || !f->bound) return;
  // Nobody opens it anew before that is over.
  if (devices[f->device].opens == 1) last_close(&devices[f->device]);
  devices[f->device].opens--;
}

int open_files(struct file* report_to) {
  int count = 0;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    struct file* f = &files[i];
    if (!f->used || f->kind == kControl) continue;
    if (!is_the_same_file(f)) {
      forget_file(f);
      continue;
    }
    count++;
    if (report_to == NULL) continue;
    for (const char* s = file_name(f); *s; s++) report_to->reply[report_to->reply_size++] = *s;
    report_to->reply[report_to->reply_size++] = '\n';
  }
  return count;
}

// After a test that failed: what it left open is no business of the next one.
void forget_files(void) {
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (files[i].used && files[i].kind != kControl) forget_file(&files[i]);
}

static bool is_open(enum kind kind) {
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (files[i].used && files[i].kind == kind) return true;
  return false;
}

static bool has_kind(int fd, enum kind kind) {
  return fd >= 0 && fd < kMostFds && by_fd[fd] != NULL && by_fd[fd]->kind == kind;
}

// ---- opening

static int in_group(const char* name) {
  for (int i = 0; i < kInGroup; i++)
    if (same(names[i], name)) return i;
  return kNoDevice;
}

// A path that ends in the number of a device.
static int device_at(const char* path, const char* prefix) {
  int n = 0;
  if (!starts(path, prefix)) return kNoDevice;
  while (*prefix) path++, prefix++;
  if (*path == 0) return kNoDevice;
  for (; *path; path++) {
    if (*path < '0' || *path > '9') return kNoDevice;
    n = n * 10 + *path - '0';
    if (n >= kDevices) return kNoDevice;
  }
  return n;
}

static long open_group(void) {
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (files[i].used && files[i].kind == kDeviceFile && devices[files[i].device].opens > 0)
      return -EBUSY;
  if (legacy.group_open) return -EBUSY;
  long fd = new_file(kGroup, kNoDevice, backing("fake vfio group"), NULL);
  if (fd >= 0) legacy.group_open = true;
  return fd;
}

static long open_container(void) {
  long fd = new_file(kContainer, kNoDevice, backing("fake vfio container"), NULL);
  if (fd >= 0) legacy.container_opens++;
  return fd;
}

static long open_node(const char* path, const char** operation, int* device) {
  *device = kNoDevice;
  if (same(path, "/dev/vfio-fake/control"))
    return new_file(kControl, kNoDevice, backing("fake control"), NULL);
  if ((*device = device_at(path, "/dev/vfio-fake/lent")) >= 0) return new_device_file(*device);
  *operation = "open_cdev";
  if ((*device = device_at(path, "/dev/vfio/devices/vfio")) < 0) {
    *operation = "open_iommufd";
    if (same(path, "/dev/vfio/7")) *operation = "open_group";
    if (same(path, "/dev/vfio/vfio")) *operation = "open_container";
    if (!same(path, "/dev/iommu") && same(*operation, "open_iommufd")) return -ENOENT;
  }
  struct verdict v = gate(*operation, *device);
  if (v.error < 0) return v.error;
  if (same(*operation, "open_cdev"))
    return new_file(kDeviceFile, *device, backing("fake vfio cdev"), NULL);
  if (same(*operation, "open_iommufd"))
    return new_file(kIommufd, kNoDevice, backing("fake iommufd"), NULL);
  return same(*operation, "open_group") ? open_group() : open_container();
}

long open_path(const char* path, int flags) {
  const char* operation = NULL;
  int device;
  long fd = open_node(path, &operation, &device);
  if (operation == NULL) return fd;
  if ((flags & O_ACCMODE) != O_RDWR) mismatch("%s not O_RDWR", operation);
  if (!(flags & O_CLOEXEC)) mismatch("%s without O_CLOEXEC", operation);
  note("%s %d = %s", operation, (long)device, fd < 0 ? "failed" : "fd");
  return fd;
}

// ---- cdev: BIND. Until then everything else is EINVAL.

static long bind_with(struct file* f, const uint32_t* argument) {
  int32_t iommufd = (int32_t)argument[2];
  bool token = argument[1] == 1 && kernel_version >= 702;
  if (argument[1] != 0 && !token) return -EINVAL;
  if (argument[0] != (token ? 24 : 16))
    mismatch("bind argsz %d flags %d", (long)argument[0], (long)argument[1]);
  if (iommufd < 0) return -EINVAL;
  if (is_open(kGroup)) return -EBUSY;
  if (f->bound) return -EINVAL;
  if (token) {
    uint64_t pointer;
    copy(&pointer, argument + 4, sizeof pointer);
    if (pointer == 0) return -EFAULT;
    uint64_t halves[2];
    copy(halves, (const void*)pointer, sizeof halves);
    note("token %x %x", __builtin_bswap64(halves[0]), __builtin_bswap64(halves[1]));
  }
  if (!has_kind(iommufd, kIommufd)) return -EBADFD;
  if (devices[f->device].opens > 0) return -EINVAL;
  return 0;
}

static long bind_iommufd(struct file* f, void* argument) {
  struct verdict v = gate("BIND", f->device);
  long result = v.error;
  if (result == 0 && argument == NULL) result = -EFAULT;
  if (result == 0 && *(const uint32_t*)argument < 16) result = -EINVAL;
  if (result == 0) result = bind_with(f, argument);
  if (result == 0) {
    f->bound = true;
    devices[f->device].opens++;
    ((uint32_t*)argument)[3] = 1;
  }
  note("BIND %d = %d", (long)f->device, result);
  return result;
}

// ---- group and container

static long group_status(void* argument) {
  uint32_t* status = argument;
  if (status == NULL) return -EFAULT;
  if (status[0] != 8) mismatch("group status argsz %d", (long)status[0]);
  if (status[0] < 8) return -EINVAL;
  status[1] = (group_viable ? 1 : 0) | (legacy.has_group ? 2 : 0);
  return 0;
}

static long set_container(void* argument) {
  if (argument == NULL) return -EFAULT;
  int32_t fd = *(const int32_t*)argument;
  if (legacy.has_group) return -EINVAL;
  if (!has_kind(fd, kContainer)) return -EBADFD;
  legacy.has_group = true;
  return 0;
}

static long unset_container(void* argument) {
  (void)argument;
  if (!legacy.has_group) return -EINVAL;
  if (is_open(kDeviceFile)) return -EBUSY;
  legacy.has_group = false;
  return 0;
}

static long get_device_fd(void* argument) {
  char name[32] = "";
  const char* text = argument;
  if (text == NULL) return -EFAULT;
  note("device name %s", text);
  for (int i = 0; i < 31 && text[i] && text[i] != ' '; i++) name[i] = text[i];
  int device = in_group(name);
  if (device < 0) return -ENODEV;
  if (!legacy.has_group || legacy.iommu_type == 0) return -EINVAL;
  return new_device_file(device);
}

static long set_iommu(void* argument) {
  long type = (long)argument;  // by value
  note("iommu type %d", type);
  if (!legacy.has_group || legacy.iommu_type != 0) return -EINVAL;
  if (type != 1 && type != 3) return -ENODEV;
  legacy.iommu_type = (int)type;
  return 0;
}

static long run(const char* name, long (*call)(void*), void* argument) {
  struct verdict v = gate(name, kNoDevice);
  long result = v.error < 0 ? v.error : call(argument);
  note("%s = %s", name, result < 0 ? "failed" : "ok");
  return result;
}

static long legacy_ioctl(const struct file* f, unsigned long request, void* argument) {
  if (f->kind == kGroup && request == 0x3b67)
    return run("GROUP_GET_STATUS", group_status, argument);
  if (f->kind == kGroup && request == 0x3b68)
    return run("GROUP_SET_CONTAINER", set_container, argument);
  if (f->kind == kGroup && request == 0x3b69)
    return run("GROUP_UNSET_CONTAINER", unset_container, argument);
  if (f->kind == kGroup && request == 0x3b6a)
    return run("GROUP_GET_DEVICE_FD", get_device_fd, argument);
  if (f->kind == kContainer && request == 0x3b66) return run("SET_IOMMU", set_iommu, argument);
  mismatch("%s ioctl %x", file_name(f), (uint64_t)request);
  return -ENOTTY;
}

static long data_ioctl(struct file* f, unsigned long request, void* argument) {
  if (request != 0x3b79) {
    mismatch("data fd ioctl %x", (uint64_t)request);
    return -ENOTTY;
  }
  struct verdict v = gate("PRECOPY_INFO", f->device);
  long result = v.error < 0 ? v.error : precopy_info(f->session, argument);
  note("PRECOPY_INFO %d = %d", (long)f->device, result);
  return result;
}

long file_ioctl(struct file* f, unsigned long request, void* argument) {
  if (f->kind == kData) return data_ioctl(f, request, argument);
  if (f->kind != kDeviceFile) return legacy_ioctl(f, request, argument);
  if (request == 0x3b76) return bind_iommufd(f, argument);
  return f->bound ? device_ioctl(f->device, request, argument) : -EINVAL;
}

// ---- read and write

static long copy_reply(struct file* f, void* to, size_t bytes) {
  size_t left = f->reply_size - f->reply_position;
  size_t count = bytes < left ? bytes : left;
  copy(to, f->reply + f->reply_position, count);
  f->reply_position += count;
  return (long)count;
}

long file_read(struct file* f, void* to, size_t bytes) {
  if (f->kind == kControl) return copy_reply(f, to, bytes);
  if (f->kind != kData) return -EINVAL;
  if (f->access == O_WRONLY) return -EBADF;
  bool nonblock = ((int)syscall(SYS_fcntl, f->fd, F_GETFL) & O_NONBLOCK) != 0;
  if (!nonblock) mismatch("read of a saving fd that blocks");
  struct verdict v = gate("read", f->device);
  if (v.cut > 0 && bytes > (size_t)v.cut) bytes = (size_t)v.cut;
  long result = v.error < 0 ? v.error : read_session(f->session, to, bytes, nonblock);
  note("read %d = %d", (long)f->device, result);
  return result;
}

long file_write(struct file* f, const void* from, size_t bytes) {
  if (f->kind == kControl) return control(f, from, bytes);
  if (f->kind != kData) return -EINVAL;
  if (f->access == O_RDONLY) return -EBADF;
  struct verdict v = gate("write", f->device);
  if (v.cut > 0 && bytes > (size_t)v.cut) bytes = (size_t)v.cut;
  long result = v.error < 0 ? v.error : write_session(f->session, from, bytes);
  note("write %d = %d", (long)f->device, result);
  return result;
}

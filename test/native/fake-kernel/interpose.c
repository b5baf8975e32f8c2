// SPDX-License-Identifier: Apache-2.0
//
// The libc functions that stand before the system calls. A path or fd that is not ours costs one
// comparison and goes to the next definition in the order of libraries: libc's, as the sanitizers
// come before us.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake.h"

#undef open
#undef open64
#undef openat
#undef openat64
#undef fcntl
#undef fcntl64
#undef pread
#undef pread64
#undef pwrite
#undef pwrite64
#define EXPORT __attribute__((visibility("default")))

#define NEXT(type, name)                                             \
  static __typeof__(type)* next;                                     \
  __typeof__(type)* real = __atomic_load_n(&next, __ATOMIC_RELAXED); \
  if (real == NULL) {                                                \
    real = (__typeof__(type)*)dlsym(RTLD_NEXT, name);                \
    __atomic_store_n(&next, real, __ATOMIC_RELAXED);                 \
  }

typedef int open_type(const char*, int, ...);
typedef int openat_type(int, const char*, int, ...);
typedef int fcntl_type(int, int, ...);
typedef int ioctl_type(int, unsigned long, ...);
typedef int open_2_type(const char*, int);

__attribute__((constructor)) static void start(void) {
  for (int i = 0; i < kDevices; i++) power_on(i);
}

static long answer(long result) {
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

static int open_ours(const char* path, int flags) {
  lock();
  long fd = open_path(path, flags);
  unlock();
  return (int)answer(fd);
}

// What a lane needs beside the device's own fds: told to fail like any call.
static long gate_lane(const char* operation) {
  lock();
  struct verdict v = gate(operation, kNoDevice);
  unlock();
  return v.error;
}

static bool is_reopening(const char* path) {
  return path != NULL && starts(path, "/proc/self/fd/");
}

#define OPEN(name)                                             \
  EXPORT int name(const char* path, int flags, ...) {          \
    if (ours(path)) return open_ours(path, flags);             \
    long error = is_reopening(path) ? gate_lane("reopen") : 0; \
    if (error < 0) return (int)answer(error);                  \
    NEXT(open_type, #name)                                     \
    va_list args;                                              \
    va_start(args, flags);                                     \
    mode_t mode = va_arg(args, mode_t);                        \
    va_end(args);                                              \
    return real(path, flags, mode);                            \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                 \
  EXPORT int name(int directory, const char* path, int flags, ...) { \
    if (ours(path)) return open_ours(path, flags);                   \
    NEXT(openat_type, #name)                                         \
    va_list args;                                                    \
    va_start(args, flags);                                           \
    mode_t mode = va_arg(args, mode_t);                              \
    va_end(args);                                                    \
    return real(directory, path, flags, mode);                       \
  }
OPENAT(openat)
OPENAT(openat64)

#define OPEN_2(name)                               \
  EXPORT int name(const char* path, int flags) {   \
    if (ours(path)) return open_ours(path, flags); \
    NEXT(open_2_type, #name)                       \
    return real(path, flags);                      \
  }
OPEN_2(__open_2)
OPEN_2(__open64_2)

// close(2) while a call is in the kernel is how fd numbers get mixed up: it must have waited.
static void note_close(struct file* f) {
  lock();
  if (f->kind != kControl) {
    if (f->busy > 0) mismatch("close of %s in a call", file_name(f));
    gate("close", f->device);
    note("close %s", file_name(f));
  }
  forget_file(f);
  unlock();
}

EXPORT int close(int fd) {
  struct file* f = find_file(fd);
  if (f != NULL) note_close(f);
  typedef int type(int);
  NEXT(type, "close")
  return real(fd);
}

static long call(struct file* f, long (*function)(struct file*, void*, size_t), void* buffer,
                 size_t bytes) {
  lock();
  f->busy++;
  long result = function(f, buffer, bytes);
  f->busy--;
  unlock();
  return answer(result);
}

static long write_from(struct file* f, void* buffer, size_t bytes) {
  return file_write(f, buffer, bytes);
}

EXPORT ssize_t read(int fd, void* buffer, size_t bytes) {
  struct file* f = find_file(fd);
  if (f != NULL) return call(f, file_read, buffer, bytes);
  typedef ssize_t type(int, void*, size_t);
  NEXT(type, "read")
  return real(fd, buffer, bytes);
}

EXPORT ssize_t __read_chk(int fd, void* buffer, size_t bytes, size_t room) {
  (void)room;
  return read(fd, buffer, bytes);
}

EXPORT ssize_t write(int fd, const void* buffer, size_t bytes) {
  struct file* f = find_file(fd);
  if (f != NULL) return call(f, write_from, (void*)buffer, bytes);
  typedef ssize_t type(int, const void*, size_t);
  NEXT(type, "write")
  return real(fd, buffer, bytes);
}

static ssize_t access_at(struct file* f, void* buffer, size_t bytes, off_t offset, bool write) {
  if (f->kind != kDeviceFile) return answer(-ESPIPE);
  if (!f->bound) return answer(-EINVAL);
  lock();
  f->busy++;
  long result = device_access(f->device, buffer, bytes, offset, write);
  f->busy--;
  unlock();
  return answer(result);
}

#define PREAD(name, pointer, write)                                          \
  EXPORT ssize_t name(int fd, pointer buffer, size_t bytes, off_t offset) {  \
    struct file* f = find_file(fd);                                          \
    if (f != NULL) return access_at(f, (void*)buffer, bytes, offset, write); \
    typedef ssize_t type(int, pointer, size_t, off_t);                       \
    NEXT(type, #name)                                                        \
    return real(fd, buffer, bytes, offset);                                  \
  }
PREAD(pread, void*, false)
PREAD(pread64, void*, false)
PREAD(pwrite, const void*, true)
PREAD(pwrite64, const void*, true)

static int ioctl_ours(struct file* f, unsigned long request, void* argument) {
  lock();
  f->busy++;
  long result = file_ioctl(f, request, argument);
  f->busy--;
  unlock();
  return (int)answer(result);
}

EXPORT int ioctl(int fd, unsigned long request, ...) {
  va_list args;
  va_start(args, request);
  void* argument = va_arg(args, void*);
  va_end(args);
  struct file* f = find_file(fd);
  if (f != NULL) return ioctl_ours(f, request, argument);
  NEXT(ioctl_type, "ioctl")
  return real(fd, request, argument);
}

static int fcntl_ours(struct file* f, int command, void* argument) {
  int result = (int)syscall(SYS_fcntl, f->fd, command, argument);
  lock();
  if (command == F_SETFL)
    note("F_SETFL %s %s", file_name(f), (long)argument & O_NONBLOCK ? "O_NONBLOCK" : "blocking");
  unlock();
  return command == F_GETFL && result >= 0 ? (result & ~O_ACCMODE) | f->access : result;
}

#define FCNTL(name)                                                            \
  EXPORT int name(int fd, int command, ...) {                                  \
    va_list args;                                                              \
    va_start(args, command);                                                   \
    void* argument = va_arg(args, void*);                                      \
    va_end(args);                                                              \
    struct file* f = find_file(fd);                                            \
    if (f != NULL) return fcntl_ours(f, command, argument);                    \
    NEXT(fcntl_type, #name)                                                    \
    int result = real(fd, command, argument);                                  \
    if (command == F_DUPFD_CLOEXEC && result >= 0) forget_former_file(result); \
    return result;                                                             \
  }
FCNTL(fcntl)
FCNTL(fcntl64)

// poll(2) itself is libc's: the real fds behind ours are readable exactly when the kernel's would
// be. It is noted, so that a test knows that a read waits, and it can be told to fail.
static struct file* polled(const struct pollfd* fds, nfds_t count) {
  for (nfds_t i = 0; i < count; i++) {
    struct file* f = find_file(fds[i].fd);
    if (f != NULL && f->kind == kData) return f;
  }
  return NULL;
}

static long start_poll(struct file* f) {
  lock();
  f->busy++;
  struct verdict v = gate("poll", f->device);
  note("poll %s %d", file_name(f), (long)f->device);
  unlock();
  return v.error;
}

static void end_poll(struct file* f) {
  lock();
  f->busy--;
  unlock();
}

EXPORT int poll(struct pollfd* fds, nfds_t count, int timeout) {
  struct file* f = polled(fds, count);
  long error = f == NULL ? 0 : start_poll(f);
  typedef int type(struct pollfd*, nfds_t, int);
  NEXT(type, "poll")
  int result = error < 0 ? (int)answer(error) : real(fds, count, timeout);
  if (f != NULL) end_poll(f);
  return result;
}

EXPORT int __poll_chk(struct pollfd* fds, nfds_t count, int timeout, size_t room) {
  (void)room;
  return poll(fds, count, timeout);
}

EXPORT int ppoll(struct pollfd* fds, nfds_t count, const struct timespec* timeout,
                 const sigset_t* mask) {
  struct file* f = polled(fds, count);
  long error = f == NULL ? 0 : start_poll(f);
  typedef int type(struct pollfd*, nfds_t, const struct timespec*, const sigset_t*);
  NEXT(type, "ppoll")
  int result = error < 0 ? (int)answer(error) : real(fds, count, timeout, mask);
  if (f != NULL) end_poll(f);
  return result;
}

EXPORT int eventfd(unsigned count, int flags) {
  typedef int type(unsigned, int);
  NEXT(type, "eventfd")
  long error = gate_lane("eventfd");
  return error < 0 ? (int)answer(error) : real(count, flags);
}

EXPORT int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                          void* argument) {
  typedef int type(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  NEXT(type, "pthread_create")
  long error = gate_lane("pthread_create");
  return error < 0 ? (int)-error : real(thread, attributes, body, argument);
}

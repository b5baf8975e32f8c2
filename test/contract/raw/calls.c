// SPDX-License-Identifier: Apache-2.0
//
// One raw system call on the inherited fd 3, for what the seam hides. Prints the result or -errno,
// then the bytes of an ioctl as they are afterwards. Usage: calls OPERATION [ARGUMENT]...
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { kFd = 3, kMost = 1 << 20 };
static unsigned char bytes[kMost];

static long answer(long result) { return result < 0 ? -errno : result; }

static size_t from_hex(const char* hex) {
  size_t n = 0;
  for (; hex[0] && hex[1] && n < kMost; hex += 2) {
    char pair[3] = {hex[0], hex[1], 0};
    bytes[n++] = (unsigned char)strtoul(pair, NULL, 16);
  }
  return n;
}

static long poll_now(void) {
  struct pollfd p = {kFd, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLRDHUP, 0};
  long result = answer(poll(&p, 1, 0));
  return result < 0 ? result : p.revents;
}

static long epoll_add(void) {
  struct epoll_event event = {EPOLLIN, {0}};
  return answer(epoll_ctl(epoll_create1(EPOLL_CLOEXEC), EPOLL_CTL_ADD, kFd, &event));
}

static long splice_out(void) {
  int ends[2];
  if (pipe(ends) < 0) return -errno;
  return answer(splice(kFd, NULL, ends[1], NULL, 16, 0));
}

static long raw_ioctl(unsigned long request, const char* hex) {
  if (hex == NULL) return answer(ioctl(kFd, request, NULL));
  size_t n = from_hex(hex);
  long result = answer(ioctl(kFd, request, bytes));
  printf("%ld ", result);
  for (size_t i = 0; i < n; i++) printf("%02x", bytes[i]);
  return result;
}

// The table of fds is full: what is opened next is EMFILE.
static void spare_no_fd(void) {
  struct rlimit limit = {kFd + 1, kFd + 1};
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Memory that the kernel can read and not write.
static long read_only_ioctl(unsigned long request, const char* hex) {
  size_t n = from_hex(hex);
  void* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(page, bytes, n);
  mprotect(page, 4096, PROT_READ);
  return answer(ioctl(kFd, request, page));
}

// O_NONBLOCK belongs to the open file, which the parent shares: it is put back.
static long blocking_read(long most) {
  int flags = fcntl(kFd, F_GETFL);
  fcntl(kFd, F_SETFL, flags & ~O_NONBLOCK);
  puts("reached");
  fflush(stdout);
  long result = answer(read(kFd, bytes, (size_t)most));
  fcntl(kFd, F_SETFL, flags);
  return result;
}

int main(int argc, char** argv) {
  const char* operation = argc > 1 ? argv[1] : "";
  long result = -ENOSYS;
  if (strcmp(operation, "ioctl-without-fd") == 0) {
    spare_no_fd();
    result = raw_ioctl(strtoul(argv[2], NULL, 0), argv[3]);
    return 0;
  }
  if (strcmp(operation, "ioctl-read-only") == 0) {
    result = read_only_ioctl(strtoul(argv[2], NULL, 0), argv[3]);
  } else if (strcmp(operation, "ioctl") == 0) {
    result = raw_ioctl(strtoul(argv[2], NULL, 0), argc > 3 ? argv[3] : NULL);
    if (argc > 3) return 0;
  } else if (strcmp(operation, "poll") == 0) {
    result = poll_now();
  } else if (strcmp(operation, "lseek") == 0) {
    result = answer(lseek(kFd, 0, SEEK_CUR));
  } else if (strcmp(operation, "pread") == 0) {
    result = answer(pread(kFd, bytes, 8, 0));
  } else if (strcmp(operation, "pwrite") == 0) {
    result = answer(pwrite(kFd, bytes, 8, 0));
  } else if (strcmp(operation, "epoll") == 0) {
    result = epoll_add();
  } else if (strcmp(operation, "splice") == 0) {
    result = splice_out();
  } else if (strcmp(operation, "write") == 0) {
    result = answer(write(kFd, bytes, from_hex(argv[2])));
  } else if (strcmp(operation, "read") == 0) {
    result = blocking_read(strtol(argv[2], NULL, 0));
  }
  printf("%ld\n", result);
  return 0;
}

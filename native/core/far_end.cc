// SPDX-License-Identifier: Apache-2.0
#include "far_end.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "lane.h"

namespace vfio_migrate {

FarEnd::~FarEnd() {
  if (fd_) census.far_ends--;
}

Answer FarEnd::Take(int fd, int access) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  int mode = flags & O_ACCMODE;
  if (mode != O_RDWR && mode != access) return -EBADF;
  // The number may be closed, and be another file's, while we still use it. Not one of the first
  // three either: a program takes those for its standard streams.
  fd_ = Fd(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!fd_) return -errno;
  census.far_ends++;
  struct stat facts;
  if (fstat(fd_.get(), &facts) < 0) return -errno;
  is_socket_ = S_ISSOCK(facts.st_mode);
  if (S_ISFIFO(facts.st_mode) && (flags & O_NONBLOCK) == 0) Unblock(access);
  return 0;
}

/// O_NONBLOCK set on the fd would be everybody's who shares it: a shell's, say. Opened anew, the
/// same pipe has flags of our own, where /proc is mounted and the pipe is ours to open.
void FarEnd::Unblock(int access) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd_.get());
  Fd anew(open(path, access | O_NONBLOCK | O_CLOEXEC));
  blocks_ = !anew;
  if (anew) fd_ = std::move(anew);
}

bool FarEnd::IsReady(short events) const {
  pollfd end = {fd_.get(), events, 0};
  return poll(&end, 1, 0) > 0;
}

Answer FarEnd::Read(uint8_t* data, size_t length) {
  if (is_socket_) return Answered(recv(fd_.get(), data, length, MSG_DONTWAIT));
  if (blocks_ && !IsReady(POLLIN)) return -EAGAIN;
  return Answered(read(fd_.get(), data, length));
}

/// A pipe without a reader raises SIGPIPE for the thread that writes, which is a lane: there it is
/// blocked, stays pending, and goes with the thread. Nobody else is sent it.
Answer FarEnd::Write(const uint8_t* data, size_t length) {
  if (is_socket_) return Answered(send(fd_.get(), data, length, MSG_DONTWAIT | MSG_NOSIGNAL));
  if (blocks_ && !IsReady(POLLOUT)) return -EAGAIN;
  return Answered(write(fd_.get(), data, blocks_ ? std::min<size_t>(length, PIPE_BUF) : length));
}

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <climits>

#include "fd.h"

namespace vfio_migrate {

/// A file, pipe or socket of somebody else's at the other end of a pump, by an fd of our own. A
/// pipe or socket never keeps us in the kernel, whether its fd blocks or not: nothing could call a
/// lane back from there. For a file, or another device, its file system is waited for.
class FarEnd {
 public:
  FarEnd() = default;
  FarEnd(const FarEnd&) = delete;
  FarEnd& operator=(const FarEnd&) = delete;
  ~FarEnd();

  /// To be read (O_RDONLY) or written (O_WRONLY). -errno of what the call would answer, before any
  /// is made.
  Answer Take(int fd, int access);

  /// read(2), write(2): once. -EAGAIN is for poll(2).
  Answer Read(uint8_t* data, size_t length);
  Answer Write(const uint8_t* data, size_t length);
  int fd() const { return fd_.get(); }

 private:
  void Unblock(int access);
  bool IsReady(short events) const;

  Fd fd_;
  bool is_socket_ = false;
  /// A pipe whose fd blocks: it takes PIPE_BUF bytes at once when poll(2) says that it takes any.
  bool blocks_ = false;
};

}  // namespace vfio_migrate

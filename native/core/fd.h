// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "call.h"

namespace vfio_migrate {

/// Owns one file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = other.Release();
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { Close(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

  int Release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }

  /// Never retried: Linux frees the number before it can answer EINTR, so a second close would hit
  /// whoever got it next.
  void Close() {
    if (fd_ >= 0) close(Release());
  }

 private:
  int fd_ = -1;
};

/// open(2) for reading and writing. Blocks where the driver does.
inline Answer OpenPath(const char* path, Fd* fd) {
  Answer answer = Answered(open(path, O_RDWR | O_CLOEXEC));
  if (answer < 0) return answer;
  *fd = Fd(static_cast<int>(answer));
  return 0;
}

}  // namespace vfio_migrate

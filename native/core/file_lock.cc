// SPDX-License-Identifier: Apache-2.0
#include "file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <utility>

namespace vfio_migrate {

namespace {

/// flock(2) asks for no right to write, so that a lock made by root locks out others as well. In a
/// directory like /tmp a link, or a pipe that nobody writes to, would be somebody's trap.
constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
constexpr mode_t kMode = 0666;
/// Whoever removes the file at the very moment does not do so for ever.
constexpr int kAttempts = 8;

/// In two steps: with fs.protected_regular the kernel refuses O_CREAT of a file that is there in a
/// sticky directory and is another user's.
Answer OpenOrMake(const char* path) {
  Answer answer = -ENOENT;
  for (int i = 0; i < kAttempts && (answer == -ENOENT || answer == -EEXIST); i++) {
    answer = Answered(open(path, kFlags));
    if (answer == -ENOENT) answer = Answered(open(path, kFlags | O_CREAT | O_EXCL, kMode));
    // The directory is not there.
    if (answer == -ENOENT) break;
  }
  return answer;
}

}  // namespace

Answer LockFile(const char* path, Fd* fd) {
  Answer answer = OpenOrMake(path);
  if (answer < 0) return answer;
  Fd file(static_cast<int>(answer));
  answer = Answered(flock(file.get(), LOCK_EX | LOCK_NB));
  if (answer == 0) *fd = std::move(file);
  return answer;
}

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "fd.h"

namespace vfio_migrate {

/// Opens the file, which is made where it is not there, and takes flock(2) on it for ourselves:
/// -EWOULDBLOCK where somebody else has it. The kernel lets it go when the last thread of the
/// process has ended, so not while one of them is in a call.
Answer LockFile(const char* path, Fd* fd);

}  // namespace vfio_migrate

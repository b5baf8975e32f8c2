// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "call.h"
#include "fd.h"

namespace vfio_migrate {

/// Whoever lends an fd gives a bare number, and may give it twice: then the second close would hit
/// whatever got the number after the first. So each is taken once in the process until it is
/// closed.

/// All of them or none: -EBUSY when one is taken already or comes twice, -ENOMEM. Those below 0 are
/// passed over.
Answer TakeLent(const int* numbers, size_t count);

/// For those that are not to be closed after all.
void ReturnLent(const int* numbers, size_t count);

/// Forgets the number, then closes it: afterwards it may be somebody else's. Blocks as close(2)
/// does.
void CloseLent(Fd* fd);

}  // namespace vfio_migrate

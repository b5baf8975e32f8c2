// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vfio_migrate {

/// From now on the heap of this process keeps what was freed, up to 62 MiB, unless its environment
/// says otherwise (mallopt(3)). Memory that JavaScript is given and lets go of is freed in bursts;
/// by default it would go back to the kernel each time, and be cleared and faulted in again, which
/// is as dear as to read into it. Once is enough.
void KeepFreedMemory();

}  // namespace vfio_migrate

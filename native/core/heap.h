// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vfio_migrate {

/// From now on each heap of this process keeps up to 62 MiB of what was freed at its end, and has
/// blocks of up to 31 MiB that would be mapped apart, unless the environment of the process says
/// otherwise (mallopt(3)). Memory that JavaScript is given and lets go of is freed in bursts; by
/// default it would go back to the kernel each time, and be cleared and faulted in again, which is
/// as dear as to read into it. Once is enough.
void KeepFreedMemory();

}  // namespace vfio_migrate

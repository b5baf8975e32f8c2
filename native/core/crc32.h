// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace vfio_migrate {

/// CRC-32 of zlib, gzip and PNG (polynomial 0x04C11DB7, reflected), of what `before` is the sum of
/// and `length` more bytes: 0 of nothing.
uint32_t Crc32(uint32_t before, const uint8_t* bytes, size_t length);

}  // namespace vfio_migrate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "call.h"
#include "uapi.h"

/// One function per operation of VFIO_DEVICE_FEATURE. All of them may block.
namespace vfio_migrate::feature {

Answer Probe(int device, uint32_t feature, uint32_t operations);
Answer MigrationFlags(int device);
Answer GetState(int device);
/// `data_fd` is set on success, to -1 where the path opened no session.
Answer SetState(int device, uint32_t state, int* data_fd);
Answer DataSize(int device);
Answer OptInPrecopyInfoV2(int device);
/// Answers the page size that the driver chose.
Answer DmaLoggingStart(int device, uint64_t page_size, const uapi::DmaLoggingRange* ranges,
                       uint32_t count);
Answer DmaLoggingStop(int device);
/// `bitmap` must be ours and paged in: the kernel drops the bits silently when it cannot be pinned.
Answer DmaLoggingReport(int device, uint64_t iova, uint64_t length, uint64_t page_size,
                        uint64_t* bitmap);

}  // namespace vfio_migrate::feature

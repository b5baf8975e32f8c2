// SPDX-License-Identifier: Apache-2.0
import type { RecordForm } from './record_stream.ts'
import { taggedRecords, type Tags } from './tagged_records.ts'

/** enum mlx5_vf_migf_header_tag of drivers/vfio/pci/mlx5/cmd.h: FW_DATA, STOP_COPY_SIZE. */
const tags: Tags = new Map([
  [0, 'image'],
  [1, 'announcement'],
])

/**
 * mlx5_vfio_pci: an announcement first, then the images in the order of the SAVEs. The driver takes a stream without
 * an announcement as well, such as older ones gave out.
 */
export const mlx5Records: RecordForm = taggedRecords(tags)

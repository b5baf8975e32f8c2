// SPDX-License-Identifier: Apache-2.0
import type { RecordForm } from './record_stream.ts'
import { taggedRecords } from './tagged_records.ts'

/**
 * virtio_vfio_pci: each record is an image of all parts of the device, in pre-copy too. Its one tag is
 * VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA of drivers/vfio/pci/virtio/common.h.
 */
export const virtioRecords: RecordForm = taggedRecords(new Map([[0, 'image']]))

// SPDX-License-Identifier: Apache-2.0
import { hisiAccStruct } from './hisi_acc.ts'
import { mlx5Records } from './mlx5.ts'
import { mttyStruct } from './mtty.ts'
import { OpaqueStream } from './opaque_stream.ts'
import type { StreamParser } from './parser.ts'
import { qatStruct } from './qat.ts'
import { RecordStream } from './record_stream.ts'
import { StructStream } from './struct_stream.ts'
import { virtioRecords } from './virtio.ts'
import { xePackets } from './xe.ts'

/** By the driver's directory in sysfs, as in lib/kernel/drivers.ts. What pds gives out nobody but its device reads. */
const parsers = new Map<string | undefined, () => StreamParser>([
  ['mlx5_vfio_pci', () => new RecordStream(mlx5Records)],
  ['virtio_vfio_pci', () => new RecordStream(virtioRecords)],
  ['xe-vfio-pci', () => new RecordStream(xePackets)],
  ['hisi_acc_vfio_pci', () => new StructStream(hisiAccStruct)],
  ['qat_vfio_pci', () => new StructStream(qatStruct)],
  ['mtty', () => new StructStream(mttyStruct)],
])

/** Follows one stream of a driver. Of a driver that is not known, nothing but emptiness speaks against a stream. */
export function streamParser(driver: string | undefined): StreamParser {
  return parsers.get(driver)?.() ?? new OpaqueStream()
}

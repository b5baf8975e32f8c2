// SPDX-License-Identifier: Apache-2.0
import type { FlavourName } from '../flavours.ts'
import type { MakeDriver } from './driver.ts'
import { makeHisiAcc } from './hisi_acc.ts'
import { makeMlx5 } from './mlx5.ts'
import { makeMtty } from './mtty.ts'
import { makePds } from './pds.ts'
import { makeQat } from './qat.ts'
import { makeVirtio } from './virtio.ts'
import { makeXe } from './xe.ts'

/** The driver of each flavour. */
export const drivers: Readonly<Record<FlavourName, MakeDriver>> = {
  mlx5: makeMlx5,
  virtio: makeVirtio,
  hisi_acc: makeHisiAcc,
  qat: makeQat,
  pds: makePds,
  xe: makeXe,
  mtty: makeMtty,
}

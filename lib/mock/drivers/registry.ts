// SPDX-License-Identifier: Apache-2.0
import type { FlavourName } from '../flavours.ts'
import type { MakeDriver } from './driver.ts'
import { makeMlx5 } from './mlx5.ts'

/** The driver of each flavour. */
export const drivers: Readonly<Partial<Record<FlavourName, MakeDriver>>> = {
  mlx5: makeMlx5,
}

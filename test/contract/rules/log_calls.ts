// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device.ts'
import { said } from '../numbers.ts'

export const page = 4096n

export type Range = readonly [iova: bigint, length: bigint]

export const start = async (
  device: Device,
  ranges: readonly Range[],
  pageSize = 4096,
): Promise<number | string> =>
  said(await device.calls.dmaLoggingStart(pageSize, BigUint64Array.from(ranges.flat())))

export const report = async (
  device: Device,
  iova: bigint,
  length: bigint,
  pageSize = 4096,
): Promise<bigint[] | string | number> => {
  const { result, bitmap } = await device.calls.dmaLoggingReport(iova, length, pageSize)
  return result < 0 ? said(result) : [...bitmap]
}

// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import type { MomentContext, Participant, SideDataList } from '../migration/participant.ts'
import { checkParticipant, copySideData } from '../migration/participation.ts'

/**
 * Several participants as one. They are stopped in the order given, one after another, and started in the opposite one:
 * the first has the device's user in hand, the last is nearest to the device. One that was not told to quiesce is not
 * told of `resumed`. From `running` on all are told, whatever one of them throws; the first failure is thrown.
 *
 * Their side data travels in one frame for each device, so both hosts name the same ones in the same order.
 * @throws TypeError for what is no participant.
 */
export function participants(list: readonly Participant[]): Participant {
  for (const one of list) checkParticipant(one)
  if (new Set(list).size < list.length) throw new TypeError('one of the participants is named twice')
  const inReverse = list.toReversed()
  let quiesced: Participant[] = []
  return {
    async quiesce(context) {
      quiesced = []
      await tellInTurn(list, context, async one => {
        quiesced.unshift(one)
        await one.quiesce?.(context)
      })
    },
    async stopped(context) {
      const answers: SideDataList[] = []
      await tellInTurn(list, context, async one => {
        answers.push(copySideData(await one.stopped?.(context), context.devices))
      })
      return context.devices.map((_, index) => frame(answers.map(answer => answer[index])))
    },
    async restored({ sideData, ...context }) {
      const parts = context.devices.map((device, index) => unframe(sideData[index], list.length, device))
      await tellInTurn(inReverse, context, async one => {
        const own = parts.map(part => part[list.indexOf(one)] ?? new Uint8Array())
        await one.restored?.({ ...context, sideData: own })
      })
    },
    async running(context) {
      await tellAll(inReverse, one => one.running?.(context))
    },
    async resumed(context) {
      await tellAll(quiesced, one => one.resumed?.(context))
    },
    async released(context) {
      await tellAll(inReverse, one => one.released?.(context))
    },
  }
}

/** Whoever has not been told when the time is up, or the migration is cancelled, is not told any more. */
async function tellInTurn(
  list: readonly Participant[],
  { signal }: MomentContext,
  tell: (one: Participant) => unknown,
): Promise<void> {
  for (const one of list) {
    signal.throwIfAborted()
    await tell(one)
  }
}

async function tellAll(list: readonly Participant[], tell: (one: Participant) => unknown): Promise<void> {
  const failures: unknown[] = []
  for (const one of list) {
    try {
      await tell(one)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

const lengthBytes = 4

/** The lengths of all parts, little endian, and then the parts. */
function frame(parts: readonly (Uint8Array | undefined)[]): Uint8Array {
  const lengths = Buffer.alloc(lengthBytes * parts.length)
  for (const [index, part] of parts.entries()) lengths.writeUInt32LE(part?.length ?? 0, lengthBytes * index)
  return Buffer.concat([lengths, ...parts.filter(part => part !== undefined)])
}

function unframe(sideData: Uint8Array = new Uint8Array(), count: number, device: Device): Uint8Array[] {
  const bytes = Buffer.from(sideData.buffer, sideData.byteOffset, sideData.byteLength)
  const head = lengthBytes * count
  let begin = head
  const parts: Uint8Array[] = []
  if (bytes.length >= head) {
    for (let index = 0; index < count; index++) {
      const end = begin + bytes.readUInt32LE(lengthBytes * index)
      parts.push(new Uint8Array(bytes.subarray(begin, end)))
      begin = end
    }
  }
  if (bytes.length >= head && begin === bytes.length) return parts
  throw new Error(
    `the side data of '${device.name}' is not that of ${count} participants: name the same ones on both hosts`,
  )
}

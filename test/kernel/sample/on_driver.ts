// SPDX-License-Identifier: Apache-2.0
// The stage of the kernel's own driver: two bottled functions, open and running when a case begins.
import type { SideName } from '../../matrix/case.ts'
import { eventually } from '../bottle_wait.ts'
import type { Sampled } from './case.ts'
import { Role, type Opened } from './role.ts'
import type { Beginning, Beginnings, Life, Stage } from './stage.ts'

/** How old a state is at least when a case begins: one that is blank would tell little. */
const oldEnough = { source: 7, destination: 5 } as const

/** Makes both ready for a case, and answers what that finds: by it its mocks are made. */
export async function prepare(from: Opened, to: Opened): Promise<Beginnings> {
  return { source: await prepareOne(from, 'source'), destination: await prepareOne(to, 'destination') }
}

async function prepareOne({ bottled }: Opened, side: SideName): Promise<Beginning> {
  await bottled.emptyLogs()
  const { seed, epoch } = await bottled.digest()
  const steps = Math.max(0, oldEnough[side] - Number(epoch))
  if (steps > 0) await bottled.step(steps)
  return { seed, epoch: Number(epoch) + steps }
}

export class DriverStage implements Stage {
  readonly source: Role
  readonly destination: Role

  private constructor(source: Role, destination: Role) {
    this.source = source
    this.destination = destination
  }

  static async begin(given: Sampled, from: Opened, to: Opened): Promise<DriverStage> {
    const lives = new Map<bigint, Life>()
    const source = await Role.begin(given, 'source', from, lives)
    return new DriverStage(source, await Role.begin(given, 'destination', to, lives))
  }

  get roles(): readonly Role[] {
    return [this.source, this.destination]
  }

  async untilHeld(isOver: AbortSignal): Promise<boolean> {
    while (!isOver.aborted) for (const { bottled } of this.roles) if ((await bottled.held()) > 0) return true
    return false
  }

  async release(): Promise<void> {
    for (const { bottled } of this.roles) await bottled.release()
  }

  async untilLoaded(): Promise<void> {
    const [from, to] = [this.source.bottled, this.destination.bottled]
    await eventually(async () => (await to.digest()).digest === (await from.digest()).digest)
  }

  /** There is no history of the kernel's. */
  marks(): number[] {
    return []
  }

  async missed(): Promise<string[]> {
    return (await Promise.all(this.roles.map(role => role.missed()))).flat()
  }

  /** Leaves both to the next case. */
  async end(): Promise<void> {
    await this.release()
    const isGone = this.destination.holds().of.startsWith('source')
    await this.destination.end(false)
    await this.source.end(!isGone)
  }
}

// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { DeviceBackend, SessionCalls } from '#lib/backend/seam.js'
import { faultPoints, MockDevice, VirtualClock, type FlavourName } from 'vfio-migrate/mock'
import { expectedDigest } from './expected_state.js'

const [STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P] = [1, 2, 3, 4, 5, 6, 7]
const [EBADF, ENODEV, EINVAL, ENOTTY, ENOMSG] = [9, 19, 22, 25, 42]

/** A driver as a client sees it: the states that it has, and whether it lets go of a load that never came. */
interface Manners {
  readonly flavour: 'mlx5' | 'virtio' | 'mtty' | 'hisi_acc' | 'qat' | 'pds' | 'xe'
  readonly states: readonly number[]
  /** Where it can be chosen: so little that a few reads come to the end. */
  readonly size?: '8KiB'
  /** What a read in PRE_COPY answers when there is nothing now; left out by those that have no PRE_COPY. */
  readonly idle?: number
  /** RESUMING -> STOP answers -EINVAL when nothing was loaded, and stays. Undefined: RESUMING is left out of the walk. */
  readonly holdsEmptyLoad?: boolean
  /** A SET that is refused takes the function down, so that none is made. */
  readonly resentsRefusals?: true
  /** STOP_COPY is left with -EIO before its SAVE has ended, so that it takes no time. */
  readonly savesFirst?: true
}

const all = [STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P]
const drivers: readonly Manners[] = [
  { flavour: 'mlx5', states: all, size: '8KiB', idle: -ENOMSG, holdsEmptyLoad: false },
  { flavour: 'virtio', states: all, size: '8KiB', idle: -ENOMSG, holdsEmptyLoad: false },
  { flavour: 'mtty', states: all, idle: 0, holdsEmptyLoad: true },
  // What an earlier session left in qat's block can be loaded again: an empty load is refused or not.
  { flavour: 'qat', states: all, idle: 0 },
  {
    flavour: 'hisi_acc',
    states: [STOP, RUNNING, STOP_COPY, RESUMING, PRE_COPY],
    idle: 0,
    holdsEmptyLoad: true,
  },
  { flavour: 'pds', states: [STOP, RUNNING, STOP_COPY, RUNNING_P2P], size: '8KiB' },
  {
    flavour: 'xe',
    states: [STOP, RUNNING, STOP_COPY, RUNNING_P2P],
    size: '8KiB',
    resentsRefusals: true,
    savesFirst: true,
  },
]

type Op =
  | { readonly do: 'SET'; readonly state: number }
  | { readonly do: 'read'; readonly bytes: number; readonly session: number }
  | { readonly do: 'precopyInfo'; readonly session: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'reset' }

const session = fc.nat({ max: 2 })
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('SET' as const), state: fc.nat({ max: 9 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      bytes: fc.integer({ min: 1, max: 2 ** 16 }),
      session,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('precopyInfo' as const), session }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const) }) },
)

const savingGroup: readonly number[] = [STOP_COPY, PRE_COPY, PRE_COPY_P2P]
const precopy: readonly number[] = [PRE_COPY, PRE_COPY_P2P]

/** What vfio.h says that a client sees, in as few words as it takes: no arcs, only where they lead. */
class Model {
  state = RUNNING
  /** The session of the state, as an index of all that there were. */
  live: number | undefined
  sessions: ('saving' | 'resuming')[] = []
  readonly #manners: Manners

  constructor(manners: Manners) {
    this.#manners = manners
  }

  /** Answers what SET answers. */
  set(to: number): number {
    if (!this.#manners.states.includes(to)) return -EINVAL
    if (to === this.state) return 0
    if (this.state === STOP_COPY && precopy.includes(to)) return -EINVAL
    if (this.state === RESUMING && this.#manners.holdsEmptyLoad) return -EINVAL
    const goesOn = savingGroup.includes(this.state) && savingGroup.includes(to)
    this.state = to
    if (goesOn) return 0
    this.live = undefined
    if (savingGroup.includes(to)) this.live = this.sessions.push('saving') - 1
    if (to === RESUMING) this.live = this.sessions.push('resuming') - 1
    return 0
  }

  reset(): void {
    this.state = RUNNING
    this.live = undefined
  }

  /** Answers what read(2) may answer; positive: bytes. */
  mayRead(index: number, result: number): boolean {
    if (this.sessions[index] === 'resuming') return result === -EBADF
    if (this.live !== index) return result === -ENODEV
    // Only in STOP_COPY is there an end.
    return result > 0 || result === (precopy.includes(this.state) ? this.#manners.idle : 0)
  }

  precopyInfo(index: number): number {
    if (this.sessions[index] === 'resuming') return -ENOTTY
    if (!precopy.includes(this.state)) return -EINVAL
    return this.live === index ? 0 : -ENODEV
  }
}

/** A walker keeps the mock and the model side by side. */
class Walk {
  readonly #backend: DeviceBackend
  readonly #clock: VirtualClock
  readonly #model: Model
  readonly #sessions: SessionCalls[] = []
  readonly #hasPrecopyInfo: boolean

  constructor(backend: DeviceBackend, clock: VirtualClock, manners: Manners) {
    this.#backend = backend
    this.#clock = clock
    this.#model = new Model(manners)
    this.#hasPrecopyInfo = manners.states.includes(PRE_COPY)
  }

  async take(op: Op): Promise<void> {
    if (op.do === 'SET') await this.#set(op.state)
    else if (op.do === 'read') await this.#read(op.session, op.bytes)
    else if (op.do === 'precopyInfo') await this.#precopyInfo(op.session)
    else if (op.do === 'wait') await this.#clock.sleep(op.ms)
    else await this.#reset()
    assert.equal(await this.#backend.calls.getState(), this.#model.state, `the state after ${op.do}`)
  }

  async end(): Promise<void> {
    for (const session of this.#sessions) await session.close()
    await this.#backend.calls.close()
  }

  async #set(state: number): Promise<void> {
    const before = this.#model.sessions.length
    const { result, session } = await this.#backend.calls.setStates([state])
    assert.equal(result, this.#model.set(state), `SET ${state}`)
    assert.equal(session !== undefined, this.#model.sessions.length > before, `a session of SET ${state}`)
    if (session) this.#sessions.push(session)
  }

  async #read(back: number, bytes: number): Promise<void> {
    const [index, session] = this.#pick(back)
    if (!session) return
    const { result, data } = await session.read(bytes, 0)
    assert.ok(this.#model.mayRead(index, result), `read answered ${result}`)
    if (result > 0) assert.equal(data.length, result)
    assert.ok(result <= bytes)
  }

  async #precopyInfo(back: number): Promise<void> {
    const [index, session] = this.#pick(back)
    if (!session) return
    const { result } = await session.precopyInfo()
    const expected = this.#hasPrecopyInfo ? this.#model.precopyInfo(index) : -ENOTTY
    assert.equal(result, expected, 'precopyInfo')
  }

  async #reset(): Promise<void> {
    assert.equal(await this.#backend.calls.reset(), 0)
    this.#model.reset()
  }

  /** The newest session, or one or two before it. */
  #pick(back: number): [number, SessionCalls | undefined] {
    const index = this.#sessions.length - 1 - back
    return [index, this.#sessions[index]]
  }
}

function isWalked(op: Op, { states, holdsEmptyLoad, resentsRefusals }: Manners): boolean {
  if (op.do !== 'SET') return true
  if (op.state === RESUMING && holdsEmptyLoad === undefined) return false
  return states.includes(op.state) || !resentsRefusals
}

/** Those of the commands that the driver of a flavour gives. */
function givenBy(flavour: FlavourName, times: Readonly<Record<string, number>>): Record<string, number> {
  const points = faultPoints({ flavour, capabilities: new MockDevice({ flavour }).options.capabilities })
  return Object.fromEntries(Object.entries(times).filter(([command]) => command in points))
}

const walk = fc.array(op, { maxLength: 40 })
/** Chance alone seldom reads all that there is in PRE_COPY, and once more. */
const idle: Op[] = [
  { do: 'SET', state: PRE_COPY },
  { do: 'read', bytes: 2 ** 16, session: 0 },
  { do: 'read', bytes: 2 ** 16, session: 0 },
]

describe('a random walk of SET, read, precopyInfo and reset', () => {
  for (const manners of drivers) {
    it(`over a mock of ${manners.flavour} answers what vfio.h says, at each step`, async () => {
      await fc.assert(
        fc.asyncProperty(walk, fc.boolean(), async (ops, slow) => {
          const clock = new VirtualClock()
          const SAVE = manners.savesFirst ? 0 : 3
          const { flavour, size } = manners
          const times = slow ? { SAVE, QUERY: 0.5, SUSPEND_INITIATOR: 1, RESUME_RESPONDER: 1 } : {}
          const latency = givenBy(flavour, times)
          const mock = new MockDevice({ flavour, size, seed: 5n, clock, latency, dirty: '8MiB/s' })
          const steps = new Walk(mock.open(), clock, manners)
          for (const op of ops.filter(op => isWalked(op, manners))) await steps.take(op)
          await steps.end()
        }),
        { numRuns: 100, examples: [[idle, false]] },
      )
    })
  }

  it('leaves a state that follows from its epoch alone', async () => {
    await fc.assert(
      fc.asyncProperty(walk, async ops => {
        const clock = new VirtualClock()
        const size = 40 * 1024
        const mock = new MockDevice({ size, seed: 5n, clock, dirty: '8MiB/s', workingSet: 24 * 1024 })
        const mlx5: Manners = { flavour: 'mlx5', states: all, idle: -ENOMSG, holdsEmptyLoad: false }
        const steps = new Walk(mock.open(), clock, mlx5)
        for (const op of ops) {
          await steps.take(op)
          const { epoch } = mock
          assert.equal(mock.digest(), expectedDigest({ size, workingSet: 24 * 1024, seed: 5n, epoch }))
        }
        await steps.end()
      }),
      { numRuns: 100 },
    )
  })
})

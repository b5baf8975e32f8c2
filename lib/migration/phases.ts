// SPDX-License-Identifier: Apache-2.0

/** The phases of a migration in their order, and what ends each. `load` and `complete` are the destination's; `stop-copy` and `load` overlap. */
export const phases = [
  /** Everything that is known beforehand is checked; nothing is touched. */
  'preflight',
  /** The destination is led to RESUMING. */
  'prepare',
  /** State is moved while the source runs. */
  'precopy',
  /** The participant lets go of the devices. */
  'quiesce',
  /** The source is stopped and gives the rest. */
  'stop-copy',
  /** The destination takes the rest. */
  'load',
  /** Count, digest and record boundary are right, and RESUMING was left. */
  'complete',
  /** The participant's word, then the destination's run-intent: from here the state is the destination's. */
  'commit',
  /** The destination is led to RUNNING. */
  'run',
  /** The source is led to STOP. */
  'release',
] as const

export type Phase = (typeof phases)[number]

/** When a phase was, in ms from the beginning of the migration on the source's clock. */
export interface PhaseTime {
  readonly phase: Phase
  readonly startedMs: number
  readonly ms: number
}

/** Notes when phases begin and end. */
export class Timeline {
  readonly #now: () => number
  /** When it began, on the clock that it was given. */
  readonly begunAt: number
  readonly #times = new Map<Phase, { startedMs: number; ms?: number }>()
  readonly #onPhase: (phase: Phase) => void

  constructor(now: () => number, onPhase: (phase: Phase) => void) {
    this.#now = now
    this.begunAt = now()
    this.#onPhase = onPhase
  }

  /** Since the beginning. */
  get ms(): number {
    return this.#now() - this.begunAt
  }

  /** The time of `work` is the time of the phase, however it ends. */
  async during<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    this.begin(phase)
    try {
      return await work()
    } finally {
      this.end(phase)
    }
  }

  /** Where several devices begin it, the first does. */
  begin(phase: Phase): void {
    if (this.#times.has(phase)) return
    this.#times.set(phase, { startedMs: this.ms })
    this.#onPhase(phase)
  }

  /** Where several devices end it, the last does. */
  end(phase: Phase): void {
    const time = this.#times.get(phase)
    if (time) time.ms = this.ms - time.startedMs
  }

  /** How long a phase took; 0 for one that was not. */
  msOf(phase: Phase): number {
    return this.times.find(time => time.phase === phase)?.ms ?? 0
  }

  /** In their order; one that did not end took until now. */
  get times(): PhaseTime[] {
    return phases.flatMap(phase => {
      const time = this.#times.get(phase)
      return time ? [{ phase, startedMs: time.startedMs, ms: time.ms ?? this.ms - time.startedMs }] : []
    })
  }
}

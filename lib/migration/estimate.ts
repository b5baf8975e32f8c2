// SPDX-License-Identifier: Apache-2.0
import { assumedBytesPerMs, CostLine } from './estimate/cost_line.ts'
import { DeviceCourse, type FinalImage } from './estimate/device_course.ts'
import { arrivals, busyMs, type Sending } from './estimate/shared_link.ts'
import type { DeviceOutlook, DowntimeParts, Prediction, RoundSample } from './progress.ts'

/**
 * Foresees the downtime of a set of devices whose images share one link, from what their rounds of pre-copy have shown.
 * It knows nothing that was not measured on them.
 */
export class Estimator {
  readonly #devices: readonly DeviceCourse[]
  readonly #outlooks: readonly DeviceOutlook[]
  readonly #leastMsPerByte: number
  readonly #handoverMs: number
  readonly #link = new CostLine(0)

  /** The order of the devices is that of the samples of each round. */
  constructor(
    outlooks: readonly DeviceOutlook[],
    { bandwidth = Infinity, handoverMs = 0 }: Surroundings = {},
  ) {
    this.#outlooks = outlooks
    this.#leastMsPerByte = 1000 / bandwidth
    this.#handoverMs = handoverMs
    this.#devices = outlooks.map(outlook => new DeviceCourse(outlook))
  }

  /** There can be a round at all. */
  get hasPreCopy(): boolean {
    return this.#outlooks.some(({ precopy }) => precopy !== 'none')
  }

  /** Another round can make the downtime shorter, or tell more about it. */
  get canImprove(): boolean {
    return this.#devices.some(({ canImprove }) => canImprove)
  }

  /** Initial bytes of all devices that are known not to be loaded. */
  get initialBytesLeft(): number {
    return this.#devices.reduce((sum, { initialBytesLeft }) => sum + initialBytesLeft, 0)
  }

  /** What a round has shown of each device; undefined for one that took no part. */
  observe(samples: readonly (RoundSample | undefined)[]): void {
    this.#devices.forEach((device, index) => {
      const sample = samples[index]
      if (sample) device.observe(sample)
    })
    this.#observeLink(samples.filter(sample => sample !== undefined).filter(({ bytes }) => bytes > 0))
  }

  #observeLink(samples: readonly RoundSample[]): void {
    if (samples.length === 0) return
    const bytes = samples.reduce((sum, sample) => sum + sample.bytes, 0)
    this.#link.observe(bytes, busyMs(samples.map(sending)))
  }

  /**
   * The downtime, were the first device to be stopped at `atMs`: a time of the clock that the samples are told in.
   * `participantMs` is what the participant takes meanwhile.
   */
  predict(atMs: number, participantMs = 0): Prediction {
    const { bytes, parts } = this.#assemble(
      this.#devices.map(device => device.foresee(atMs)),
      { participantMs },
    )
    const worst = this.#assemble(
      this.#devices.map(device => device.fear(atMs)),
      { participantMs, fears: 2 },
    )
    return { downtimeMs: total(parts), worstMs: Math.max(total(parts), total(worst.parts)), parts, bytes }
  }

  /**
   * The same prediction once the devices stand: what they have taken and announced since is in the place of what was
   * foreseen of it. Bytes by device.
   */
  revise({ stopArcsMs, announced }: Standing, atMs: number, participantMs = 0): Revised {
    const images = this.#devices.map((device, index) => {
      const told = announced[index]
      return told ? device.announced(atMs, told.bytes) : device.foresee(atMs)
    })
    const readyMs = images.map(({ saveMs }, index) => announced[index]?.atMs ?? stopArcsMs + saveMs)
    const { parts } = this.#assemble(images, { participantMs, readyMs })
    return {
      downtimeMs: total({ ...parts, stopArcsMs: 0 }),
      bytes: images.map(({ bytes }) => bytes),
    }
  }

  /**
   * All stop together; each is saved, sent and loaded for itself; the one that is last tells how long that takes. `readyMs`:
   * when each can be read, where that is not after its SAVE.
   */
  #assemble(
    images: readonly FinalImage[],
    { participantMs, fears = 0, readyMs = images.map(({ saveMs }) => saveMs) }: Circumstances,
  ): Assembled {
    const bytes = images.reduce((sum, image) => sum + image.bytes, 0)
    const measuredMs = (this.#link.at(bytes) ?? bytes / assumedBytesPerMs) * (1 + fears * this.#link.error)
    const sendMs = Math.max(measuredMs, bytes * this.#leastMsPerByte)
    const bytesPerMs = bytes / Math.max(sendMs, leastMs)
    const shipments = images.map((image, index) => ({ readyMs: readyMs[index] ?? 0, bytes: image.bytes }))
    const arrived = arrivals(shipments, bytesPerMs)
    const courses = images.map((image, index) =>
      course(image, { readyMs: readyMs[index] ?? 0, arrivedMs: arrived[index] ?? 0, bytesPerMs }),
    )
    const last = courses.reduce((a, b) => (length(a) >= length(b) ? a : b))
    const stopArcsMs = Math.max(...images.map(image => image.stopArcsMs))
    const startArcsMs = this.#handoverMs + Math.max(...this.#devices.map(({ startArcsMs }) => startArcsMs))
    return { bytes, parts: { stopArcsMs, ...last, startArcsMs, participantMs } }
  }
}

/** What holds for all devices of a migration. */
export interface Surroundings {
  /** Bytes a second that the link is limited to. */
  readonly bandwidth?: number | undefined
  /** What it takes, beside the arcs, to have the destination make three of them and say so: measured when it was prepared. */
  readonly handoverMs?: number
}

/** Where devices stand that were stopped, in ms since their first stopping arc was begun. */
export interface Standing {
  /** Until all had stopped. */
  readonly stopArcsMs: number
  /** By device: what the headers of its last image have told so far, and when the first came. Undefined where none has. */
  readonly announced: readonly ({ readonly bytes: number; readonly atMs: number } | undefined)[]
}

export interface Revised {
  readonly downtimeMs: number
  readonly bytes: readonly number[]
}

interface Circumstances {
  readonly participantMs: number
  readonly fears?: number
  readonly readyMs?: readonly number[]
}

interface Assembled {
  readonly parts: DowntimeParts
  readonly bytes: number
}

type Course = Pick<DowntimeParts, 'saveMs' | 'linkMs' | 'loadMs'>

/** No time is shorter, in ms. */
const leastMs = 1e-6

/** Of several records each is loaded and sent while the next ones are saved: the slowest of the three sets the pace. */
function course(
  { saveMs, loadMs, records, bytes }: FinalImage,
  { readyMs, arrivedMs, bytesPerMs }: { readyMs: number; arrivedMs: number; bytesPerMs: number },
): Course {
  const recordMs = bytes > 0 ? bytes / records / bytesPerMs : 0
  const pacedMs = recordMs + (records - 1) * Math.max(saveMs, loadMs)
  return { saveMs: readyMs, linkMs: Math.max(arrivedMs - readyMs, pacedMs), loadMs }
}

function length({ saveMs, linkMs, loadMs }: Course): number {
  return saveMs + linkMs + loadMs
}

function sending({ askedAt, askMs, firstByteMs, sendMs }: RoundSample): Sending {
  const from = askedAt + askMs + firstByteMs
  return { from, to: from + sendMs }
}

function total({ stopArcsMs, saveMs, linkMs, loadMs, startArcsMs, participantMs }: DowntimeParts): number {
  return stopArcsMs + saveMs + linkMs + loadMs + startArcsMs + participantMs
}

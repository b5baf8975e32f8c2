// SPDX-License-Identifier: Apache-2.0
import { CostLine } from './estimate/cost_line.ts'
import { assumedBytesPerMs, DeviceCourse, type FinalImage } from './estimate/device_course.ts'
import { arrivals, busyMs, type Sending } from './estimate/shared_link.ts'
import type { DeviceOutlook, DowntimeParts, Prediction, RoundSample } from './progress.ts'

/**
 * Foresees the downtime of a set of devices whose images share one link, from what their rounds of pre-copy have shown.
 * It knows nothing that was not measured on them.
 */
export class Estimator {
  readonly #devices: readonly DeviceCourse[]
  readonly #outlooks: readonly DeviceOutlook[]
  readonly #link = new CostLine()

  /** The order of the devices is that of the samples of each round. */
  constructor(outlooks: readonly DeviceOutlook[]) {
    this.#outlooks = outlooks
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
      0,
      participantMs,
    )
    const worst = this.#assemble(
      this.#devices.map(device => device.fear(atMs)),
      2,
      participantMs,
    )
    return { downtimeMs: total(parts), worstMs: Math.max(total(parts), total(worst.parts)), parts, bytes }
  }

  /** All stop together; each is saved, sent and loaded for itself; the one that is last tells how long that takes. */
  #assemble(
    images: readonly FinalImage[],
    fears: number,
    participantMs: number,
  ): { parts: DowntimeParts; bytes: number } {
    const bytes = images.reduce((sum, image) => sum + image.bytes, 0)
    const sendMs = (this.#link.at(bytes) ?? bytes / assumedBytesPerMs) * (1 + fears * this.#link.error)
    const arrived = arrivals(
      images.map(image => ({ readyMs: image.saveMs, bytes: image.bytes })),
      bytes / Math.max(sendMs, 1e-6),
    )
    const courses = images.map((image, index) => ({
      saveMs: image.saveMs,
      linkMs: (arrived[index] ?? 0) - image.saveMs,
      loadMs: image.loadMs,
    }))
    const last = courses.reduce((a, b) =>
      a.saveMs + a.linkMs + a.loadMs >= b.saveMs + b.linkMs + b.loadMs ? a : b,
    )
    const stopArcsMs = Math.max(...images.map(image => image.stopArcsMs))
    const startArcsMs = Math.max(...this.#outlooks.map(outlook => outlook.stopArcsMs))
    return { bytes, parts: { stopArcsMs, ...last, startArcsMs, participantMs } }
  }
}

function sending({ askedAt, askMs, firstByteMs, sendMs }: RoundSample): Sending {
  const from = askedAt + askMs + firstByteMs
  return { from, to: from + sendMs }
}

function total({ stopArcsMs, saveMs, linkMs, loadMs, startArcsMs, participantMs }: DowntimeParts): number {
  return stopArcsMs + saveMs + linkMs + loadMs + startArcsMs + participantMs
}

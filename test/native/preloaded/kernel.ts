// SPDX-License-Identifier: Apache-2.0
import { openSync, readSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'

const writeAsync = promisify(write)

/** What a rule does to the call that it meets: see fake-kernel/control.c. */
export type Fault = 'fail' | 'after' | 'hold' | 'cut'

/** The script of the fake kernel. Commands take effect before they return. */
export class FakeKernel {
  readonly #fd = openSync('/dev/vfio-fake/control', 'r+')

  tell(command: string): void {
    writeSync(this.#fd, command)
  }

  ask(question: string): string {
    this.tell(question)
    const buffer = Buffer.alloc(1 << 18)
    return buffer.toString('utf8', 0, readSync(this.#fd, buffer))
  }

  /** The calls so far, one a line. */
  log(): string[] {
    return this.ask('log').split('\n').slice(0, -1)
  }

  /** The lines of the log that begin with one of `starts`. */
  lines(...starts: string[]): string[] {
    return this.log().filter(line => starts.some(start => line.startsWith(start)))
  }

  /** Files of the fake kernel that are open in this process. */
  files(): string[] {
    return this.ask('files').split('\n').slice(0, -1)
  }

  set(device: number | '*', properties: Record<string, number | boolean>): void {
    for (const [key, value] of Object.entries(properties)) this.tell(`set ${device} ${key} ${Number(value)}`)
  }

  rule(device: number | '*', operation: string, fault: Fault, value = 0, nth = 1): void {
    this.tell(`rule ${device} ${operation} ${nth} ${fault} ${value}`)
  }

  /** The next `operation` stays in the kernel until `release`, or for 5 s. */
  hold(device: number | '*', operation: string): void {
    this.rule(device, operation, 'hold')
  }

  release(operation: string): void {
    this.tell(`release ${operation}`)
  }

  /** Stops this thread until the log has `count` lines that begin with `text`. */
  waitFor(text: string, count = 1): void {
    this.tell(`await ${count} ${text}`)
  }

  /** Likewise, but JavaScript goes on meanwhile. */
  async until(text: string, count = 1): Promise<void> {
    await writeAsync(this.#fd, `await ${count} ${text}`)
  }
}

export const kernel = new FakeKernel()

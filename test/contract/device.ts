// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { ArcsAnswer, DeviceCalls, SessionCalls } from '#lib/backend/seam.js'
import { said, stateNumbers, states, type State } from './numbers.ts'
import type { Controls, Handle, SecondFd, Setup, Subject } from './subject.ts'

/** A device under one rule: the calls of the seam by the names of vfio.h, and what it leaves open is closed. */
export class Device {
  readonly calls: DeviceCalls
  readonly #handle: Handle
  readonly #sessions = new Set<SessionCalls>()

  constructor(handle: Handle) {
    this.#handle = handle
    this.calls = handle.calls
  }

  /** Those that the rule asked for in its needs. */
  get controls(): Controls {
    return this.#handle.controls as Controls
  }

  /** One SET for each state. */
  async set(...path: State[]): Promise<ArcsAnswer> {
    const answer = await this.calls.setStates(path.map(state => stateNumbers[state]))
    if (answer.session) this.#sessions.add(answer.session)
    return answer
  }

  /** SETs that must succeed. */
  async go(...path: State[]): Promise<ArcsAnswer> {
    const answer = await this.set(...path)
    assert.equal(said(answer.result), 0, `SET ${path.join(', ')}`)
    return answer
  }

  /** SETs that must succeed and give out a data_fd. */
  async begin(...path: State[]): Promise<SessionCalls> {
    const { session } = await this.go(...path)
    return session ?? assert.fail(`SET ${path.join(', ')} gave out no data_fd`)
  }

  /** What one SET answers, in words. */
  async answerTo(state: State): Promise<number | string> {
    return said((await this.set(state)).result)
  }

  async state(): Promise<string> {
    return stateName(await this.calls.getState())
  }

  /** The whole state, saved from RUNNING without pre-copy; leaves the device in STOP. */
  async save(): Promise<Buffer> {
    const session = await this.begin('STOP_COPY')
    const bytes = await drain(session)
    await this.go('STOP')
    await session.close()
    return bytes
  }

  /** Another fd of the same device. */
  async another(): Promise<Other> {
    return new Other(await this.controls.another())
  }

  async reset(): Promise<void> {
    assert.equal(said(await this.calls.reset()), 0, 'reset')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sessions].map(session => session.close()))
    await this.#handle.dispose()
  }
}

/** Its name, or the errno that came in its place. */
export const stateName = (number: number): string =>
  states.find(name => stateNumbers[name] === number) ?? String(said(number))

/** The same device through a second fd. */
export class Other {
  readonly fd: SecondFd

  constructor(fd: SecondFd) {
    this.fd = fd
  }

  async state(): Promise<string> {
    return stateName(await this.fd.getState())
  }

  async answerTo(state: State): Promise<number | string> {
    return said(await this.fd.setState(stateNumbers[state]))
  }

  /** Round trips that wait for nothing: a call that does not wait either would have been answered by the end of them. */
  async opportunity(): Promise<void> {
    for (let times = 0; times < 5; times++) assert.ok((await this.fd.flags()) > 0)
  }
}

/** A fresh device in RUNNING, another one each time. */
export async function openDevice(subject: Subject, setup: Setup = {}): Promise<Device> {
  return new Device(await subject.open(setup))
}

/** Reads until the device has nothing now, or no more. */
export async function drain(session: SessionCalls, maxBytes = 1 << 20): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for (;;) {
    const { result, data } = await session.read(maxBytes, 0)
    if (result === 0 || said(result) === 'ENOMSG') return Buffer.concat(chunks)
    assert.ok(result > 0, `read answered ${said(result)}`)
    chunks.push(data)
  }
}

/** What one read answers, in words. */
export async function readOnce(session: SessionCalls, maxBytes = 1 << 20): Promise<number | string> {
  return said((await session.read(maxBytes, 0)).result)
}

/** Reads exactly so many bytes. */
export async function readBytes(session: SessionCalls, bytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for (let left = bytes; left > 0;) {
    const { result, data } = await session.read(left, 0)
    assert.ok(result > 0, `read answered ${said(result)} with ${left} bytes to come`)
    chunks.push(data)
    left -= result
  }
  return Buffer.concat(chunks)
}

/** What one write answers, in words. */
export async function write(session: SessionCalls, bytes: Uint8Array): Promise<number | string> {
  return said(await session.write(bytes))
}

/** What GET_PRECOPY_INFO answers: both numbers, or the errno. */
export async function info(session: SessionCalls): Promise<[number, number] | number | string> {
  const { result, initialBytes, dirtyBytes } = await session.precopyInfo()
  return result < 0 ? said(result) : [initialBytes, dirtyBytes]
}

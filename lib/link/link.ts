// SPDX-License-Identifier: Apache-2.0

/** One end of a connection between the two roles of a migration: messages in their order, each at most once. */
export interface Link<Sent, Received> {
  /** Hands a message over; resolves when there is room for another. Rejects when the other end has gone. */
  send(message: Sent): Promise<void>
  /** The next message. Rejects when the other end has gone and nothing of it is left. */
  receive(): Promise<Received>
  /** What a message there and its answer are under way together, in ms: nothing inside one process. */
  readonly roundTripMs: number
  /** Ends both ends. Idempotent. */
  close(why?: Error): void
}

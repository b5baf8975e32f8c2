// SPDX-License-Identifier: Apache-2.0
// Loaded before Mocha (--import): what rejects and has no taker fails the test that runs. Mocha gives an unhandled
// rejection back to the process, where its own listener has kept Node from ending with it.

process.on('unhandledRejection', reason => {
  throw reason instanceof Error
    ? reason
    : new Error('a promise was rejected that nobody waits for', { cause: reason })
})

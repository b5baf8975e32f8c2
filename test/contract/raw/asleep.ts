// SPDX-License-Identifier: Apache-2.0
import { readFile, readdir } from 'node:fs/promises'
import { eventually } from '../../kernel/bottle_wait.ts'

const tasks = '/proc/self/task'

/** VFIO_MIG_GET_PRECOPY_INFO as /proc tells of it: the number of ioctl(2), the fd, the request. */
const asking = /^\d+ 0x[0-9a-f]+ 0x3b79 /

/** Of a thread that sleeps in a system call the call and its arguments; nothing of one that is gone. */
const systemCall = (task: string): Promise<string> =>
  readFile(`${tasks}/${task}/syscall`, 'utf8').catch(() => '')

/** Resolves when a thread of this process sleeps in a question for precopy info: not when it is only about to ask. */
export async function questionSleeps(): Promise<void> {
  await eventually(async () => {
    const calls = await Promise.all((await readdir(tasks)).map(systemCall))
    return calls.some(call => asking.test(call))
  })
}

// SPDX-License-Identifier: Apache-2.0
import type { Holder, HostFacts } from '../host/facts.ts'

/** Who has the device open, in a sentence. */
export function whoHoldsIt({ holders, process }: HostFacts): string {
  const names = holders.processes.map(holder => nameOf(holder, process.pid))
  const others = holders.complete
    ? 'Processes in other pid namespaces cannot be seen from here.'
    : 'Not every process could be read; as root, all would be seen.'
  if (names.length === 0) return `No process that could be read has it open. ${others}`
  return `It is open in ${names.join(', ')}.${holders.complete ? '' : ` ${others}`}`
}

/** What to do about it; `node` is what is open. */
export function releaseRemedy({ holders, process }: HostFacts, node: string): string {
  if (holders.processes.length === 0) return `Look as root, and in every container: fuser -v ${node}.`
  if (holders.processes.some(holder => holder.pid === process.pid))
    return 'Close it in this process first, or go on with the device that is open.'
  return 'End that process, or have it lend its fd (fd:N on the command line, openDevice({ fd }) in code).'
}

function nameOf({ pid, comm }: Holder, own: number): string {
  return pid === own ? `this process (pid ${pid})` : `${comm} (pid ${pid})`
}

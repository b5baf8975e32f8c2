// SPDX-License-Identifier: Apache-2.0
import type { PortFacts } from '../host/port.ts'
import type { PairFacts } from './preflight_facts.ts'
import { differ, onOneMachine, perPair, type PairSubject, type PreflightRule } from './preflight_rule.ts'

function ports({ from, to }: PairFacts): { readonly source?: PortFacts; readonly destination?: PortFacts } {
  return {
    ...(from.hardware?.port && { source: from.hardware.port }),
    ...(to.hardware?.port && { destination: to.hardware.port }),
  }
}

function macsDiffer(pair: PairFacts): boolean {
  const { source, destination } = ports(pair)
  return differ(source?.mac, destination?.mac)
}

function checksSpoofing(pair: PairFacts): boolean {
  return ports(pair).destination?.spoofCheck === true
}

function onOnePf({ from, to, machines }: PairSubject): boolean {
  const physfn = from.hardware?.physfn
  return physfn !== undefined && physfn === to.hardware?.physfn && onOneMachine(machines)
}

function macCause(pair: PairFacts): string {
  const { source, destination } = ports(pair)
  return `'${pair.to.name}' was given the address ${destination?.mac}, and the state brings ${source?.mac} of '${pair.from.name}'`
}

/** The command that sets something for the destination's port. */
function setCommand(pair: PairFacts, words: string): string {
  const { netdev, index } = ports(pair).destination ?? {}
  return `ip link set dev ${netdev ?? 'PF'} vf ${index} ${words}`
}

function macRemedy(pair: PairFacts): string {
  return `Before it runs: ${setCommand(pair, `mac ${ports(pair).source?.mac}`)}.`
}

/** What the physical function has set for a virtual one stays with the port: the state does not carry it. */
export const networkRules: readonly PreflightRule[] = [
  perPair({
    id: 'spoof-check',
    level: 'refuse',
    applies: subject => macsDiffer(subject) && checksSpoofing(subject),
    cause: subject => `${macCause(subject)}: its spoof check would drop every frame.`,
    remedy: macRemedy,
  }),
  perPair({
    id: 'mac-differs',
    level: 'warn',
    applies: subject => macsDiffer(subject) && !checksSpoofing(subject),
    cause: subject => `${macCause(subject)}: frames for that may not arrive.`,
    remedy: macRemedy,
  }),
  perPair({
    id: 'mac-twice',
    level: 'warn',
    applies: subject => {
      const { source, destination } = ports(subject)
      return onOnePf(subject) && source?.mac !== undefined && source.mac === destination?.mac
    },
    cause: ({ from, to }) =>
      `'${from.name}' and '${to.name}' have one address on one physical function: its switch may go on sending to the source.`,
    remedy: ({ from }) => `Take the address from '${from.name}' when it has stopped.`,
  }),
  perPair({
    id: 'vlan-differs',
    level: 'refuse',
    applies: subject => {
      const { source, destination } = ports(subject)
      return differ(source?.vlan, destination?.vlan)
    },
    cause: subject => {
      const { source, destination } = ports(subject)
      return `'${subject.from.name}' is in VLAN ${source?.vlan}, '${subject.to.name}' in ${destination?.vlan} (0 is none): it would run in another network.`
    },
    remedy: subject => `Before it runs: ${setCommand(subject, `vlan ${ports(subject).source?.vlan}`)}.`,
  }),
]

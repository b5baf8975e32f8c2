// SPDX-License-Identifier: Apache-2.0
import type { Capabilities } from '../kernel/feature.ts'
import { allFaultPoints } from './faults.ts'
import { flavourNames, flavours, type FlavourName } from './flavours.ts'
import { commandNames, type GivenOptions } from './option_schema.ts'

/** An option that not every device has a use for: given to another it would change nothing. */
export interface OptionUse {
  readonly field: string
  /** The flavours that have a use for it. */
  readonly flavours: readonly FlavourName[]
  /** What the others lack, behind the name of their driver. */
  readonly lack: string
  /** The capability without which nothing comes of it. */
  readonly needs: keyof Capabilities | undefined
  /** What was given, where it is more than the option is anyway. */
  readonly given: (given: GivenOptions) => unknown
}

/** The flavours whose drivers give the command: those that it can fail for. */
const giving = (command: keyof typeof allFaultPoints): readonly FlavourName[] =>
  allFaultPoints[command].flavours ?? flavourNames

const commands: readonly OptionUse[] = commandNames
  .filter(command => command !== 'RESET')
  .map(command => ({
    field: `latency.${command}`,
    flavours: giving(command),
    lack: `never gives ${command}`,
    needs: 'stopCopy',
    given: ({ latency }) => latency?.[command],
  }))

const bandwidths: readonly OptionUse[] = (['save', 'load'] as const).map(way => ({
  field: `bandwidth.${way}`,
  flavours: giving(way === 'save' ? 'SAVE' : 'LOAD'),
  lack: `has no firmware that would ${way} anything`,
  needs: 'stopCopy',
  given: ({ bandwidth }) => (bandwidth?.[way] === Infinity ? undefined : bandwidth?.[way]),
}))

const logs: readonly OptionUse[] = (['minPageSize', 'maxPageSize', 'maxRanges', 'maxSpan'] as const).map(
  limit => ({
    field: `dmaLog.${limit}`,
    flavours: giving('LOG_START'),
    lack: 'has no tracker',
    needs: 'dmaLogging',
    given: ({ dmaLog }) => dmaLog?.[limit],
  }),
)

/** Every option that only some devices have a use for. What is not here all of them have. */
export const optionUses: readonly OptionUse[] = [
  {
    field: 'workingSet',
    flavours: flavourNames.filter(name => flavours[name].streamBytes === undefined),
    lack: 'has a state of one page',
    needs: undefined,
    given: ({ workingSet }) => workingSet,
  },
  ...commands,
  ...bandwidths,
  {
    field: 'chunkSize',
    flavours: ['mlx5'],
    lack: 'has no chunk mode',
    needs: 'stopCopy',
    given: ({ chunkSize }) => chunkSize,
  },
  {
    field: 'reinit',
    flavours: ['mlx5'],
    lack: 'never reports it',
    needs: 'preCopy',
    given: ({ reinit }) => reinit,
  },
  {
    field: 'estimateSlack',
    flavours: giving('QUERY'),
    lack: 'asks its firmware for no estimate',
    needs: 'stopCopy',
    given: ({ estimateSlack }) => estimateSlack,
  },
  ...logs,
]

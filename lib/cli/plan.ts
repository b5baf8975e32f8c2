// SPDX-License-Identifier: Apache-2.0
import { dryRun, type MigrationPlan, type PlanOptions } from '../index.ts'
import { untilAborted } from '../abort.ts'
import type { Context } from './context.ts'
import { exitCodeOfRefusal, exitCodes } from './exit.ts'
import { Hands, type Pair, type TakingOptions } from './hands.ts'
import { planWords } from './plan_words.ts'
import type { PlanOutput } from './schemas/plan.ts'

/** `vfio-migrate move --dry-run`: what it would do, and whether it would refuse to. */
export async function plan(
  pairs: readonly Pair[],
  options: TakingOptions,
  planning: PlanOptions,
  context: Context,
): Promise<number> {
  const hands = await Hands.open(pairs, options, context)
  try {
    const made = await untilAborted(dryRun(hands.from, hands.to, planning), context.signal)
    const result: PlanOutput = { schema: 1, command: 'move', plan: planOutput(made) }
    context.answer(result, planWords(made))
    return made.possible ? exitCodes.done : exitCodeOfRefusal(made.findings)
  } finally {
    await hands.close()
  }
}

function planOutput({ pairs, ...plan }: MigrationPlan): PlanOutput['plan'] {
  return { ...plan, pairs: [...pairs] }
}

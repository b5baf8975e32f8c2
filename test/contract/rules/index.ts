// SPDX-License-Identifier: Apache-2.0
import type { Rule } from '../rule.ts'
import { closing } from './closing.ts'
import { concurrency } from './concurrency.ts'
import { dataFd } from './data_fd.ts'
import { dataSize } from './data_size.ts'
import { dmaLogging } from './dma_logging.ts'
import { errors } from './errors.ts'
import { features } from './features.ts'
import { firmwareModel } from './firmware_model.ts'
import { firmwareStatus } from './firmware_status.ts'
import { flavours } from './flavours.ts'
import { idleAndEnd } from './idle.ts'
import { increments } from './increments.ts'
import { lifeCycle } from './life_cycle.ts'
import { lostFd } from './lost_fd.ts'
import { mlx5Modes } from './mlx5_modes.ts'
import { mlx5Tracker } from './mlx5_tracker.ts'
import { poll } from './poll.ts'
import { precopyInfo } from './precopy_info.ts'
import { regions } from './regions.ts'
import { requests } from './requests.ts'
import { reset } from './reset.ts'
import { sessions } from './sessions.ts'
import { stateMachine } from './state_machine.ts'
import { targetParser } from './target_parser.ts'

/** The contract. */
export const rules: readonly Rule[] = [
  ...features,
  ...requests,
  ...regions,
  ...stateMachine,
  ...sessions,
  ...closing,
  ...lostFd,
  ...dataFd,
  ...poll,
  ...idleAndEnd,
  ...precopyInfo,
  ...increments,
  ...dataSize,
  ...targetParser,
  ...reset,
  ...errors,
  ...firmwareStatus,
  ...firmwareModel,
  ...mlx5Modes,
  ...dmaLogging,
  ...mlx5Tracker,
  ...concurrency,
  ...lifeCycle,
  ...flavours,
]

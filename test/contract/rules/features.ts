// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '../device.ts'
import { GET, SET, feature, flag, said } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'

const operations: readonly (readonly [name: string, bits: number])[] = [
  ['no operation', 0],
  ['GET', GET],
  ['SET', SET],
  ['GET and SET', GET | SET],
]

type Answers = readonly (number | string)[]

const readable: Answers = [0, 0, 'EINVAL', 'EINVAL']
const settable: Answers = [0, 'EINVAL', 0, 'EINVAL']
const both: Answers = [0, 0, 0, 0]
const every = (answer: string): Answers => [answer, answer, answer, answer]

/** What PROBE answers for each of the four operations. */
function probes(
  id: string,
  name: string,
  numbers: readonly number[],
  answers: Answers,
  needs: Needs,
  evidence: Evidence,
): Rule {
  return {
    id,
    name,
    where: 'features',
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      for (const number of numbers) {
        for (const [index, [operation, bits]] of operations.entries()) {
          const answer = said(await device.calls.probe(number, bits))
          assert.equal(answer, answers[index], `PROBE of feature ${number} for ${operation}`)
        }
      }
    },
  }
}

const logging = [feature.DMA_LOGGING_START, feature.DMA_LOGGING_STOP, feature.DMA_LOGGING_REPORT]
const migration = [feature.MIGRATION, feature.MIG_DEVICE_STATE, feature.MIG_DATA_SIZE]
const core: Evidence = ['core']
const any = { flavours: ['mlx5', 'virtio', 'hisi_acc', 'qat', 'pds', 'xe', 'mtty', 'none'] } as const

const probeRules: readonly Rule[] = [
  probes(
    'probe-readable',
    'the migration flags and the data size are read and cannot be set',
    [feature.MIGRATION, feature.MIG_DATA_SIZE],
    readable,
    {},
    core,
  ),
  probes('probe-state', 'the device state is read and set', [feature.MIG_DEVICE_STATE], both, {}, core),
  probes(
    'probe-logging',
    'DMA logging is started and stopped by SET',
    [feature.DMA_LOGGING_START, feature.DMA_LOGGING_STOP],
    settable,
    { logging: true },
    core,
  ),
  probes(
    'probe-logging-report',
    'what DMA logging saw is read by GET',
    [feature.DMA_LOGGING_REPORT],
    readable,
    { logging: true },
    core,
  ),
  probes(
    'probe-no-logging',
    'a device without DMA logging answers ENOTTY to whatever is asked of its three features',
    logging,
    every('ENOTTY'),
    { ...any, logging: false },
    core,
  ),
  probes(
    'probe-no-migration',
    'a device without migration answers ENOTTY to whatever is asked of its three features',
    migration,
    every('ENOTTY'),
    { flavours: ['none'] },
    core,
  ),
  probes(
    'probe-infov2',
    'PRECOPY_INFOv2 is opted into by SET on a device with PRE_COPY',
    [feature.MIG_PRECOPY_INFOv2],
    settable,
    { flags: flag.PRE_COPY, kernels: ['7.2'] },
    core,
  ),
  probes(
    'probe-infov2-no-precopy',
    'PRECOPY_INFOv2 is EINVAL, not ENOTTY, on a device without PRE_COPY, whatever is asked',
    [feature.MIG_PRECOPY_INFOv2],
    every('EINVAL'),
    { flavours: ['none'], kernels: ['7.2'] },
    core,
  ),
  probes(
    'probe-infov2-flags',
    'PRECOPY_INFOv2 is EINVAL on a device that migrates without PRE_COPY',
    [feature.MIG_PRECOPY_INFOv2],
    every('EINVAL'),
    { exactFlags: flag.STOP_COPY | flag.P2P, kernels: ['7.2'] },
    'read only',
  ),
  probes(
    'probe-infov2-old',
    'PRECOPY_INFOv2 is ENOTTY before it was invented',
    [feature.MIG_PRECOPY_INFOv2],
    every('ENOTTY'),
    { ...any, kernels: ['6.12'] },
    core,
  ),
  probes(
    'probe-unknown',
    'a feature that there is not is ENOTTY, whatever is asked of it',
    [100, 0xffff],
    every('ENOTTY'),
    any,
    core,
  ),
]

export const features: readonly Rule[] = [
  ...probeRules,
  {
    id: 'migration-flags',
    name: 'the migration flags say which states the device has',
    where: 'features',
    evidence: core,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await device.calls.migrationFlags(), subject.flags)
    },
  },
  {
    id: 'no-migration-calls',
    name: 'a device without migration answers ENOTTY to GET and SET of the state, the flags and the data size',
    where: 'features',
    evidence: core,
    needs: { flavours: ['none'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const { calls } = device
      const answers = [await calls.migrationFlags(), await calls.getState(), await calls.dataSize()]
      assert.deepEqual(answers.map(said), ['ENOTTY', 'ENOTTY', 'ENOTTY'])
      assert.equal(await device.answerTo('STOP'), 'ENOTTY')
    },
  },
  {
    id: 'no-migration-impossible-state',
    name: 'without migration even a state that does not exist is ENOTTY',
    where: 'features',
    evidence: core,
    needs: { flavours: ['none'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(said((await device.calls.setStates([1000])).result), 'ENOTTY')
    },
  },
  {
    id: 'no-logging-calls',
    name: 'a device without DMA logging answers ENOTTY to malformed requests as well',
    where: 'features',
    evidence: core,
    needs: { ...any, logging: false },
    async run(subject) {
      await using device = await openDevice(subject)
      const { calls } = device
      assert.equal(said(await calls.dmaLoggingStart(4096, new BigUint64Array(0))), 'ENOTTY')
      assert.equal(said(await calls.dmaLoggingStop()), 'ENOTTY')
      assert.equal(said((await calls.dmaLoggingReport(0n, 4096n, 4096)).result), 'ENOTTY')
    },
  },
  {
    id: 'infov2-again',
    name: 'PRECOPY_INFOv2 may be opted into again and again, in every state',
    where: 'features',
    evidence: core,
    needs: { flags: flag.PRE_COPY, kernels: ['7.2'] },
    async run(subject) {
      await using device = await openDevice(subject)
      for (const state of ['RUNNING', 'PRE_COPY', 'STOP_COPY', 'STOP'] as const) {
        await device.go(state)
        assert.equal(said(await device.calls.optInPrecopyInfoV2()), 0, state)
      }
    },
  },
]

// SPDX-License-Identifier: Apache-2.0
// Opens the mock at a path and sets states, whose answer it does not live to see. Arguments: the path, the states' numbers.
import { openRemoteMock } from 'vfio-migrate/mock'

const [path = '', ...states] = process.argv.slice(2)
const { calls } = await openRemoteMock(path)
process.on('disconnect', () => process.exit())
void calls.setStates(states.map(Number))

// SPDX-License-Identifier: Apache-2.0
// Opens the mock at a path and sets a state, whose answer it does not live to see. Arguments: the path, the state's number.
import { openRemoteMock } from 'vfio-migrate/mock'

const [path = '', state = ''] = process.argv.slice(2)
const { calls } = await openRemoteMock(path)
process.on('disconnect', () => process.exit())
void calls.setStates([Number(state)])

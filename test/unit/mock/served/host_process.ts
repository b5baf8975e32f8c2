// SPDX-License-Identifier: Apache-2.0
// Serves a mock until whoever started it is gone. Arguments: the path, the options as JSON, what it dies with.
import { MockDevice, serveMock, type MockOptions, type ServeOptions } from 'vfio-migrate/mock'

const [path = '', options = '{}', dies = 'with-client'] = process.argv.slice(2)
const mock = new MockDevice(JSON.parse(options) as MockOptions)
await serveMock(mock, path, { dies } as ServeOptions)
process.on('disconnect', () => process.exit())
process.send?.('serving')

// SPDX-License-Identifier: Apache-2.0
// Migrates a device that another process has lent: fds 3 and 4 into 5 and 6, each a device and its iommufd. Its argument is
// JSON, options of migrate(): it then writes what came of it, and nothing where it has none.
import { migrate, MigrationError, openDevice, type MigrateOptions, type MigrationReport } from '#lib/index.js'

const [given] = process.argv.slice(2)
const options = JSON.parse(given ?? '{}') as Partial<MigrateOptions>

function tell({ report, cause }: { report: MigrationReport; cause?: unknown }): void {
  if (given === undefined) return
  const code = (cause as { code?: string } | undefined)?.code
  process.stdout.write(JSON.stringify({ report, ...(cause !== undefined && { code }) }))
}

async function main(): Promise<void> {
  await using from = await openDevice({ fd: 3, iommufd: 4 })
  await using to = await openDevice({ fd: 5, iommufd: 6 })
  try {
    tell({ report: await migrate({ ...options, from, to }) })
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error
    tell({ report: error.report, cause: error.cause })
  }
}

void main()

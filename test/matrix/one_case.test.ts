// SPDX-License-Identifier: Apache-2.0
import type { Case } from './case.js'
import { run } from './stage.js'
import { judge } from './verdict.js'

const text = process.env.VFIO_MIGRATE_CASE

/** What a failure of the matrix names: one case, with all that its devices did. */
if (text !== undefined) {
  describe(`the case ${text}`, () => {
    it('ends as docs/recovery.md says', async () => {
      const given = JSON.parse(text) as Case
      const seen = await run(given)
      for (const { mock, before } of seen.actors) {
        console.log(`-- ${mock.name}`)
        for (const event of mock.history.slice(before.events)) console.log(JSON.stringify(event))
      }
      console.log(seen.events.join('\n'))
      console.log(seen.report?.outcome, seen.error)
      console.log(await judge(given, seen))
    })
  })
}

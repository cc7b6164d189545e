/**
 * One process of a site: `node requests-process.ts <kind> <folder> <cookie> <times>` updates the bin `visits` of a
 * visitor so many times, each in a request of its own. Run by `processes.test.ts`.
 */
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { serveBins } from '../../../src/server/server.ts'
import { openStore } from '../stores/open-store.ts'

const [kind = '', folder = '', cookie = '', times = ''] = process.argv.slice(2)
const server = serveBins(defineBins({ visits: { default: 0 } }), { store: openStore(kind, folder) })

for (let turn = 0; turn < Number(times); turn += 1) {
  const state = await server.open(new Request('https://example.org/', { headers: { cookie } }))
  await state.update('visits', (visits) => visits + 1)
}
await server.close()

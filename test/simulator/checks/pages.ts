import type { Profile } from '../browser/profile.ts'
import type { Scene } from '../scene.ts'
import { BIN_NAMES } from '../world/bins.ts'
import { openLife } from '../world/life.ts'

/** What keeps the pages from being at rest, and from holding what the server holds. */
export async function checkPages(scene: Scene): Promise<readonly string[]> {
  const problems: string[] = []
  for (const profile of scene.profiles) {
    if (isTorn(profile)) continue
    const onServer = await readServer(scene, profile)
    for (const { name, bins } of profile.tabs) {
      if (!bins) {
        problems.push(`${name} is not open yet`)
        continue
      }
      const { phase, pending, problem, storage } = bins.status()
      if (phase !== 'idle' || pending > 0 || problem !== undefined) {
        problems.push(`${name} is ${phase}, with ${pending} edits pending, and ${problem ?? 'no'} problem`)
      }
      if (storage.kind !== 'indexeddb') problems.push(`${name} keeps rows in ${storage.kind}`)
      for (const bin of BIN_NAMES) {
        const data = JSON.stringify(bins.get(bin))
        // When data expires is for each clock to say.
        if (bin === 'offer' && scene.world.clockError === Infinity) continue
        if (data !== onServer.get(bin)) {
          problems.push(`${bin} is ${data} in ${name}, and ${onServer.get(bin)} on the server`)
        }
      }
    }
  }
  return problems
}

/**
 * Whether one cookie of two is left, since its user has deleted the other, and a late answer to a `clear` this one: pages
 * learn with their next edit that they are somebody.
 */
function isTorn({ jar, hasDeletedCookies }: Profile): boolean {
  return hasDeletedCookies && jar.get('bb.o') === undefined && jar.get('__Host-bb') !== undefined
}

async function readServer(
  { world, site }: Scene,
  profile: Profile,
): Promise<Map<string, string | undefined>> {
  const held = new Map<string, string | undefined>()
  const answer = (request: Request) =>
    site.visit(request, async (state) => {
      for (const bin of BIN_NAMES) held.set(bin, JSON.stringify(state.get(bin)))
    })
  const life = openLife(world.timeline)
  const asked = profile.connection.send({
    tab: `${profile.name} page`,
    life,
    path: '/',
    init: { method: 'POST' },
    answer,
  })
  let isDone = false
  asked.then(
    () => {
      isDone = true
    },
    (cause: unknown) => {
      isDone = true
      world.violate('the server answers', String(cause))
    },
  )
  await world.timeline.pass(5_000, () => isDone)
  return held
}

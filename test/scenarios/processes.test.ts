import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import { serveBins } from '../../src/server/server.ts'
import { openCookieJar, requestWith, take } from '../support/sites/http.ts'
import { openStore } from '../support/stores/open-store.ts'
import { placeMakers } from '../support/stores/places.ts'

const SCRIPT = fileURLToPath(new URL('../support/sites/requests-process.ts', import.meta.url))

for (const { kind, make } of placeMakers()) {
  describe(`8 processes on one store of ${kind}`, () => {
    it('count to 80', { timeout: 60_000 }, async () => {
      const { place, remove } = await make()
      onTestFinished(remove)
      await countTogether(kind, place)
    })
  })
}

async function countTogether(kind: string, place: string): Promise<void> {
  const server = serveBins(defineBins({ visits: { default: 0 } }), { store: openStore(kind, place) })
  const jar = openCookieJar(Date.now)
  const first = await server.open(requestWith(jar))
  first.set('visits', 0)
  take(jar, await first.save(new Headers()))
  const codes = await Promise.all(Array.from({ length: 8 }, () => runProcess(kind, place, jar.header())))
  expect(codes).toEqual(codes.map(() => 0))
  expect((await server.open(requestWith(jar))).get('visits')).toBe(80)
  await server.close()
}

async function runProcess(kind: string, place: string, cookie: string): Promise<unknown> {
  const args = ['--disable-warning=ExperimentalWarning', SCRIPT, kind, place, cookie, '10']
  const [code] = await once(
    spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }),
    'close',
  )
  return code
}

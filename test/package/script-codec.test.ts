import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { openBins } from '../../src/client/open-bins.ts'
import { decode } from '../../src/core/codec/codec.ts'
import { parsePlain } from '../../src/core/cookie/cookie-format.ts'
import type { defineBins } from '../../src/core/definition/define-bins.ts'
import { openProfile, type Profile } from '../support/pages/page.ts'
import { ROOT } from '../support/run.ts'

/** What the files make global. */
interface Breadbin {
  readonly defineBins: typeof defineBins
  readonly openBins: typeof openBins
}

const vectors = JSON.parse(readFileSync(join(ROOT, 'test/vectors/codec.json'), 'utf8'))

/** Those that fit into a cookie, and are not what deletes it. */
const texts: string[] = vectors.texts
  .map(({ text }: { text: string }) => text)
  .filter((text: string) => text.length < 1_000 && text !== '{"json":null}')

describe.each(['breadbin.min.js', 'breadbin.cookie.min.js'])('a cookie bin of %s', (file) => {
  const script = readFileSync(join(ROOT, 'dist', file), 'utf8')
  // In this realm, where the data is made; the global is what src/script.ts exports.
  const breadbin: Breadbin = new Function(`${script}\nreturn breadbin`)()
  const definitions = breadbin.defineBins({ bin: { storage: 'cookie' } })

  async function write(data: unknown): Promise<{ profile: Profile; text: string | undefined }> {
    const profile = openProfile()
    await profile.run(async () => (await breadbin.openBins(definitions)).set('bin', data))
    return { profile, text: parsePlain(profile.jar.header().replace(/^bb-bin=/, ''))?.text }
  }

  it.each(texts)('holds %s, though the file has superjson in part', async (text) => {
    const written = await write(decode(text)?.data)
    const read = await written.profile.run(async () => (await breadbin.openBins(definitions)).get('bin'))
    expect(written.text).toBe(text)
    // What the file read, in its own words: frozen data is known to the copy of Breadbin that froze it.
    expect((await write(read)).text).toBe(text)
  })
})

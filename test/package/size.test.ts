import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/run.ts'

/** Most bytes of a script file, in brotli; docs/decisions/002-bytes.md says why not less. */
const SCRIPTS = {
  // Everything, superjson, js-cookie and idb-keyval included.
  'breadbin.min.js': 24_750,
  'breadbin.header.min.js': 25_370,
  // For pages that use cookies alone.
  'breadbin.cookie.min.js': 11_850,
}

/** Everything, for those who bundle it: with all of superjson, which our script files have in part. */
const MAX_BUNDLED_BYTES = 26_700

/** The same with transport by a header. */
const MAX_HEADER_BYTES = 27_250

/** Words that only code for servers has; pages read a header of ours that has one of them in its name. */
const SERVER_WORDS = ['createHmac', 'node:', 'Set-Cookie', 'set-cookie', 'ZodError', '_zod']
const OUR_HEADER = 'breadbin-set-cookie'

describe.each(Object.entries(SCRIPTS))('%s', (name, maxBytes) => {
  const script = readFileSync(join(ROOT, 'dist', name))

  it(`has ${maxBytes} bytes at most, in brotli`, () => {
    expect(brotliBytes(script)).toBeLessThanOrEqual(maxBytes)
  })

  it('has no code for servers in it', () => {
    expect(serverWords(script.toString())).toEqual([])
  })

  it(`${name.includes('header') ? 'has' : 'leaves out'} transport by a header`, () => {
    expect(script.includes('breadbin-cookie')).toBe(name.includes('header'))
  })
})

describe('openBins of breadbin/client, bundled for browsers', () => {
  it(`has ${MAX_BUNDLED_BYTES} bytes at most, in brotli`, async () => {
    const code = await bundle("export { openBins } from 'breadbin/client'")
    expect(brotliBytes(code)).toBeLessThanOrEqual(MAX_BUNDLED_BYTES)
    expect(code.toString()).not.toContain('breadbin-cookie')
  })

  it(`has ${MAX_HEADER_BYTES} with transport by a header`, async () => {
    const code = await bundle(
      "export { openBins } from 'breadbin/client'; export { headerTransport } from 'breadbin/header'",
    )
    expect(brotliBytes(code)).toBeLessThanOrEqual(MAX_HEADER_BYTES)
    expect(code.toString()).toContain('breadbin-cookie')
  })

  it('has no code for servers in it', async () => {
    const code = await bundle("export { openBins } from 'breadbin/client'")
    expect(serverWords(code.toString())).toEqual([])
  })

  it('is told from code for servers by its words', async () => {
    const code = await bundle("export { serveBins } from 'breadbin/server'", { platform: 'node' })
    expect(serverWords(code.toString())).toEqual(expect.arrayContaining(['createHmac', 'node:', '_zod']))
  })
})

describe('defineBins of breadbin, bundled for browsers', () => {
  it('brings no storage with it', async () => {
    const code = await bundle("export { defineBins } from 'breadbin'")
    expect(code.toString()).not.toMatch(/indexedDB|document\.cookie/)
  })
})

/** Bundles a module as a user's bundler would, from the built package. */
async function bundle(
  contents: string,
  { platform = 'browser' }: { platform?: 'browser' | 'node' } = {},
): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: ROOT },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform,
    logLevel: 'silent',
  })
  return Buffer.concat(outputFiles.map((file) => file.contents))
}

function brotliBytes(code: Uint8Array): number {
  // What servers send that compress their files once, ahead of time.
  return brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length
}

function serverWords(code: string): string[] {
  return SERVER_WORDS.filter((word) => code.replaceAll(OUR_HEADER, '').includes(word))
}

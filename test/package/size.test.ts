import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/run.ts'

/** Everything, superjson, js-cookie and idb-keyval included; docs/decisions/002-bytes.md says why not less. */
const MAX_BYTES = 24_800

/** The same for pages that use cookies alone. */
const MAX_COOKIE_BYTES = 11_450

/**
 * Everything, for those who bundle it: with all of superjson, which our script files have in part, and without transport by a
 * header, which bundlers keep apart for the pages that use it.
 */
const MAX_BUNDLED_BYTES = 26_250

/** The same with transport by a header. */
const MAX_HEADER_BYTES = 26_850

/** Words that only code for servers has; pages read a header of ours that has one of them in its name. */
const SERVER_WORDS = ['createHmac', 'node:', 'Set-Cookie', 'set-cookie', 'ZodError', '_zod']
const OUR_HEADER = 'breadbin-set-cookie'

describe('the file for script tags', () => {
  const script = readFileSync(join(ROOT, 'dist/breadbin.min.js'))

  it(`has ${MAX_BYTES} bytes at most, in brotli`, () => {
    expect(brotliBytes(script)).toBeLessThanOrEqual(MAX_BYTES)
  })

  it('has no code for servers in it', () => {
    expect(serverWords(script.toString())).toEqual([])
  })
})

describe('the file for script tags that keeps cookies alone', () => {
  it(`has ${MAX_COOKIE_BYTES} bytes at most, in brotli`, () => {
    expect(brotliBytes(readFileSync(join(ROOT, 'dist/breadbin.cookie.min.js')))).toBeLessThanOrEqual(
      MAX_COOKIE_BYTES,
    )
  })
})

describe('openBins of breadbin/client, bundled for browsers', () => {
  it(`has ${MAX_BUNDLED_BYTES} bytes at most, in brotli`, async () => {
    const code = await bundle("export { openBins } from 'breadbin/client'", {
      external: ['./transport-*'],
    })
    expect(brotliBytes(code)).toBeLessThanOrEqual(MAX_BUNDLED_BYTES)
    expect(code.toString()).not.toContain('breadbin-cookie')
  })

  it(`has ${MAX_HEADER_BYTES} with transport by a header`, async () => {
    const code = await bundle("export { openBins } from 'breadbin/client'")
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
  { platform = 'browser', external = [] }: { platform?: 'browser' | 'node'; external?: string[] } = {},
): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: ROOT },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform,
    external,
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

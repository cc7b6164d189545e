// @vitest-environment node
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openPage, toOwnUrl } from '../../../src/client/page/page.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'

afterEach(() => vi.unstubAllGlobals())

/** A document on a site: its origin, and its address. */
function inDocument(origin: string | undefined, href: string): void {
  vi.stubGlobal('origin', origin)
  vi.stubGlobal('location', { href })
}

describe('a request of a page', () => {
  it.each([
    ['in a document', 'https://shop.example', 'https://shop.example/cart?item=1'],
    ['in a frame of srcdoc', 'https://shop.example', 'about:srcdoc'],
    ['in a frame of a blob', 'https://shop.example', 'blob:https://shop.example/0c9e'],
    ['in a sandboxed frame', 'null', 'https://shop.example/frame'],
    ['in a browser without origin', undefined, 'https://shop.example/cart'],
  ])('goes to the own origin %s, whatever <base> says', async (_, origin, href) => {
    inDocument(origin, href)
    const sent: unknown[] = []
    vi.stubGlobal('fetch', async (...request: unknown[]) => {
      sent.push(request)
      return new Response()
    })
    const page = openPage(defineBins({}), {}, undefined)
    await page.fetch('/bins/sync', { method: 'POST' })
    expect(sent).toEqual([['https://shop.example/bins/sync', { method: 'POST' }]])
    expect(toOwnUrl('/bins/events')).toBe('https://shop.example/bins/events')
  })

  it('goes nowhere from a sandboxed frame without an address', async () => {
    inDocument('null', 'about:srcdoc')
    const page = openPage(defineBins({}), {}, undefined)
    await expect(page.fetch('/bins/sync')).rejects.toThrow(TypeError)
  })

  it('is sent as it is, if it names more than a path', async () => {
    inDocument('https://shop.example', 'https://shop.example/')
    const sent: unknown[] = []
    vi.stubGlobal('fetch', async (input: unknown) => {
      sent.push(input)
      return new Response()
    })
    const page = openPage(defineBins({}), {}, undefined)
    const url = new URL('https://api.example/')
    for (const input of ['https://api.example/', 'relative', url]) await page.fetch(input)
    expect(sent).toEqual(['https://api.example/', 'relative', url])
  })
})

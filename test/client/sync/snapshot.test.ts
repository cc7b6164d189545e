// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { idle, offline, settled, setUp } from '../../support/pages/page-sync.ts'
import { requestWith } from '../../support/sites/http.ts'
import { codedJson, readable } from '../../support/wire.ts'

/** A visitor with a note, and what the server puts into the visitor's page. */
async function setUpSnapshot() {
  const site = setUp()
  const { server, profile, inRequest } = site
  await inRequest((state) => {
    state.set('note', '</script>')
    state.set('secret', 'hidden')
  })
  const takeSnapshot = async () => (await server.open(requestWith(profile.jar))).snapshot()
  return { ...site, takeSnapshot }
}

describe('a snapshot', () => {
  it('holds what the browser may see, fit for a script element', async () => {
    const { takeSnapshot } = await setUpSnapshot()
    const snapshot = await takeSnapshot()
    expect(snapshot).not.toContain('<')
    expect(readable(snapshot)).not.toContain('hidden')
    expect(JSON.parse(snapshot).parts).toMatchObject([
      { store: 'default', reset: true, changes: [{ bin: 'note', text: codedJson('</script>') }] },
    ])
  })

  it('holds nothing of a store with edits that are not saved, and of nobody', async () => {
    const { server, profile } = await setUpSnapshot()
    const state = await server.open(requestWith(profile.jar))
    state.set('other', 'unsaved')
    expect(JSON.parse(state.snapshot()).parts).toEqual([])
    const stranger = await server.open(new Request('https://example.org/'))
    expect(JSON.parse(stranger.snapshot()).parts).toEqual([])
  })

  it('makes the response private', async () => {
    const { server, profile } = await setUpSnapshot()
    const state = await server.open(requestWith(profile.jar), [])
    state.snapshot()
    const response = await state.save(new Response())
    expect(response.headers.get('cache-control')).toContain('private')
    expect(response.headers.get('vary')).toBe('Cookie')
  })

  it('spares a page its first exchange', async () => {
    const { openPage, takeSnapshot, requests, network } = await setUpSnapshot()
    network.answer = offline
    const page = await openPage({ snapshot: await takeSnapshot() })
    expect(page.get('note')).toBe('</script>')
    expect(page.loaded('plan')).toBe(true)
    await idle()
    expect(requests).toEqual([])
  })

  it('is what later edits are made on', async () => {
    const { openPage, takeSnapshot, onServer } = await setUpSnapshot()
    const page = await openPage({ snapshot: await takeSnapshot() })
    page.set('note', 'edited')
    expect(await page.sync()).toMatchObject({ accepted: ['note'] })
    expect(await onServer('note')).toBe('edited')
  })

  it('means nothing to another visitor', async () => {
    const { takeSnapshot } = await setUpSnapshot()
    const other = await setUpSnapshot()
    const page = await other.openPage({ snapshot: await takeSnapshot() })
    await settled(page)
    expect(other.requests).toHaveLength(1)
  })

  it('that is too new, or none, is pulled instead', async () => {
    const { openPage, requests } = await setUpSnapshot()
    for (const snapshot of ['{}', 'null', '{"v":2,"parts":[{}]}']) await settled(await openPage({ snapshot }))
    expect(requests).toHaveLength(3)
  })

  it('that is no JSON is an error of the page', async () => {
    const { openPage } = await setUpSnapshot()
    await expect(openPage({ snapshot: 'oops' })).rejects.toThrow(SyntaxError)
  })
})

// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { isReplicaKey } from '../../../src/client/replica/replica-rows.ts'
import { textRows } from '../../../src/client/table/local-storage.ts'
import { fakeStorage } from '../../support/pages/fake-storage.ts'

const open = (texts: Storage) => textRows(texts, 'breadbin-bb', isReplicaKey)

describe('rows in localStorage', () => {
  it('are there for the next page, below their prefix', async () => {
    const texts = fakeStorage()
    const rows = new Map<string, unknown>([
      ['d/draft', { v: 1, text: '{"json":1}', expires: Infinity }],
      ['d/雪', { v: 1, text: '{"json":2}', expires: 5 }],
    ])
    expect(await open(texts).change('d/', () => rows)).toEqual(rows)
    expect(await open(texts).load('d/')).toEqual(rows)
    expect(await open(texts).load('s/')).toEqual(new Map())
    expect(await open(texts).load('')).toEqual(rows)
  })

  it('are deleted', async () => {
    const texts = fakeStorage()
    await open(texts).change('d/', () => new Map([['d/draft', { v: 1 }]]))
    expect(await open(texts).change('d/', () => new Map([['d/draft', undefined]]))).toEqual(new Map())
    expect(texts.length).toBe(0)
  })

  it('leave alone what is of somebody else', async () => {
    const texts = fakeStorage({ 'breadbin-other/d/draft': '{}', theme: 'not JSON' })
    expect(await open(texts).load('')).toEqual(new Map())
  })

  it('keep the meta rows of replicas to the page: each has a client id of its own', async () => {
    const texts = fakeStorage()
    const rows = open(texts)
    await rows.change('s/', () => new Map([['s/tag/', { v: 1, client: 'one' }]]))
    expect([...(await rows.load('s/')).keys()]).toEqual(['s/tag/'])
    expect(await open(texts).load('s/')).toEqual(new Map())
  })

  it('fail as the browser does when it is full', async () => {
    const rows = open(fakeStorage({}, { maxBytes: 20 }))
    await expect(rows.change('d/', () => new Map([['d/draft', 'x'.repeat(30)]]))).rejects.toThrow('full')
  })
})

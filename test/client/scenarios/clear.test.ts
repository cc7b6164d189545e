// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { openReplica } from '../../../src/client/replica/replica.ts'
import { readingOf } from '../../../src/client/replica/replica-rows.ts'
import { openSync } from '../../../src/client/sync/schedule.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import { fakePage } from '../../support/pages/fake-page.ts'
import { bins, idle, openGate } from '../../support/pages/page-sync.ts'
import { codedJson } from '../../support/wire.ts'

describe('a clear that takes long to be stored', () => {
  it('shows nothing of an answer that arrives meanwhile', async () => {
    const [answered, stored] = [openGate<Response>(), openGate<void>()]
    const shown: unknown[] = []
    const page = fakePage({ fetch: () => answered.promise })
    const replica = await openReplica({
      definitions: bins,
      reading: readingOf(page, bins),
      rows: memoryRows(),
      tag: 'tag',
      page,
      onChange: () => shown.push(replica.find(bins.find('note'))?.text),
    })
    const cleared = { tag: null as string | null, isPending: false, isForgotten: false }
    const sync = openSync({
      owner: 'visitor',
      replica,
      stores: ['default'],
      path: '/bins',
      page,
      clearance: {
        reload: async () => {},
        get tag() {
          return cleared.tag
        },
        get isPending() {
          return cleared.isPending
        },
        get isForgotten() {
          return cleared.isForgotten
        },
        set(tag, state) {
          Object.assign(cleared, { tag, isPending: state === 'asked', isForgotten: state === 'forgotten' })
          return stored.promise
        },
      },
      onEvent: undefined,
      onStatus: () => {},
    })
    void sync.now().catch(() => {})
    await idle()
    void sync.clear()
    const change = { bin: 'note', rev: 9, sv: 1, text: codedJson('old'), ttl: 1_000 }
    const part = {
      store: 'default',
      tag: 'tag',
      cursor: 'epoch.9.mark',
      results: [],
      changes: [change],
      reset: true,
    }
    answered.resolve(Response.json({ v: 1, parts: [part] }))
    for (let turn = 0; turn < 10; turn += 1) await idle()
    expect(new Set(shown)).toEqual(new Set([undefined]))
    sync.close()
  })
})

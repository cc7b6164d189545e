import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { encode, encodeCopy } from '../../src/core/codec/codec.ts'
import { defineBins } from '../../src/core/definition/define-bins.ts'
import type { BinsEvent } from '../../src/core/event.ts'
import { type KeptText, openReader, readText } from '../../src/core/reader.ts'

const bins = defineBins({
  list: { schema: z.array(z.number()), default: [] },
  any: {},
  newer: { version: 2, default: 'default' },
})

/** A reader of texts that a test puts there. */
function open() {
  const kept = new Map<string, KeptText>()
  const events: BinsEvent[] = []
  const reads: string[] = []
  let lookups = 0
  const find = ({ name }: { name: string }) => {
    lookups += 1
    return kept.get(name)
  }
  return {
    reader: openReader(bins, find, {
      onEvent: (event) => events.push(event),
      read(definition, kept) {
        reads.push(kept.text)
        return readText(definition, kept)
      },
    }),
    events,
    reads,
    put(name: string, data: unknown, { version = 1, trusted = true } = {}) {
      kept.set(name, { text: encode(data), version, trusted })
    },
    putText(name: string, text: string, trusted = false) {
      kept.set(name, { text, version: 1, trusted })
    },
    remove: (name: string) => kept.delete(name),
    get lookups() {
      return lookups
    },
  }
}

describe('a reader', () => {
  it('gives the same object until the text is another', () => {
    const { reader, put } = open()
    put('list', [1])
    const first = reader.get('list')
    expect(first).toEqual([1])
    put('list', [1])
    expect(reader.get('list')).toBe(first)
    put('list', [2])
    expect(reader.get('list')).toEqual([2])
    put('list', [1])
    expect(reader.get('list')).not.toBe(first)
  })

  it('gives the same default, each time, to everybody who asks it', () => {
    const { reader, put, remove } = open()
    const first = reader.get('list')
    expect(first).toEqual([])
    put('list', [1])
    reader.get('list')
    remove('list')
    expect(reader.get('list')).toBe(first)
    expect(open().reader.get('list')).not.toBe(first)
  })

  it('gives the default for what it cannot use, and tells why, once', () => {
    const { reader, put, putText, events } = open()
    putText('list', 'rubbish')
    expect([reader.get('list'), reader.get('list'), reader.has('list')]).toEqual([[], [], false])
    put('list', ['text'])
    expect([reader.get('list'), reader.has('list')]).toEqual([[], false])
    put('newer', 'new', { version: 3 })
    expect([reader.get('newer'), reader.has('newer'), reader.isOutdated(bins.find('newer'))]).toEqual([
      'default',
      true,
      true,
    ])
    expect(events).toMatchObject([
      { type: 'unreadable', bin: 'list', reason: 'unreadable' },
      { type: 'unreadable', bin: 'list', reason: 'invalid' },
      { type: 'unreadable', bin: 'newer', reason: 'outdated' },
    ])
  })

  it('reads what anybody may have written more strictly', () => {
    const { reader, putText } = open()
    const text = '{"json":[1, 2]}'
    putText('list', text, true)
    expect(reader.get('list')).toEqual([1, 2])
    const other = open()
    other.putText('list', text, false)
    expect(other.reader.has('list')).toBe(false)
  })

  it('reads any other text without remembering it', () => {
    const { reader, put } = open()
    put('list', [1])
    const first = reader.get('list')
    const definition = bins.find('list')
    expect(reader.read(definition, { text: encode([2]), version: 1, trusted: true })).toEqual([2])
    expect(reader.read(definition, undefined)).toEqual([])
    expect(reader.get('list')).toBe(first)
  })

  it('does not read what was made for a bin just now, and freezes it', () => {
    const { reader, put, reads } = open()
    put('list', [1])
    const first = reader.get('list')
    const own = encodeCopy([2])
    reader.expect(bins.find('list'), own)
    // It may have been refused.
    expect(reader.get('list')).toBe(first)
    put('list', [2])
    expect([reader.get('list'), Object.isFrozen(own.data)]).toEqual([[2], true])
    expect(reader.get('list')).toBe(own.data)
    expect(reads).toEqual([encode([1])])
  })

  it('does not read anew for an update what it has just read', () => {
    const { reader, put, reads } = open()
    put('list', [1])
    const first = reader.get('list')
    expect(reader.read(bins.find('list'), { text: encode([1]), version: 1, trusted: true })).toBe(first)
    expect(reads).toEqual([encode([1])])
  })

  it('gives the same object, though the same data are made once more', () => {
    const { reader, put } = open()
    put('list', [1])
    const first = reader.get('list')
    reader.expect(bins.find('list'), encodeCopy([1]))
    put('list', [1])
    expect(reader.get('list')).toBe(first)
  })

  it('reads what was made for another version', () => {
    const { reader, put, reads } = open()
    reader.expect(bins.find('newer'), encodeCopy('mine'))
    put('newer', 'mine', { version: 1 })
    expect(reader.get('newer')).toBe('mine')
    expect(reads).toHaveLength(1)
  })

  it('refuses a name that nobody defined', () => {
    const { reader } = open()
    for (const run of [
      () => reader.get('other'),
      () => reader.has('other'),
      () => reader.subscribe('other', () => {}),
    ]) {
      expect(run).toThrow(expect.objectContaining({ code: 'UNKNOWN_BIN' }))
    }
  })

  it('goes on if the listener of events fails', () => {
    const reader = openReader(bins, () => ({ text: 'rubbish', version: 1, trusted: false }), {
      onEvent() {
        throw new Error('broken')
      },
    })
    expect(reader.get('list')).toEqual([])
  })
})

describe('a subscription', () => {
  it('is called at once, and when the text is another', () => {
    const { reader, put, remove } = open()
    const heard: unknown[] = []
    const stop = reader.subscribe('list', (data) => heard.push(data))
    put('list', [1])
    reader.changed('list')
    reader.changed('list')
    put('any', 'other')
    reader.changed('any')
    remove('list')
    reader.changed()
    stop()
    put('list', [2])
    reader.changed()
    expect(heard).toEqual([[], [1], []])
  })

  it('is not called while the text stays what it cannot be read from', () => {
    const { reader, putText, put } = open()
    const heard: unknown[] = []
    reader.subscribe('list', (data) => heard.push(data))
    putText('list', 'rubbish')
    reader.changed()
    putText('list', 'more rubbish')
    reader.changed()
    put('list', [1])
    reader.changed()
    expect(heard).toEqual([[], [1]])
  })

  it('looks nothing up that nobody listens to', () => {
    const opened = open()
    opened.reader.changed()
    opened.reader.changed('list')
    expect(opened.lookups).toBe(0)
  })
})

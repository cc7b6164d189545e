import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { BinsError } from '../core/error.ts'
import { hashKey } from './file/shards.ts'
import type { Slot, SlotEntry } from './file/slot.ts'
import { openSlots, type Slots } from './file/slots.ts'
import { checkWrite } from './shared/check-write.ts'
import { LOOKS_PER_DELETION } from './shared/sweep-looks.ts'
import type { Store, Stored } from './store.ts'

/**
 * How long a record that has expired or was deleted stays on disk, in ms. Until then a writer that has slept since it
 * read the record finds that it is late; a step takes milliseconds, so an hour is a wide margin.
 */
const LINGER_MS = 3_600_000

/** How many steps of others a change follows before it gives up; each of them was a whole write faster. */
const MAX_TRIES = 100

/** How many records are read in one go: 64 take some 2 ms, in which this process answers nobody. */
const BATCH = 64

/**
 * Keeps records as files, for any number of processes on one machine. What was written survives `kill -9` and a power
 * failure; there are no lock files and nothing to clean up by hand. `sweep` removes what expired an hour ago or
 * earlier.
 *
 * @param directory Created for this user alone (0700; files 0600), on a local file system with hard links: not FAT,
 * not NFS. Nothing else may be kept in it.
 * @throws TypeError if everybody may write to the directory.
 */
export function fileStore(directory: string): Store {
  const slots = openSlots(directory)
  // Anywhere: processes that do not live long would sweep nothing but the beginning.
  let sweptTo = hashKey(randomUUID())
  let isOpen = true

  function assertOpen(): void {
    if (!isOpen) throw new BinsError('CLOSED', 'The file store was closed.')
  }

  /** Makes a step from a state that allows it. Losing a step means to look again: the new state may forbid it. */
  async function change(entry: SlotEntry, isAllowed: (slot: Slot | undefined) => boolean): Promise<boolean> {
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      const slot = slots.latest(entry.key)
      if (!isAllowed(slot)) return false
      if (await slots.step(slot, entry)) return true
    }
    throw new BinsError('STORE_TIMEOUT', 'Others kept changing the record; nothing was written. Try again.')
  }

  return {
    durable: true,

    async read(key, { now }) {
      assertOpen()
      const slot = slots.latest(key)
      return slot && isLive(slot, now) ? toStored(slot) : undefined
    },

    async write(key, next, expected, now) {
      assertOpen()
      checkWrite(key, next, expected, now)
      return change(
        { ...toStored(next), key },
        (slot) => (slot && isLive(slot, now) ? slot.version : 0) === expected,
      )
    },

    async delete(key, expected) {
      assertOpen()
      return change(
        { key, version: 0, text: '', expires: Date.now() },
        (slot) => slot !== undefined && !isDeleted(slot) && slot.version === (expected ?? slot.version),
      )
    },

    async sweep(now, limit) {
      assertOpen()
      await slots.tidy(LINGER_MS)
      let [swept, looks] = [0, 0]
      let damage: { readonly cause: unknown } | undefined
      for await (const place of roundFrom(slots, sweptTo)) {
        if (swept >= limit || looks >= limit * LOOKS_PER_DELETION) break
        looks += 1
        sweptTo = place
        try {
          const slot = slots.at(place)
          if (!slot || slot.expires + LINGER_MS > now) continue
          if ((await slots.remove(slot)) && !isDeleted(slot)) swept += 1
        } catch (cause) {
          // The others are to go all the same.
          damage ??= { cause }
        }
      }
      if (damage) throw damage.cause
      return swept
    },

    async versions(keys, now) {
      assertOpen()
      const versions = new Map<string, number>()
      for (const [index, key] of keys.entries()) {
        if (index % BATCH === BATCH - 1) await setImmediate()
        const slot = slots.latest(key)
        if (slot && isLive(slot, now)) versions.set(key, slot.version)
      }
      return versions
    },

    async scan(cursor, limit) {
      assertOpen()
      const entries: Array<[string, Stored]> = []
      let last = cursor ?? ''
      for await (const place of slots.places(last)) {
        const slot = slots.at(place)
        if (!slot || isDeleted(slot)) continue
        if (entries.length >= limit) return { entries, cursor: last }
        entries.push([slot.key, toStored(slot)])
        last = place
      }
      return { entries }
    },

    async close() {
      isOpen = false
    },
  }
}

/** All places, once, from the one after a place on. */
async function* roundFrom(slots: Slots, start: string): AsyncGenerator<string> {
  yield* slots.places(start)
  for await (const place of slots.places('')) {
    if (place > start) return
    yield place
  }
}

function isDeleted(slot: Slot): boolean {
  return slot.version === 0
}

function isLive(slot: Slot, now: number): boolean {
  return !isDeleted(slot) && slot.expires > now
}

function toStored({ version, text, expires }: Stored): Stored {
  return { version, text, expires }
}

import { randomBytes } from 'node:crypto'
import { unlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { BinsError } from '../../core/error.ts'
import { ignoreMissing, openPrivate, removeOlder } from './files.ts'
import { hashKey, openShards } from './shards.ts'
import { followSlot, formatSlot, isSameSlot, nonceOf, type Slot, type SlotEntry } from './slot.ts'

/**
 * Compare-and-set on files, without locks, so that a process can be killed anywhere and leaves nothing to steal.
 *
 * A key's state is its slot of the highest generation. A step writes the next state to a temporary file, flushes it,
 * and `link(2)`s it to the next generation's name: the kernel lets one writer do that, the others get EEXIST. Then the
 * winner unlinks the lower slots, **lowest first**.
 *
 * The trap is a writer that looks at generation g, sleeps, and links g + 1 after others have linked g + 1 and g + 2 and
 * unlinked g + 1 again. So a writer looks once more after it has linked:
 *
 * 1. Slot g is still there, and not another late writer's of that name: won. A g + 1 before this one would have been
 *    unlinked after g.
 * 2. Slot g has gone, and the highest slot is not this one: others have gone on from here, or it was late. Each slot
 *    carries the nonces of the generations before it, so the highest tells whose g + 1 it came from. Won, lost, or too
 *    long ago to tell, and then the writer says that.
 * 3. Slot g has gone, and the highest slot is this one: lost. Only the removal of a key that is long dead does that.
 *
 * Who has won moves the temporary file to the key's name without a generation: a hint that readers prove (`shards.ts`).
 *
 * After a removal, generations start again at 1. To be confused by that, a writer would have to sleep between two
 * system calls for as long as the removal waits, and rule 3 finds even that one.
 */
export interface Slots {
  /** The present slot of a key, a deletion included. */
  latest(key: string): Slot | undefined
  /**
   * Makes the next step of a key, durably.
   *
   * @param previous What {@link Slots.latest} answered: the step is made from there or not at all.
   * @returns `false` if somebody else has made it.
   * @throws {@link BinsError} `STORE_TIMEOUT` if that cannot be told any more.
   */
  step(previous: Slot | undefined, entry: SlotEntry): Promise<boolean>
  /**
   * Forgets a key up to this slot. Only for one that was deleted or has expired so long ago that nobody can still be
   * about to make a step from when it was alive.
   *
   * @returns `false` if somebody else was faster.
   */
  remove(slot: Slot): Promise<boolean>
  /** Places of slots in their order, from the one after `place` on; `''` = from the first. Some have none. */
  places(place: string): AsyncGenerator<string>
  /** The present slot in a place. */
  at(place: string): Slot | undefined
  /** Removes what killed writers have left behind more than `ageMs` ago. What is younger may be being written. */
  tidy(ageMs: number): Promise<void>
}

/** Opens the slots in a directory, which is created if need be, for this user alone. */
export function openSlots(path: string): Slots {
  // The process may go elsewhere.
  const directory = resolve(path)
  const shards = openShards(directory)
  // Beside the shards and not elsewhere: a link must stay in one file system.
  const temporary = join(directory, 'temp')
  openPrivate(directory)
  openPrivate(temporary)

  /** Links a file as the slot after `previous`. Synchronous, to keep short what happens between the lines. */
  function claim(file: string, name: string, previous: Slot | undefined, nonce: string): boolean {
    if (!isSameSlot(shards.latest(name), previous)) return false
    const generation = (previous?.generation ?? 0) + 1
    if (!shards.link(file, name, generation)) return false
    if (previous && isSameSlot(shards.read(name, previous.generation), previous)) return true
    const highest = shards.latest(name)
    const winner = highest && nonceOf(highest, generation)
    if (winner === nonce && (!previous || highest?.generation !== generation)) return true
    shards.unlink(name, generation)
    if (winner !== undefined) return false
    throw new BinsError(
      'STORE_TIMEOUT',
      'Others wrote the record so often meanwhile that it is unknown whether this write took place; read it again.',
    )
  }

  return {
    latest: (key) => shards.latest(hashKey(key)),

    async step(previous, entry) {
      const name = hashKey(entry.key)
      const nonce = randomBytes(6).toString('base64url')
      const next = followSlot(previous, entry, nonce)
      const file = join(temporary, `${name}.${nonce}`)
      if (!previous) await shards.prepare(name)
      try {
        await writeFile(file, formatSlot(next), { flag: 'wx', mode: 0o600, flush: true })
        if (!claim(file, name, previous, nonce)) return false
        await shards.expose(file, name)
      } finally {
        await unlink(file).catch(ignoreMissing)
      }
      await shards.unlinkBelow(name, next.generation)
      await shards.sync(name)
      return true
    },

    async remove(slot) {
      const name = hashKey(slot.key)
      let isRemoved = false
      // First, since nobody would come back for it. A writer who is slower than this can give it back at any time.
      await shards.hide(name)
      for (const generation of shards.generations(name)) {
        // This slot comes last, and whoever unlinks it has removed the key. What is higher is a new life.
        if (generation <= slot.generation) isRemoved = await shards.unlinkLater(name, generation)
      }
      return isRemoved
    },

    places: shards.walk,
    at: shards.latest,

    tidy: (ageMs) => removeOlder(temporary, Date.now() - ageMs),
  }
}

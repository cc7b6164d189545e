import type { Stored } from '../store.ts'

/**
 * One step in the life of a key; a slot file holds one. `version` 0 means that this step was a deletion, and
 * `expires` is when it took place.
 */
export interface Slot extends Stored {
  /** Whose slot this is. */
  readonly key: string
  /** How many steps the key has made: 1 for the first. */
  readonly generation: number
  /** The last nonces, one for each of the last {@link KEPT_NONCES} generations, this one's at the end. */
  readonly nonces: string
}

/** What a step makes of a key. */
export type SlotEntry = Pick<Slot, 'key' | keyof Stored>

/** Characters of a nonce: 48 random bits, base64url. */
const NONCE_LENGTH = 8

/** How many steps of others a slow writer can be behind and still learn what became of its own. */
const KEPT_NONCES = 64

/** Makes the slot that follows. */
export function followSlot(previous: Slot | undefined, entry: SlotEntry, nonce: string): Slot {
  return {
    ...entry,
    generation: (previous?.generation ?? 0) + 1,
    nonces: ((previous?.nonces ?? '') + nonce).slice(-NONCE_LENGTH * KEPT_NONCES),
  }
}

/** The nonce of the writer who made a generation; `undefined` if that is later than the slot, or too long ago. */
export function nonceOf(slot: Slot, generation: number): string | undefined {
  const end = slot.nonces.length - NONCE_LENGTH * (slot.generation - generation)
  return end > 0 && end <= slot.nonces.length ? slot.nonces.slice(end - NONCE_LENGTH, end) : undefined
}

/** Whether two slots are the same step of the same life. */
export function isSameSlot(one: Slot | undefined, other: Slot | undefined): boolean {
  return one?.generation === other?.generation && one?.nonces === other?.nonces
}

/** Formats a slot file: a line of JSON, then the text as it is. JSON has no `Infinity`: it becomes `null`. */
export function formatSlot({ key, version, expires, generation, nonces, text }: Slot): string {
  return `${JSON.stringify({ key, version, expires, generation, nonces })}\n${text}`
}

/**
 * Parses a slot file.
 *
 * @throws SyntaxError if it is none: whoever wrote it, it was not {@link formatSlot}.
 */
export function parseSlot(content: string): Slot {
  const end = content.indexOf('\n')
  const header = toHeader(JSON.parse(content.slice(0, Math.max(end, 0))))
  const { key, version, expires, generation, nonces } = header
  return { key, version, expires: expires ?? Infinity, generation, nonces, text: content.slice(end + 1) }
}

interface Header {
  readonly key: string
  readonly version: number
  readonly expires: number | null
  readonly generation: number
  readonly nonces: string
}

function toHeader(json: unknown): Header {
  // Every property is looked at before the whole is believed.
  const header = json as Header | null
  const isHeader =
    typeof header?.key === 'string' &&
    typeof header.version === 'number' &&
    (typeof header.expires === 'number' || header.expires === null) &&
    typeof header.generation === 'number' &&
    typeof header.nonces === 'string'
  if (!isHeader) throw new SyntaxError('no slot header')
  return header
}

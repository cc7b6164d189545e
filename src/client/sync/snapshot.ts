import { type AnswerPart, isLater, PROTOCOL } from '../../core/sync/wire.ts'
import { isRecord } from './endpoint.ts'
import type { Side } from './owner-sync.ts'

/** Takes in what the server has put into the page. Tells whether that is all there is to know. */
export async function takeSnapshot(text: string | undefined, sides: readonly Side[]): Promise<boolean> {
  const parts = parseSnapshot(text)
  const fresh = new Set<AnswerPart>()
  for (const { replica } of sides) {
    for (const part of parts) {
      const { tag, cursors } = replica
      // The page may be an old one, from a cache, or somebody else's.
      if (part.tag !== tag) continue
      const isKnown = part.cursor === cursors[part.store]
      if (!isKnown && !isLater(part.cursor, cursors[part.store])) continue
      fresh.add(part)
      if (!isKnown) await replica.absorb(part, { tag, client: '', ops: new Map(), cursors })
    }
  }
  const known = sides.filter(({ replica }) => replica.tag !== '')
  return fresh.size === known.reduce((count, { stores }) => count + stores.length, 0)
}

function parseSnapshot(text = '{}'): AnswerPart[] {
  const snapshot: unknown = JSON.parse(text)
  // Our server has made it.
  return isRecord(snapshot) && snapshot.v === PROTOCOL ? (snapshot.parts as AnswerPart[]) : []
}

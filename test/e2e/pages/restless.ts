/** A page that edits and reloads itself at random. Its address says `tab`, `seed` and how many `edits` it makes. */
import { openBins } from '../../../src/client/open-bins.ts'
import type { Tab } from './tab.ts'
import { tabBins } from './tab-bins.ts'

/** What a page remembers over its reloads. */
export interface Tally {
  /** How many edits it has made. */
  made: number
  /** How often it was loaded. */
  loads: number
  /** What it has added, by bin. */
  added: { count: number; clicks: number; steps: number }
  /** What it has set last in the bin of its own. */
  mine: string
}

declare const window: Window & { tab?: Promise<Pick<Tab, 'state'>> }

const address = new URLSearchParams(location.search)
const own = address.get('tab') === '1' ? 'first' : 'second'
const edits = Number(address.get('edits'))

const kept = sessionStorage.getItem('tally')
const tally: Tally = kept
  ? JSON.parse(kept)
  : { made: 0, loads: 0, added: { count: 0, clicks: 0, steps: 0 }, mine: '' }
tally.loads += 1
keep()

const random = randomFrom(Number(address.get('seed')) * 1_000_003 + tally.loads)

window.tab = openTab()
window.tab.catch((error) => fetch(`/say?error=${encodeURIComponent(String(error))}`))

async function openTab(): Promise<Pick<Tab, 'state'>> {
  const state = await openBins(tabBins)
  if ((await editAll(state)) === 'done') {
    Object.assign(window, { isAtRest: true })
    await fetch(`/say?done-${own}`)
  }
  return { state }
}

async function editAll(state: Tab['state']): Promise<'done' | 'reloading'> {
  /** What a reload would end: only edits of server bins outlive a page that does not wait. */
  let unstored: Array<Promise<unknown>> = []
  while (tally.made < edits) {
    tally.made += 1
    const done = editOne(state, Math.floor(random() * 8))
    unstored.push(done)
    if (random() < 0.3) await done
    if (random() < 0.1) await state.sync().catch(() => {})
    if (random() < 0.04) {
      await Promise.all(unstored)
      unstored = []
      // These are not waited for.
      while (random() < 0.5 && tally.made < edits) {
        tally.made += 1
        void editOne(state, Math.floor(random() * 4))
      }
      location.reload()
      return 'reloading'
    }
  }
  await Promise.all(unstored)
  return 'done'
}

/** Makes an edit; the first four kinds are of server bins. Resolves when it is stored. */
function editOne(state: Tab['state'], kind: number): Promise<unknown> {
  const text = `${own} ${tally.made}`
  if (kind === 0) return set('note', text)
  if (kind === 1) {
    tally.mine = text
    return set(own, text)
  }
  if (kind <= 3) return add('count')
  if (kind === 4) return set('theme', text)
  if (kind === 5) return set('draft', text)
  return add(kind === 6 ? 'clicks' : 'steps')

  function set(bin: 'note' | 'first' | 'second' | 'theme' | 'draft', data: string): Promise<void> {
    keep()
    state.set(bin, data)
    return state.save()
  }

  function add(bin: 'count' | 'clicks' | 'steps'): Promise<unknown> {
    tally.added[bin] += 1
    keep()
    return state.update(bin, (count) => count + 1)
  }
}

function keep(): void {
  sessionStorage.setItem('tally', JSON.stringify(tally))
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A page that edits and goes away at once, to itself, as often as its address says in `rounds`. */
import { openBins } from '../../../src/client/open-bins.ts'
import type { Tab } from './tab.ts'
import { tabBins } from './tab-bins.ts'

declare const window: Window & { tab?: Promise<Pick<Tab, 'state'>> }

const rounds = Number(new URLSearchParams(location.search).get('rounds'))
const round = Number(sessionStorage.getItem('round') ?? 0)

window.tab = openTab()
window.tab.catch((error) => fetch(`/say?error=${encodeURIComponent(String(error))}`))

async function openTab(): Promise<Pick<Tab, 'state'>> {
  const state = await openBins(tabBins)
  if (round === rounds) {
    Object.assign(window, { isAtRest: true })
    await fetch('/say?arrived')
    return { state }
  }
  sessionStorage.setItem('round', String(round + 1))
  const edit = () => {
    state.set('note', `round ${round + 1}`)
    void state.update('count', (count) => count + 1)
  }
  if (round % 4 === 0) edit()
  if (round % 4 === 1) window.addEventListener('pagehide', edit)
  if (round % 4 === 2) document.addEventListener('visibilitychange', edit)
  if (round % 4 === 3) {
    edit()
    // What the page has sent already is not to be counted twice.
    await state.save()
    void state.sync().catch(() => {})
  }
  if (round % 3 === 0) location.reload()
  else location.assign(`${location.pathname}${location.search}&from=${round}`)
  return { state }
}

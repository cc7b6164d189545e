/** A shop whose cart can be taken to another device, for `link.test.ts`. */

import { type TakenLink, takeLink } from '../../../src/client/link.ts'
import { openBins } from '../../../src/client/open-bins.ts'
import { linkBins } from './link-bins.ts'

let link: TakenLink | undefined
/** Where nothing is loaded, since this page is open already, there is another fragment all the same. */
window.addEventListener('hashchange', ask)
ask()
const state = await openBins(linkBins)
state.subscribe('cart', (items) => {
  find('cart').textContent = items.join(' ')
})
find('add').addEventListener('click', () => {
  void state.update('cart', (items) => [...items, find('add').title])
})
find('share').addEventListener('click', async () => {
  find('url').textContent = await (await fetch('/share', { method: 'POST' })).text()
})
find('yes').addEventListener('click', () => accept(false))
find('both').addEventListener('click', () => accept(true))
document.documentElement.dataset.open = 'yes'

function ask(): void {
  link = takeLink(linkBins) ?? link
  find('question').hidden = link === undefined
}

async function accept(merge: boolean): Promise<void> {
  find('question').title = (await link?.accept(state, { merge })) ?? ''
}

function find(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element) return element
  throw new Error(`the page has no #${id}`)
}

import { openBins } from 'breadbin/client'
import { bins } from '../bins.mjs'
import { breads, formatPrice, regions, totalOf, withMore } from '../shop.mjs'
import { showFacts } from './facts.mjs'
import { findCookie } from './kept.mjs'
import { showStatus } from './status.mjs'

const find = (selector) => document.querySelector(selector)
const note = find('#note')
const offline = find('#offline')
const forge = find('#forge')

/** The switch only keeps this page from asking; with the server stopped, the same happens for real. */
async function send(...request) {
  if (offline.checked) throw new TypeError('This page is switched offline.')
  return fetch(...request)
}

const state = await openBins(bins, { fetch: send })
const { ask } = showFacts(state, send)
showStatus(state)

// What a bin holds goes to where the page shows it, now and after each change.
state.subscribe('theme', (theme) => {
  document.documentElement.dataset.theme = theme
  showChoice('theme', theme)
})
state.subscribe('region', (region) => {
  const greeting = find('#greeting')
  greeting.textContent = regions[region].greeting
  greeting.lang = region
  showChoice('region', region)
  showPrices()
})
state.subscribe('cart', (cart) => {
  for (const bread of Object.keys(breads)) find(`[data-pieces="${bread}"]`).textContent = cart[bread] ?? 0
  showPrices()
})
state.subscribe('draft', (draft) => {
  if (note.value !== draft) note.value = draft
})
state.subscribe('plan', () => {
  forge.disabled = !findCookie('plan')
})

// What a person does goes into a bin.
onSubmit('/theme', ({ value }) => state.set('theme', value))
onSubmit('/region', ({ value }) => state.set('region', value))
onSubmit('/cart/add', ({ value, formAction }) => {
  const pieces = formAction.endsWith('/add') ? 1 : -1
  return state.update('cart', (cart) => withMore(cart, value, pieces))
})
note.addEventListener('input', () => state.set('draft', note.value))

// A plan is the server's to give: it answers with a cookie that it has signed.
onSubmit('/plan', async () => {
  await send('/plan', { method: 'POST', body: new FormData(), redirect: 'manual' }).catch(() => {})
  await state.refresh()
  await ask()
})
forge.addEventListener('click', async () => {
  const { raw } = findCookie('plan')
  // biome-ignore lint/suspicious/noDocumentCookie: This is what a forger would do.
  document.cookie = `${raw.replace(/free|plus/, 'gold')}; path=/; max-age=86400; samesite=lax`
  await state.refresh()
  await ask()
})

// Edits wait here while the server is away. A failed sync tells in the status, and tries again by itself.
const sync = () => state.sync().catch(() => {})
offline.addEventListener('change', sync)
find('#sync').addEventListener('click', sync)
find('#forget').addEventListener('click', async () => {
  await state.clear()
  await ask()
})
for (const control of [note, offline, find('#sync'), find('#forget')]) control.disabled = false

/** Does in the page what the form would have the server do. */
function onSubmit(action, work) {
  find(`form[action="${action}"]`).addEventListener('submit', (event) => {
    event.preventDefault()
    work(event.submitter)
  })
}

function showChoice(name, chosen) {
  for (const button of document.getElementsByName(name)) button.ariaPressed = String(button.value === chosen)
}

function showPrices() {
  const region = state.get('region')
  for (const [bread, { price }] of Object.entries(breads)) {
    find(`[data-price="${bread}"]`).textContent = formatPrice(region, price)
  }
  find('#total').textContent = formatPrice(region, totalOf(state.get('cart')))
}

import { bins } from '../bins.mjs'
import { findKept, sizeOf } from './kept.mjs'

/** Shows of every bin what the page has, what the server reads, and how it is kept here. */
export function showFacts(state, send) {
  let showing = Promise.resolve()
  let lastSyncedAt
  let asked = 0

  function show(name) {
    factOf(name, 'page').textContent = JSON.stringify(state.get(name))
    compare(name)
    // One after the other, so that the last one shown is the last one kept.
    showing = showing.then(() => showKept(name)).catch(() => {})
  }

  async function showKept(name) {
    await state.save().catch(() => {})
    const kept = await findKept(name)
    const raw = factOf(name, 'raw')
    raw.hidden = !kept
    raw.textContent = kept?.raw ?? ''
    factOf(name, 'kept').textContent = kept ? `${kept.place} · ${kept.bytes} bytes` : 'nothing yet'
  }

  /** Asks the server what it reads. The cookies of this page go along by themselves. */
  async function ask() {
    asked += 1
    const turn = asked
    const answer = await send('/server-reads').then(
      (response) => (response.ok ? response.json() : undefined),
      () => undefined,
    )
    // A later question has the fresher answer.
    if (turn !== asked) return
    for (const name of bins.names) {
      if (bins.find(name).storage === 'device') continue
      factOf(name, 'server').textContent = answer ? JSON.stringify(answer.read[name]) : 'no answer'
      compare(name)
    }
    if (answer) showHidden(answer)
    showVerdict(state, answer)
  }

  for (const name of bins.names) {
    const { storage, browser } = bins.find(name)
    if (browser === 'none') {
      factOf(name, 'page').textContent = 'nothing: not for browsers'
      continue
    }
    state.subscribe(name, () => {
      show(name)
      if (storage === 'cookie') ask()
    })
  }
  state.watch((status) => {
    show('cart')
    showEdit(state, status)
    if (status.lastSyncedAt === lastSyncedAt) return
    lastSyncedAt = status.lastSyncedAt
    ask()
  })
  showEdit(state, state.status())
  return { ask }
}

/** Shows how those bins are kept that only the server has, as far as it tells. */
function showHidden({ read, kept }) {
  for (const name of bins.names.filter((bin) => bins.find(bin).browser === 'none')) {
    // What the record holds for data that is plain JSON.
    const bytes = sizeOf(JSON.stringify({ json: read[name] }))
    factOf(name, 'kept').textContent = kept.includes(name)
      ? `the server’s store · ${bytes} bytes`
      : 'nothing yet'
  }
}

/** Shows what has become of the last edit of the cart. */
function showEdit(state, { lastSyncedAt }) {
  const refused = state.rejected('cart')
  let edit = lastSyncedAt ? 'the server has it' : 'none yet'
  if (refused) edit = `refused: ${refused.issues.map(({ message }) => message).join(', ')}`
  if (state.pending('cart')) edit = 'kept here, waits for the server'
  factOf('cart', 'edit').textContent = edit
}

function factOf(name, fact) {
  return document.querySelector(`#${name} [data-fact="${fact}"]`)
}

/** Marks a bin of which the server does not read what the page has. */
function compare(name) {
  const { storage, browser } = bins.find(name)
  if (storage === 'device' || browser === 'none') return
  const server = factOf(name, 'server')
  server.toggleAttribute('data-differs', server.textContent !== factOf(name, 'page').textContent)
}

function showVerdict(state, answer) {
  const forgery = answer?.events.find(({ bin, reason }) => bin === 'plan' && reason === 'tampered')
  document.querySelector('#verdict').textContent = forgery
    ? `The page believes “${state.get('plan')}”. The server reads “${answer.read.plan}”, and its log says ${JSON.stringify(forgery)}`
    : ''
}

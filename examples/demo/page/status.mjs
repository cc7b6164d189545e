const time = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

/** Shows where the sync stands, now and after each change. */
export function showStatus(state) {
  show(state.status())
  state.watch(show)
}

function show(status) {
  const { phase, pending, lastSyncedAt, storage, problem } = status
  const facts = {
    phase,
    pending,
    'last sync': lastSyncedAt === undefined ? 'never' : time.format(lastSyncedAt),
    storage: storage.kind,
    problem: problem ?? 'none',
  }
  for (const [fact, text] of Object.entries(facts)) {
    document.querySelector(`[data-status="${fact}"]`).textContent = text
  }
  document.querySelector('#status').dataset.state = problem ? 'problem' : phase
  // A sync that is under way is no news for a screen reader.
  const summary = document.querySelector('#summary')
  const text = phase === 'syncing' ? summary.textContent : summarize(status)
  if (summary.textContent !== text) summary.textContent = text
}

function summarize({ pending, lastSyncedAt, problem }) {
  if (problem && pending > 0) return 'The server does not answer. Your edits are safe here, and wait.'
  if (problem) return 'The server does not answer. Carry on: edits will wait here.'
  if (pending > 0) return 'Sending your edits…'
  if (lastSyncedAt) return 'In sync with the server.'
  return 'Nothing to sync: the server knows you from the first loaf on.'
}

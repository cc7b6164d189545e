import { createHash } from 'node:crypto'
import { importMap } from '../files.mjs'
import { html, trusted } from '../markup.mjs'
import { breads, formatPrice, regions, totalOf } from './shop.mjs'

// Everything comes from files of this server; the import map, which must be inline, is named by its hash.
const hash = createHash('sha256').update(importMap).digest('base64')
const POLICY = [
  "default-src 'none'",
  `script-src 'self' 'sha256-${hash}'`,
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
}

const FILES = '/examples/demo/page'

/** The page with the visitor's bins in it: nothing has to wait for a script, or flash. */
export function renderPage(state) {
  const theme = state.get('theme')
  const region = state.get('region')
  const { greeting } = regions[region]
  return html`<!doctype html>
<html lang="en" data-theme="${theme}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Breadbin demo</title>
  <link rel="icon" href="${FILES}/icon.svg">
  <link rel="stylesheet" href="${FILES}/style.css">
  <script type="importmap">${trusted(importMap)}</script>
  <script type="module" src="${FILES}/main.mjs"></script>
</head>
<body>
  <header class="top">
    <p class="brand"><img src="${FILES}/icon.svg" width="28" height="28" alt=""> Breadbin</p>
    <h1 id="greeting" lang="${region}">${greeting}</h1>
    <p class="lede">This bakery keeps six things about you, each in a <em>bin</em> of its own. The page and the server
      read them with the same call: <code>get('theme')</code>. Only where a bin is kept differs.</p>
    <ol class="tries">
      <li>Change something and <strong>reload</strong>, or watch it in a <strong>second window</strong>.</li>
      <li><strong>Stop the server</strong> (Ctrl+C), fill the cart, start it again.</li>
      <li>Upgrade your plan, then <strong>forge</strong> it.</li>
    </ol>
    <noscript><p class="notice">JavaScript is off: the forms still work, and the server does all of it.</p></noscript>
  </header>
  <main>
    ${themeCard(state, theme)}
    ${regionCard(state, region)}
    ${cartCard(state, region)}
    ${draftCard()}
    ${planCard(state)}
    ${seenCard(state)}
  </main>
  ${statusBar()}
</body>
</html>
`.text
}

function themeCard(state, theme) {
  const labels = { auto: 'Auto', light: 'Light', dark: 'Dark' }
  return card(state, 'theme', {
    storage: 'cookie',
    access: 'browser and server write',
    what: 'The cookie comes with the request, so the server’s first byte already has the right colours. Nothing flashes.',
    control: html`<form method="post" action="/theme" class="choice">${choices('theme', labels, theme)}</form>`,
  })
}

function regionCard(state, region) {
  const labels = Object.fromEntries(Object.entries(regions).map(([name, { label }]) => [name, label]))
  return card(state, 'region', {
    storage: 'cookie',
    access: 'browser and server write',
    what: 'The greeting above and the prices in the cart are in the server’s HTML, in your language and currency.',
    control: html`<form method="post" action="/region" class="choice">${choices('region', labels, region)}</form>`,
  })
}

function choices(name, labels, chosen) {
  return Object.entries(labels).map(
    ([value, label]) =>
      html`<button name="${name}" value="${value}" aria-pressed="${value === chosen}">${label}</button>`,
  )
}

function cartCard(state, region) {
  const cart = state.get('cart')
  const rows = Object.entries(breads).map(
    ([bread, { label, price }]) => html`<li>
        <span class="bread">${label}</span>
        <span class="price" data-price="${bread}">${formatPrice(region, price)}</span>
        <button formaction="/cart/remove" name="bread" value="${bread}" aria-label="One ${label} less">−</button>
        <output data-pieces="${bread}">${cart[bread] ?? 0}</output>
        <button formaction="/cart/add" name="bread" value="${bread}" aria-label="One ${label} more">+</button>
      </li>`,
  )
  return card(state, 'cart', {
    storage: 'server',
    access: 'browser and server write',
    what: 'Yours at once, on the server soon after. It fills while the server is away, and catches up when it is back.',
    control: html`<form method="post" action="/cart/add">
      <ul class="breads">${rows}</ul>
      <p class="total">Total <output id="total">${formatPrice(region, totalOf(cart))}</output></p>
    </form>`,
  })
}

function draftCard() {
  return card(undefined, 'draft', {
    storage: 'device',
    access: 'browser writes',
    what: 'A note to the baker that you have not sent yet. It is kept on this device, and never leaves it.',
    control: html`<label for="note">Your note</label>
      <textarea id="note" rows="4" maxlength="2000" disabled placeholder="Well baked, please…"></textarea>`,
  })
}

function planCard(state) {
  return card(state, 'plan', {
    storage: 'cookie',
    access: 'signed: browser reads, server writes',
    what: 'The page can read this cookie, and so can you. Rewrite it, and the server sees that it did not sign that.',
    control: html`<form method="post" action="/plan" class="actions">
        <button class="main">Upgrade to plus</button>
        <button type="button" id="forge" disabled>Forge it to gold</button>
      </form>
      <p id="verdict" class="verdict" role="status"></p>`,
  })
}

function seenCard(state) {
  return card(state, 'seen', {
    storage: 'server',
    access: 'only the server reads',
    what: 'Your page views since the first loaf. No browser gets this bin: you see it because the server writes it into the page.',
    control: html`<p class="number">${state.get('seen')}</p>`,
  })
}

/** A bin: what it is, something to change it with, and where it is at this moment. */
function card(state, name, { storage, access, what, control }) {
  const read = state ? JSON.stringify(state.get(name)) : 'nothing: it is never sent'
  return html`<section class="bin" id="${name}" data-storage="${storage}" aria-labelledby="${name}-title">
    <header class="bin-head">
      <h2 id="${name}-title">${name}</h2>
      <p class="storage"><b>${storage}</b> ${access}</p>
    </header>
    <p class="what">${what}</p>
    <div class="control">${control}</div>
    <dl>
      <dt>page</dt><dd data-fact="page">–</dd>
      <dt>server</dt><dd data-fact="server">${read}</dd>
      <dt>kept</dt><dd data-fact="kept">–</dd>
      ${name === 'cart' ? html`<dt>edit</dt><dd data-fact="edit">–</dd>` : ''}
    </dl>
    <pre data-fact="raw" tabindex="0" role="group" aria-label="How ${name} is kept" hidden></pre>
  </section>`
}

function statusBar() {
  const facts = ['phase', 'pending', 'last sync', 'storage', 'problem']
  return html`<footer class="status" id="status" aria-label="Sync"><div class="status-row">
    <div>
      <p role="status" id="summary">Loading…</p>
      <dl>${facts.map((fact) => html`<div><dt>${fact}</dt><dd data-status="${fact}">–</dd></div>`)}</dl>
    </div>
    <div class="actions">
      <label class="switch"><input type="checkbox" role="switch" id="offline" disabled> Offline</label>
      <button type="button" id="sync" disabled>Sync now</button>
      <button type="button" id="forget" disabled>Forget me</button>
    </div>
  </div></footer>`
}

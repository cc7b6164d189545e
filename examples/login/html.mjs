import { importMap } from '../files.mjs'
import { html, trusted } from '../markup.mjs'
import { breads } from './bins.mjs'

const FILES = '/examples/login/page'

/** The page, with the bins in it: nothing has to wait for a script. */
export function renderPage(state, { user, visitors }) {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Breadbin: login</title>
  <link rel="stylesheet" href="${FILES}/style.css">
  <script type="importmap">${trusted(importMap)}</script>
  <script type="application/json" id="bins">${trusted(state.snapshot())}</script>
  <script type="module" src="${FILES}/main.mjs"></script>
</head>
<body>
  <h1>${user === null ? 'Nobody is logged in' : `Hello, ${user}`}</h1>
  <p>Fill the cart, <strong>then</strong> log in, here and in another browser or private window: both carts become one,
    and follow each other. Pages seen in this browser: <b id="views">${state.get('views')}</b></p>
  ${cartList(state.get('cart'))}
  ${user === null ? loginForm() : userPart(state, visitors)}
</body>
</html>
`.text
}

function cartList(cart) {
  const rows = breads.map(
    (bread) => html`<li>
      <form method="post" action="/add"><b data-pieces="${bread}">${cart[bread] ?? 0}</b> ${bread}
        <button name="bread" value="${bread}" aria-label="Add ${bread}">+</button></form>
    </li>`,
  )
  return html`<ul id="cart">${rows}</ul>`
}

function loginForm() {
  return html`<form method="post" action="/login" class="card">
    <label>Name <input name="user" autocomplete="username" placeholder="ann or bob" required></label>
    <label>Password <input name="password" type="password" autocomplete="current-password"
      placeholder="ann: rye, bob: pretzel" required></label>
    <button>Log in</button>
  </form>`
}

function userPart(state, visitors) {
  const rows = visitors.map(
    ({ tag, since, label }) =>
      html`<li>${label ?? 'A browser'}, since ${new Date(since).toLocaleTimeString('en-GB')}
        ${tag === state.visitor?.tag ? html`<strong>(this one)</strong>` : ''}</li>`,
  )
  return html`<section class="card">
    <h2>Your browsers</h2>
    <ul id="visitors">${rows}</ul>
    <form method="post" action="/revoke"><button>Log out all others</button></form>
    <form method="post" action="/logout"><button>Log out</button></form>
  </section>`
}

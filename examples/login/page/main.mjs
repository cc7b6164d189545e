import { openBins } from 'breadbin/client'
import { bins, breads, withMore } from '../bins.mjs'

const state = await openBins(bins, { snapshot: document.querySelector('#bins').textContent })

state.subscribe('cart', (cart) => {
  for (const bread of breads)
    document.querySelector(`[data-pieces="${bread}"]`).textContent = cart[bread] ?? 0
})

// Without this script the form does the same, by a request.
document.querySelector('#cart').addEventListener('submit', (event) => {
  event.preventDefault()
  void state.update('cart', (cart) => withMore(cart, event.submitter.value, 1))
})

import { act, createElement, StrictMode, useSyncExternalStore } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import type { ClientBins } from '../../../src/client/client-bins.ts'
import { openBins } from '../../../src/client/open-bins.ts'
import { defineBins } from '../../../src/core/definition/define-bins.ts'
import { openClock, openTimers } from '../../support/clock.ts'

const Cart = z._default(z.object({ items: z.array(z.string()) }), { items: [] })

const bins = defineBins({
  cookie: { schema: Cart, storage: 'cookie' },
  device: { schema: Cart, storage: 'device' },
  server: { schema: Cart, storage: 'server', browser: 'write' },
})

const PLACES = ['cookie', 'device', 'server'] as const

/** Nothing is sent: what a page shows does not wait for a server. */
const offline = async (): Promise<Response> => {
  throw new TypeError('there is no server')
}

let root: Root
let state: ClientBins<typeof bins>
let renders: number

beforeEach(async () => {
  // React's own switch (react.dev/reference/react/act).
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })
  document.body.innerHTML = '<main></main>'
  root = createRoot(document.querySelector('main') ?? document.body)
  state = await openBins(bins, { fetch: offline, clock: openClock(), timer: openTimers().start })
  renders = 0
})

afterEach(async () => {
  await act(() => root.unmount())
  await state.clear()
  await state.close()
})

function Items({ name }: { name: (typeof PLACES)[number] }) {
  const cart = useSyncExternalStore(
    (listener) => state.subscribe(name, listener),
    () => state.get(name),
  )
  renders += 1
  return cart.items.join(', ')
}

describe.each(PLACES)("React's useSyncExternalStore on a %s bin", (name) => {
  it('renders once as long as nothing changes', async () => {
    await act(() => root.render(createElement(Items, { name })))
    expect(document.body.textContent).toBe('')
    expect(renders).toBe(1)
    await act(() => state.save())
    expect(renders).toBe(1)
  })

  it('renders each change, and equal data not again', async () => {
    await act(() => root.render(createElement(Items, { name })))
    await act(() => state.set(name, { items: ['tea'] }))
    expect(document.body.textContent).toBe('tea')
    await act(async () => void (await state.update(name, ({ items }) => ({ items: [...items, 'milk'] }))))
    expect(document.body.textContent).toBe('tea, milk')
    const before = renders
    await act(() => state.set(name, { items: ['tea', 'milk'] }))
    expect(renders).toBe(before)
    await act(() => state.set(name, null))
    expect(document.body.textContent).toBe('')
  })

  it('does not loop in strict mode, and ends its subscription', async () => {
    await act(() => root.render(createElement(StrictMode, null, createElement(Items, { name }))))
    await act(() => state.set(name, { items: ['tea'] }))
    expect(document.body.textContent).toBe('tea')
    expect(renders).toBeLessThan(10)
    await act(() => root.render(null))
    const before = renders
    await act(() => state.set(name, { items: ['milk'] }))
    expect(renders).toBe(before)
  })
})

describe("React's useSyncExternalStore on the status", () => {
  it('renders once for each change of it, and comes to rest', async () => {
    function Pending() {
      const { pending } = useSyncExternalStore(state.watch, state.status)
      renders += 1
      return String(pending)
    }
    await act(() => root.render(createElement(Pending)))
    expect([document.body.textContent, renders]).toEqual(['0', 1])
    await act(() => state.set('server', { items: ['tea'] }))
    expect([document.body.textContent, renders]).toEqual(['1', 2])
    await act(() => state.set('server', { items: ['milk'] }))
    expect([document.body.textContent, renders]).toEqual(['1', 2])
  })
})

/**
 * Simulates people who log in and out on several devices, and link them, and writes what went wrong as lines of JSON:
 * `node users-process.ts <from> <seeds>`.
 */
// Pages load this when they need it; loading takes real time, which no seed decides.
import '../../src/client/local.ts'
import { parseCookie } from 'cookie'
import * as z from 'zod/mini'
import type { ClientBins } from '../../src/client/client.ts'
import type { Moment } from '../../src/client/page.ts'
import { openPageBins } from '../../src/client/page-bins.ts'
import { memoryRows } from '../../src/client/storages/memory.ts'
import { defineBins } from '../../src/core/definition.ts'
import { parseTags } from '../../src/core/tags.ts'
import { serveBins } from '../../src/server/server.ts'
import { userKey, userTag } from '../../src/server/user.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { openDice } from '../../src/testing/simulator/dice.ts'
import { openLife } from '../../src/testing/simulator/life.ts'
import { openTimeline } from '../../src/testing/simulator/timeline.ts'
import { fakePage } from '../support/fake-page.ts'
import { type CookieJar, NAVIGATION, openCookieJar, requestWith, take } from '../support/http.ts'
import { valueIn } from '../support/requests.ts'

/** Everybody's edits are ids, and nobody takes one away: whatever is missing is lost. */
const bins = defineBins({
  cart: {
    schema: z.array(z.string()),
    default: [],
    browser: 'write',
    scope: 'user',
    merge: (_, mine = [], theirs = []) => [...new Set([...theirs, ...mine])],
  },
  seen: { schema: z.array(z.string()), default: [], browser: 'write' },
})

const USERS = ['ann', 'bob'] as const
const LOGINS = [...USERS, null] as const
const START = Date.UTC(2035, 0, 1)

interface Edit {
  readonly id: string
  readonly device: Device
  /** Who was logged in, as far as anybody knew who had a part in it. */
  readonly user: string | null
  /** How often somebody had logged in or out on the device before. */
  readonly switches: number
  /** Whether the pages knew who was logged in. */
  readonly isTold: boolean
  /** Whether it was stored before its page was gone. */
  isStored: boolean
}

interface Tab {
  readonly life: ReturnType<typeof openLife>
  readonly befall: (moment: Moment) => void
  bins: ClientBins<typeof bins> | undefined
}

type Device = ReturnType<ReturnType<typeof openWorld>['openDevice']>

/** A site of two processes, and devices on which people log in and out. */
function openWorld(seed: number) {
  const timeline = openTimeline(START)
  const clock = () => Math.floor(timeline.now)
  const store = memoryStore()
  const dice = openDice(seed, 'world')
  const site = openLife(timeline)
  const servers = ['one', 'two'].map((name) =>
    serveBins(bins, {
      store,
      clock,
      random: openDice(seed, name).bytes,
      timer: (run, ms) => site.after(ms, run),
      origin: 'https://example.org',
      user: ({ headers }) => parseCookie(new Headers(headers as HeadersInit).get('cookie') ?? '').sid ?? null,
    }),
  )
  const weather = { isCalm: false, losses: dice.pick([0, 0.1, 0.3]) }

  function openDevice(name: string) {
    const jar: CookieJar = openCookieJar(clock)
    const rows = memoryRows()
    const own = openDice(seed, name)
    const tabs: Tab[] = []
    const state = { isOnline: true, login: null as string | null, switches: 0, logins: new Set<string>() }
    const tellsCookies = own.fraction() < 0.5
    const trip = () => site.wait(own.between(1, 40))
    const isLost = () => !weather.isCalm && own.fraction() < weather.losses
    const tags = () => {
      const companion = valueIn(jar, 'bb.o')
      return companion === undefined ? undefined : parseTags(companion)
    }

    /** Either way of a request may be the end of it. */
    async function ask<Answer extends Response>(
      request: Request,
      answer: (request: Request) => Promise<Answer>,
    ): Promise<Answer> {
      await trip()
      if (!state.isOnline || isLost()) throw new TypeError('Failed to fetch')
      const answered = await answer(request)
      await trip()
      if (!state.isOnline || isLost()) throw new TypeError('Failed to fetch')
      const before = valueIn(jar, 'bb.o')
      take(jar, answered)
      if (tellsCookies && valueIn(jar, 'bb.o') !== before) for (const tab of tabs) tab.befall('cookies')
      return answered
    }

    const device = {
      name,
      /** Who is logged in as far as its pages know. */
      known: () => USERS.find((user) => userTag(userKey(user)) === tags()?.user) ?? null,
      jar,
      rows,
      state,
      tabs,
      openTab() {
        const life = openLife(timeline)
        const listeners = new Set<(moment: Moment) => void>()
        const befall = (moment: Moment) => {
          if (!life.isOver) for (const listener of [...listeners]) listener(moment)
        }
        const tab: Tab = { life, befall, bins: undefined }
        const page = fakePage({
          // A page that is gone stores nothing any more.
          rows: {
            load: async (prefix) => {
              await life.wait(own.between(0.1, 2))
              return rows.load(prefix)
            },
            change: async (prefix, step) => {
              await life.wait(own.between(0.1, 2))
              return rows.change(prefix, step)
            },
            close() {},
          },
          clock,
          random: own.fraction,
          timer: (run, ms) => life.after(ms, run),
          newId: () => own.bytes(9).toString('hex'),
          cookies: {
            ...fakePage().cookies,
            visitorTag: () => tags()?.visitor || null,
            userTag: () => tags()?.user ?? null,
          },
          fetch: (path, init) =>
            ask(requestWith(jar, String(path), init), (request) => dice.pick(servers).fetch(request)),
          watch(listener) {
            listeners.add(listener)
            return () => listeners.delete(listener)
          },
        })
        void openPageBins(page, bins, {}).then((opened) => {
          tab.bins = opened
        })
        tabs.push(tab)
      },
      /** The application logs somebody in or out, and sends the browser to a page. */
      async logIn(user: string | null) {
        if (!state.isOnline) return
        jar.set(user === null ? 'sid=; Max-Age=0' : `sid=${user}`)
        state.login = user
        state.switches += 1
        if (user !== null) state.logins.add(user)
        await device.visit(() => {}).catch(() => {})
        // Its response may have said so only now.
        state.switches += 1
      },
      /** Comes with a link that another device has made. */
      async accept(link: string, merge: boolean) {
        const body = JSON.stringify({ v: 1, token: link.split('=')[1], ...(merge ? { merge } : {}) })
        const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
        const request = requestWith(jar, '/bins/link', { method: 'POST', headers, body })
        await ask(request, (sent) => dice.pick(servers).fetch(sent))
        for (const { bins: opened, life } of tabs) if (!life.isOver) void opened?.sync().catch(() => {})
      },
      /** Opens a page of the application. */
      async visit(use: (bins: Awaited<ReturnType<(typeof servers)[number]['open']>>) => unknown) {
        return ask(requestWith(jar, '/', { headers: NAVIGATION }), async (request) => {
          const opened = await dice.pick(servers).open(request)
          await use(opened)
          return opened.save(new Response())
        })
      },
    }
    device.openTab()
    return device
  }

  return { timeline, servers, store, dice, weather, openDevice }
}

/** Has people edit, log in and out, link devices, go offline and close pages; then lets all come to rest. Tells what is wrong then. */
async function run(seed: number): Promise<string[]> {
  const { timeline, servers, store, dice, weather, openDevice } = openWorld(seed)
  const devices = ['laptop', 'phone', 'library'].slice(0, 1 + dice.below(3)).map(openDevice)
  const edits: Edit[] = []
  const [server] = servers
  const shared = new Set<string>()

  function enter(device: Device, isInPage: boolean): Edit {
    const { switches } = device.state
    const user = isInPage ? device.known() : device.state.login
    const edit = {
      id: `e${edits.length + 1}`,
      device,
      user,
      switches,
      isStored: false,
      isTold: device.known() === device.state.login,
    }
    edits.push(edit)
    return edit
  }

  const steps: ReadonlyArray<{ weight: number; take: (device: Device) => void | Promise<void> }> = [
    {
      weight: 6,
      take(device) {
        const tab = device.tabs.find(({ life, bins }) => bins && !life.isOver)
        if (!tab?.bins) return
        const { bins: state } = tab
        const edit = enter(device, true)
        if (dice.fraction() < 0.5) state.set('cart', [...state.get('cart'), edit.id])
        else state.update('cart', (cart) => [...cart, edit.id]).catch(() => {})
        void state.save().then(
          () => {
            edit.isStored = true
          },
          () => {},
        )
      },
    },
    {
      weight: 1,
      async take(device) {
        const edit = enter(device, false)
        const visit = device.visit((state) => state.update('cart', (cart) => [...cart, edit.id]))
        void visit.then(
          () => {
            edit.isStored = true
          },
          () => {},
        )
      },
    },
    { weight: 2, take: (device) => void device.logIn(dice.pick(LOGINS)) },
    {
      weight: 2,
      take: (device) => device.tabs.forEach(({ bins: state }) => void state?.sync().catch(() => {})),
    },
    {
      weight: 1,
      take(device) {
        device.state.isOnline = !device.state.isOnline
      },
    },
    {
      // Without links, it is known whose everything is.
      weight: seed % 2,
      take(device) {
        const other = dice.pick(devices)
        // What nobody is logged in for may be that of whoever logs in on one of them.
        for (const { state } of devices) for (const user of state.logins) shared.add(user)
        for (const { state } of devices) state.logins = shared
        void device
          .visit(async (state) => other.accept(await state.link('/'), dice.fraction() < 0.7).catch(() => {}))
          .catch(() => {})
      },
    },
    { weight: 1, take: (device) => device.openTab() },
    { weight: 1, take: (device) => dice.pick(device.tabs).life.end() },
  ]
  await timeline.pass(100)
  for (let count = 10 + dice.below(30); count > 0; count -= 1) {
    await dice.pickWeighted(steps).take(dice.pick(devices))
    await timeline.pass(dice.pick([0, 1, 20, 200, 5_000]))
  }

  weather.isCalm = true
  for (const device of devices) {
    device.state.isOnline = true
    if (device.tabs.every(({ life }) => life.isOver)) device.openTab()
  }
  await timeline.pass(1_000)
  for (let round = 0; round < 4; round += 1) {
    for (const device of devices) {
      void device.visit(() => {}).catch(() => {})
      await timeline.pass(1_000)
      for (const { bins: state, life } of device.tabs) {
        if (!life.isOver)
          void state
            ?.refresh()
            .then(() => state.sync())
            .catch(() => {})
        await timeline.pass(70_000)
      }
    }
  }

  const problems: string[] = []
  const carts = new Map<string, readonly string[]>()
  for (const user of USERS)
    carts.set(user, ((await server?.export(user))?.bins.cart as string[] | undefined) ?? [])
  for (const { id, device, user, isStored, isTold, switches } of edits) {
    const holders = [...carts].filter(([, cart]) => cart.includes(id)).map(([holder]) => holder)
    for (const holder of holders) {
      const isTheirs = user === null ? device.state.logins.has(holder) : holder === user
      if (!isTheirs) problems.push(`${id} of ${user} on ${device.name} is in the cart of ${holder}`)
    }
    const isExcused = !isStored || !isTold || device.state.switches > switches
    if (user !== null && !isExcused && !holders.includes(user)) problems.push(`${id} of ${user} is lost`)
  }
  for (const [user, cart] of carts) {
    if (new Set(cart).size < cart.length) problems.push(`the cart of ${user} holds something twice: ${cart}`)
  }
  const held = JSON.stringify(
    (await store.scan?.(undefined, 1_000))?.entries.filter(([key]) => key.startsWith('v:')),
  )
  for (const { id, user } of edits) {
    if (user !== null && held.includes(`"${id}"`)) problems.push(`${id} of ${user} is kept for a visitor`)
  }
  for (const { name, tabs, state } of devices) {
    const expected = state.login === null ? undefined : carts.get(state.login)
    for (const { bins: opened, life } of tabs) {
      if (life.isOver || !expected) continue
      const shown = opened?.get('cart')
      if (String(shown) !== String(expected)) problems.push(`${name} shows ${shown} instead of ${expected}`)
    }
    for (const { id, user } of edits) {
      const isShown = tabs.some(({ bins: opened, life }) => !life.isOver && opened?.get('cart').includes(id))
      if (isShown && user !== null && user !== state.login)
        problems.push(`${name} shows ${state.login} ${id} of ${user}`)
    }
  }
  return problems
}

const [from = '', seeds = ''] = process.argv.slice(2)
for (let seed = Number(from); seed < Number(from) + Number(seeds); seed += 1) {
  const problems = await run(seed)
  if (problems.length > 0) process.stdout.write(`${JSON.stringify({ seed, problems })}\n`)
}

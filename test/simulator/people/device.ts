import type { ClientBins } from '../../../src/client/client-bins.ts'
import type { Moment } from '../../../src/client/page/page.ts'
import { openPageBins } from '../../../src/client/page-bins.ts'
import { memoryRows } from '../../../src/client/table/memory.ts'
import type { BinsEvent } from '../../../src/core/event.ts'
import { PROTOCOL } from '../../../src/core/sync/wire.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import { openJar } from '../browser/jar.ts'
import { openPageCookies, tagsIn } from '../browser/page-cookies.ts'
import { type Connection, openConnection } from '../site/network.ts'
import type { Site } from '../site/site.ts'
import { type Life, openLife } from '../world/life.ts'
import type { World } from '../world/world.ts'
import { loginLine, PEOPLE_BINS, type User, userWith } from './bins.ts'

/** A browser on which people log in and out. */
export interface Device {
  /** What it is called. */
  readonly name: string
  /** How it reaches the site. */
  readonly connection: Connection
  /** The pages that are open. */
  readonly pages: readonly DevicePage[]
  /** Who is logged in, as the application knows it. */
  readonly login: User | null
  /** Everybody who ever was. */
  readonly logins: ReadonlySet<User>
  /** How often that has changed: once when it is asked for, and once when the answer is there. */
  readonly switches: number
  /** How often a page has told that edits of somebody who is gone were given up. */
  readonly drops: number
  /** Who is logged in as far as the pages know. */
  known(): User | null
  /** Opens a page. */
  openPage(): void
  /** The application logs somebody in or out, and sends the browser to a page. */
  logIn(user: User | null): Promise<void>
  /**
   * Requests a page.
   *
   * @returns Whether its answer has come.
   */
  visit(use: (bins: ServerBins<typeof PEOPLE_BINS>) => Promise<void>): Promise<boolean>
  /** Comes with a link that another device has made. */
  accept(link: string, options: { readonly merge: boolean }): Promise<void>
}

/** One load of a page. */
export interface DevicePage {
  /** Its life. */
  readonly life: Life
  /** Its bins, once they are open. */
  readonly bins: ClientBins<typeof PEOPLE_BINS> | undefined
  /** Has something befall it. */
  befall(moment: Moment): void
}

/** What browsers say of a page that their user goes to. */
const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

/** The answer of a page request that has come all the way. */
const WHOLE = 'a page'

/** Opens a device, with a page. */
export function openDevice(name: string, world: World, site: Site): Device {
  const { timeline, fate, trace } = world
  const clock = () => Math.floor(timeline.now)
  const jar = openJar(clock)
  const rows = memoryRows()
  const pages: DevicePage[] = []
  const logins = new Set<User>()
  const tellsCookies = !fate.befalls('no cookie events', name)
  const connection = openConnection(world, jar, () => {
    if (tellsCookies) for (const page of present()) page.life.after(1, () => page.befall('cookies'))
  })
  let login: User | null = null
  let switches = 0
  let visits = 0
  let drops = 0

  const present = () => pages.filter(({ life }) => !life.isOver)

  async function visit(use: Parameters<Device['visit']>[0]): Promise<boolean> {
    visits += 1
    const answer = (request: Request) =>
      // Its bins are ours.
      site.visit(request, (state) => use(state as ServerBins<typeof PEOPLE_BINS>))
    const sending = { tab: `${name}, visit ${visits}`, life: openLife(timeline), path: '/', answer }
    try {
      const response = await connection.send({ ...sending, init: { headers: NAVIGATION } })
      return (await response.text()) === WHOLE
    } catch {
      return false
    }
  }

  function openPage(): void {
    const own = `${name}/${pages.length + 1}`
    const dice = fate.dice(own)
    const life = openLife(timeline)
    const listeners = new Set<(moment: Moment) => void>()
    let bins: DevicePage['bins']
    /** A page that is gone stores nothing any more. */
    const afterAWhile = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      await life.wait(dice.between(0.1, 2))
      return work()
    }
    pages.push({
      life,
      get bins() {
        return life.isOver ? undefined : bins
      },
      befall(moment) {
        for (const listener of [...listeners]) listener(moment)
      },
    })
    trace.say(own, () => 'opens')
    const page = {
      cookies: openPageCookies(jar),
      rows: {
        ...rows,
        load: (prefix: string) => afterAWhile(() => rows.load(prefix)),
        change: (...change: Parameters<typeof rows.change>) => afterAWhile(() => rows.change(...change)),
      },
      texts: undefined,
      fetch: (input: unknown, init: RequestInit = {}) =>
        connection.send({ tab: own, life, path: String(input), init, answer: site.fetch }),
      EventSource: undefined,
      clock,
      random: dice.fraction,
      timer: (run: () => void, ms: number) => life.after(ms, run),
      newId: () => dice.bytes(9).toString('hex'),
      isVisible: () => false,
      watch(listener: (moment: Moment) => void) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      openChannel: () => ({ post() {}, close() {} }),
      lock: <Result>(_: string, work: () => Promise<Result>) => work(),
    }
    const onEvent = ({ type }: BinsEvent) => {
      trace.say(own, () => `reports ${type}`)
      if (type === 'dropped') drops += 1
    }
    void openPageBins(page, PEOPLE_BINS, { onEvent }).then((opened) => {
      bins = opened
    })
  }

  const device: Device = {
    name,
    connection,
    get pages() {
      return present()
    },
    get login() {
      return login
    },
    logins,
    get switches() {
      return switches
    },
    get drops() {
      return drops
    },
    known: () => userWith(tagsIn(jar)?.user ?? null),
    openPage,
    async logIn(user) {
      trace.say(name, () => (user === null ? 'logs out' : `logs ${user} in`))
      jar.take([loginLine(user)])
      login = user
      switches += 1
      if (user !== null) logins.add(user)
      await visit(async () => {})
      // Its response may have said so only now.
      switches += 1
    },
    visit,
    async accept(link, { merge }) {
      trace.say(name, () => `comes with a link${merge ? ', and merges' : ''}`)
      const body = JSON.stringify({ v: PROTOCOL, token: link.split('=')[1], ...(merge ? { merge } : {}) })
      const headers = { 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body }
      visits += 1
      const sending = { tab: `${name}, link ${visits}`, life: openLife(timeline), path: '/bins/link', init }
      await connection.send({ ...sending, answer: site.fetch }).catch(() => {})
      for (const { bins } of present()) void bins?.sync().catch(() => {})
    },
  }
  openPage()
  return device
}

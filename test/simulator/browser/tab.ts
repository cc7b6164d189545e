import type { ClientBins } from '../../../src/client/client-bins.ts'
import type { Moment, Page } from '../../../src/client/page/page.ts'
import { openPageBins } from '../../../src/client/page-bins.ts'
import type { Site } from '../site/site.ts'
import { idsIn, PROGRAMS, type ProgramVersion } from '../world/bins.ts'
import { type Life, openLife } from '../world/life.ts'
import type { World } from '../world/world.ts'
import { openPageCookies } from './page-cookies.ts'
import type { Profile } from './profile.ts'

/** One load of a page in a tab. */
export interface Tab {
  /** Browser and number. */
  readonly name: string
  /** The browser. */
  readonly profile: Profile
  /** Its life. */
  readonly life: Life
  /** The version of the program that it runs. */
  readonly version: ProgramVersion
  /** Its bins, once they are open. */
  readonly bins: ClientBins | undefined
  /** Tag of the visitor whose bins it shows, as far as anybody can tell; empty = none. */
  readonly owner: string
  /** Whether its user sees it. */
  readonly isVisible: boolean
  /** Has something befall it. */
  befall(moment: Moment): void
}

/** How long a page takes to load, in ms. */
const LOADING_MS = [0, 0, 30, 300, 2_000]

/** Opens a page in a tab. */
export function openTab(world: World, site: Site, profile: Profile, version: ProgramVersion): Tab {
  const { timeline, trace, ledger } = world
  return profile.add((name) => {
    const life = openLife(timeline)
    const listeners = new Set<(moment: Moment) => void>()
    let bins: ClientBins | undefined
    let isVisible = true
    let owner = profile.jar.get('bb.o') ?? ''
    const loading = world.fate.dice(`loading of ${name}`)
    /** When it was last told that its edits live as long as the page. */
    let unkeptSince = 0

    life.onEnd(() => {
      if (bins?.status().storage.kind === 'indexeddb') return
      ledger.excuse('its page was told that nothing is kept', ({ by, storedAt = Infinity }) => {
        return by === name && storedAt >= unkeptSince
      })
    })

    const onOwner = (tag: string) => {
      owner = tag
    }
    const page = openPage(
      { name, life, listeners, isVisible: () => isVisible, onOwner },
      { world, site, profile },
    )
    trace.say(name, () => `opens, with version ${version} of the program`)
    life.after(loading.pick(LOADING_MS), () => {
      openPageBins(page, PROGRAMS[version], {
        onEvent(event) {
          trace.say(name, () => `reports ${event.type}${'bin' in event ? ` ${event.bin}` : ''}`)
          if (event.type === 'rejected') noteRejected(event.bin)
          if (event.type === 'not-kept') unkeptSince = timeline.now
        },
      }).then(
        (opened) => {
          bins = opened
          trace.say(name, () => 'is open')
        },
        (cause: unknown) => world.violate('pages open', `${name} did not: ${String(cause)}`),
      )
    })

    function noteRejected(bin: string): void {
      const data = bins?.rejected(bin)?.data
      for (const id of idsIn(bin, data)) {
        const edit = ledger.find(id)
        if (edit) edit.told ??= 'rejected'
      }
    }

    return {
      name,
      profile,
      life,
      version,
      get bins() {
        return life.isOver ? undefined : bins
      },
      get owner() {
        return owner
      },
      get isVisible() {
        return isVisible
      },
      befall(moment) {
        if (moment === 'shown') isVisible = true
        if (moment === 'hidden' || moment === 'left') isVisible = false
        trace.say(name, () => `is ${moment}`)
        for (const listener of [...listeners]) listener(moment)
      },
    }
  })
}

interface PageOptions {
  readonly name: string
  readonly life: Life
  readonly listeners: Set<(moment: Moment) => void>
  readonly isVisible: () => boolean
  readonly onOwner: (tag: string) => void
}

/** All that the client takes from a page, in a simulated browser. */
function openPage(
  { name, life, listeners, isVisible, onOwner }: PageOptions,
  { world, site, profile }: { world: World; site: Site; profile: Profile },
): Page {
  const { fate } = world
  const dice = fate.dice(name)
  const { jar, channel, locks } = profile
  const cookies = openPageCookies(jar)
  const onAnswer = (text: string) => {
    for (const tag of tagsIn(text)) profile.noteAnswer(tag)
  }
  return {
    cookies: {
      ...cookies,
      visitorTag() {
        // Cookies end without a word.
        profile.noteOwner()
        return cookies.visitorTag()
      },
    },
    rows: profile.disk.open(name, life),
    texts: profile.texts?.storage,
    fetch(input, init = {}) {
      const path = String(input)
      if (path.includes('/events') && !profile.hasLiveEvents) {
        return Promise.reject(new TypeError('Failed to fetch'))
      }
      if (path.endsWith('/sync')) {
        onOwner(tagIn(String(init.body)))
        checkWritten(String(init.body), profile, world)
      }
      return profile.connection.send({ tab: name, life, path, init, answer: site.fetch, onAnswer })
    },
    EventSource: undefined,
    clock: profile.clock,
    random: dice.fraction,
    timer: (run, ms) => life.after(ms, run),
    newId: () => dice.bytes(12).toString('hex'),
    isVisible,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    openChannel: (listener) => channel?.open(name, life, listener) ?? { post() {}, close() {} },
    lock: locks?.open(life) ?? ((_, work) => work()),
  }
}

/** What is sent is written down as sent: in the rows, or, by a page that goes away, in the small texts. */
function checkWritten(body: string, { written, texts }: Profile, world: World): void {
  if (world.hasBrokenStorage) return
  const { parts } = JSON.parse(body) as { parts: Array<{ ops: Array<{ n: number; bin: string }> }> }
  for (const { n, bin } of parts.flatMap(({ ops }) => ops)) {
    const isInRows = written.has(`${bin} ${n}`)
    const isInTexts = Object.values(texts?.storage ?? {}).some((text) => String(text).includes(`"n":${n},`))
    if (!isInRows && !isInTexts) {
      world.violate('what is sent is written down before', `edit #${n} of ${bin} was not`)
    }
  }
}

/** The visitor that a sync is sent as. */
function tagIn(body: string): string {
  const { parts } = JSON.parse(body) as { parts: Array<{ tag: string | null }> }
  return parts[0]?.tag ?? ''
}

/** The visitors that an answer speaks of. */
function tagsIn(text: string): readonly string[] {
  try {
    const { parts } = JSON.parse(text) as { parts: Array<{ tag: string }> }
    return parts.map(({ tag }) => tag)
  } catch {
    return []
  }
}

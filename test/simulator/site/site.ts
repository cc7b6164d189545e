import type { Definitions } from '../../../src/core/definition/definition.ts'
import type { UserOptions } from '../../../src/server/identity/user.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import { type BinsServer, serveBins } from '../../../src/server/server.ts'
import { PROGRAMS, type ProgramVersion } from '../world/bins.ts'
import { type Life, openLife } from '../world/life.ts'
import type { World } from '../world/world.ts'
import type { Vault } from './vault.ts'

/** One process of a simulated site. */
export interface SiteProcess {
  /** What it is called. */
  readonly name: string
  /** Its run. */
  readonly life: Life
  /** The version of the program that it runs. */
  readonly version: ProgramVersion
}

/** The processes of a simulated site, on one store. */
export interface Site {
  /** The processes that run. */
  readonly processes: readonly SiteProcess[]
  /** Answers a request of a page to the sync endpoint, in some process. Rejects if that ends meanwhile. */
  fetch(request: Request): Promise<Response>
  /** Answers a request for a page, in some process. */
  visit(request: Request, work: (state: ServerBins, process: SiteProcess) => Promise<void>): Promise<Response>
  /** Ends a process, and starts it again, perhaps with a newer version of the program. */
  restart(index: number, version?: ProgramVersion): void
  /** Moves the clock of a process. */
  moveClock(index: number, ms: number): void
}

/** Where pages find the site. */
export const ORIGIN = 'https://site.test'

/** Circumstances of {@link openSite}. */
export interface SiteOptions extends UserOptions {
  /** How many processes it has. */
  readonly processes: number
  /** The version of the program that they run at first. */
  readonly version: ProgramVersion
  /** The programs. Default {@link PROGRAMS}. */
  readonly programs?: Readonly<Record<ProgramVersion, Definitions>>
}

/** Opens a site. */
export function openSite(
  world: World,
  vault: Vault,
  { processes: count, version, programs = PROGRAMS, user }: SiteOptions,
): Site {
  const { timeline, fate, trace } = world
  const dice = fate.dice('site')
  const offsets = Array.from({ length: count }, (_, index) => {
    const isWrong = fate.befalls('wrong clock', `process ${index + 1}`)
    return isWrong ? Math.round(dice.between(-3_000, 3_000)) : 0
  })
  let starts = 0
  const processes = offsets.map((_, index) => start(index, version))

  function start(index: number, ours: ProgramVersion): SiteProcess & { readonly server: BinsServer } {
    starts += 1
    const life = openLife(timeline)
    const name = `process ${index + 1}`
    const own = fate.dice(`${name}, start ${starts}`)
    const server = serveBins(programs[ours], {
      user,
      store: vault.open(`${name}, start ${starts}`, life),
      origin: ORIGIN,
      clock: () => Math.floor(timeline.now) + (offsets[index] ?? 0),
      random: own.bytes,
      timer: (run, ms) => life.after(ms, run),
      onEvent: ({ type }) => trace.say(name, () => `reports ${type}`),
    })
    return { name, life, version: ours, server }
  }

  /** The work of a process ends with it. */
  function during<Result>({ life }: SiteProcess, work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      life.onEnd(() => reject(new TypeError('The simulated process has ended.')))
      work.then(resolve, reject)
    })
  }

  return {
    processes,

    fetch(request) {
      const process = dice.pick(processes)
      return during(process, process.server.fetch(request))
    },

    visit(request, work) {
      const process = dice.pick(processes)
      const answer = async () => {
        const state = await process.server.open(request)
        await work(state, process)
        return state.save(new Response('a page'))
      }
      return during(process, answer())
    },

    restart(index, ours = version) {
      const process = processes[index]
      if (!process) return
      trace.say(process.name, () => `is killed, and starts with version ${ours} of the program`)
      process.life.end()
      processes[index] = start(index, ours)
    },

    moveClock(index, ms) {
      offsets[index] = (offsets[index] ?? 0) + ms
      trace.say(`process ${index + 1}`, () => `has its clock moved by ${ms} ms`)
    },
  }
}

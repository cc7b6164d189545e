import { openSite } from '../site/site.ts'
import { openVault } from '../site/vault.ts'
import type { Dice } from '../world/dice.ts'
import { openWorld, outcomeOf, type Run, type RunOptions, type World } from '../world/world.ts'
import { PEOPLE_BINS, USERS, userIn } from './bins.ts'
import { type CartEdit, checkCarts } from './checks.ts'
import { type Device, openDevice } from './device.ts'

/** Everybody and everything in a run about people. */
interface Scene {
  readonly world: World
  readonly devices: readonly Device[]
  readonly edits: CartEdit[]
  /** Whether devices are ever linked: without, it is known whose everything is. */
  readonly hasLinks: boolean
}

interface Step {
  readonly name: string
  readonly weight: number
  /** Does it. */
  readonly take: (scene: Scene, device: Device, dice: Dice) => void
}

const NAMES = ['laptop', 'phone', 'library'] as const

/** How long all may take to come to rest, in ms. */
const REST_MS = 70_000

const STEPS: readonly Step[] = [
  {
    name: 'edit',
    weight: 6,
    take(scene, device, dice) {
      const bins = device.pages.find((page) => page.bins)?.bins
      if (!bins) return
      const edit = enter(scene, device, { isInPage: true })
      if (dice.fraction() < 0.5) bins.set('cart', [...bins.get('cart'), edit.id])
      else bins.update('cart', (cart) => [...cart, edit.id]).catch(() => {})
      void bins.save().then(
        () => {
          edit.isStored = true
        },
        () => {},
      )
    },
  },
  {
    name: 'page request',
    weight: 1,
    take(scene, device) {
      const edit = enter(scene, device, { isInPage: false })
      const use = async (bins: Parameters<Parameters<Device['visit']>[0]>[0]) => {
        // The request may come twice.
        await bins.update('cart', (cart) => (cart.includes(edit.id) ? cart : [...cart, edit.id]))
      }
      void device.visit(use).then((hasCome) => {
        edit.isStored = hasCome
      })
    },
  },
  {
    name: 'log in or out',
    weight: 2,
    take(_, device, dice) {
      if (device.connection.isOnline) void device.logIn(dice.pick([...USERS, null]))
    },
  },
  {
    name: 'sync',
    weight: 2,
    take(_, { pages }) {
      for (const { bins } of pages) bins?.sync().catch(() => {})
    },
  },
  {
    name: 'go offline or online',
    weight: 1,
    take(_, { connection }) {
      connection.isOnline = !connection.isOnline
    },
  },
  {
    name: 'link a device',
    weight: 1,
    take({ devices, hasLinks }, device, dice) {
      if (!hasLinks) return
      const [other, merge] = [dice.pick(devices), dice.fraction() < 0.7]
      void device.visit(async (bins) => {
        const link = await bins.link('/')
        void other.accept(link, { merge })
      })
    },
  },
  { name: 'open a page', weight: 1, take: (_, device) => device.openPage() },
  {
    name: 'crash a page',
    weight: 1,
    take(_, { pages }, dice) {
      if (pages.length > 0) dice.pick(pages).life.end()
    },
  },
]

/** Runs a seed: people who edit, log in and out on several devices, and at last quiet. */
export async function runPeople(seed: number, { store, ...what }: RunOptions): Promise<Run> {
  const world = openWorld(seed, what)
  const { timeline, fate } = world
  const dice = fate.dice('people')
  const vault = await openVault(world, store, () => {})
  const site = openSite(world, vault, {
    processes: 2,
    version: 1,
    programs: { 1: PEOPLE_BINS, 2: PEOPLE_BINS },
    user: ({ headers }) => userIn(new Headers(headers as HeadersInit)),
  })
  const devices = NAMES.slice(0, 1 + dice.below(NAMES.length)).map((name) => openDevice(name, world, site))
  const scene: Scene = { world, devices, edits: [], hasLinks: dice.fraction() < 0.5 }
  await timeline.pass(100)

  const steps = 10 + dice.below(30)
  for (let index = 1; index <= steps; index += 1) await takeStep(scene, index)
  await settle(scene)
  checkCarts(world, { ...scene, records: vault.history.records })
  for (const { pages } of devices) for (const { life } of pages) life.end()
  for (const { life } of site.processes) life.end()
  await vault.close()
  return { steps, ...outcomeOf(world), edits: scene.edits.length }
}

async function takeStep(scene: Scene, index: number): Promise<void> {
  const { fate, timeline, trace } = scene.world
  const dice = fate.dice(`step ${index}`)
  const step = dice.pickWeighted(STEPS)
  if (!fate.takes(index, step.name)) return
  const device = dice.pick(scene.devices)
  trace.say(device.name, () => step.name)
  step.take(scene, device, dice)
  await timeline.pass(dice.pick([0, 1, 20, 200, 5_000]))
}

function enter({ world, edits }: Scene, device: Device, { isInPage }: { isInPage: boolean }): CartEdit {
  const { switches, drops, login } = device
  const user = isInPage ? device.known() : login
  const isTold = device.known() === login
  const edit = { id: `e${edits.length + 1}`, device, user, switches, drops, isTold, isStored: false }
  edits.push(edit)
  world.trace.say(device.name, () => `${edit.id}: ${user ?? 'nobody'} adds to the cart`)
  return edit
}

/** Ends all faults, and has everybody come to rest. */
async function settle({ world, devices }: Scene): Promise<void> {
  const { timeline, fate, trace } = world
  fate.calm()
  trace.say('all', () => 'faults end')
  for (const device of devices) {
    device.connection.isOnline = true
    if (device.pages.length === 0) device.openPage()
  }
  await timeline.pass(1_000)
  for (let round = 0; round < 4; round += 1) {
    for (const device of devices) {
      void device.visit(async () => {})
      await timeline.pass(1_000)
      for (const { bins } of device.pages) {
        void bins
          ?.refresh()
          .then(() => bins.sync())
          .catch(() => {})
        await timeline.pass(REST_MS)
      }
    }
  }
}

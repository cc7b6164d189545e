import { openTab } from '../browser/tab.ts'
import { pickProfile, type Step } from '../scene.ts'
import { comeBack, end, newestVersion } from './tabs.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How far back a loss of power can throw what a device keeps, in ms: browsers do not wait for the disk. */
const UNFLUSHED_MS = 10_000

/** What befalls devices. */
export const DEVICE_STEPS: readonly Step[] = [
  {
    name: 'lose power',
    weight: 2,
    take(scene, dice) {
      const profile = pickProfile(scene, dice)
      const { timeline, trace, ledger } = scene.world
      const since = timeline.now - dice.between(0, UNFLUSHED_MS)
      trace.say(profile.name, () => `loses power, and what was kept in the last ${timeline.now - since} ms`)
      for (const tab of profile.tabs) end(scene, tab)
      profile.hasLostPower = true
      profile.disk.rollBack(since)
      profile.texts?.rollBack(since)
      ledger.excuse('the power was lost', (edit) => {
        // That edits have gone along to another visitor is forgotten, too.
        const isRecent = (edit.storedAt ?? Infinity) > since || profile.ownerSince > since
        return edit.profile === profile.name && isRecent
      })
      openTab(scene.world, scene.site, profile, newestVersion(scene))
    },
  },
  {
    name: 'go offline or online',
    weight: 2,
    take(scene, dice) {
      const { name, connection, tabs } = pickProfile(scene, dice)
      connection.isOnline = !connection.isOnline
      scene.world.trace.say(name, () => (connection.isOnline ? 'is online again' : 'is offline'))
      if (connection.isOnline) for (const tab of tabs) tab.life.after(1, () => tab.befall('online'))
    },
  },
  {
    name: 'meet a captive portal',
    weight: 1,
    take(scene, dice) {
      const { name, connection } = pickProfile(scene, dice)
      connection.isCaptive = !connection.isCaptive
      scene.world.trace.say(name, () => (connection.isCaptive ? 'is captive' : 'is captive no more'))
    },
  },
  {
    name: 'log out for a week',
    weight: 1,
    take(scene, dice) {
      const { name, connection } = pickProfile(scene, dice)
      const { timeline, trace } = scene.world
      connection.isLoggedOut = true
      trace.say(name, () => 'is logged out')
      timeline.after(7 * DAY * dice.fraction(), () => {
        connection.isLoggedOut = false
        trace.say(name, () => 'is logged in')
      })
    },
  },
  {
    name: 'set the clock',
    weight: 1,
    take(scene, dice) {
      const ms = dice.pick([5 * MINUTE, HOUR, DAY]) * dice.pick([-1, 1])
      pickProfile(scene, dice).moveClock(ms)
      scene.world.clockError = Infinity
    },
  },
  {
    name: 'sleep',
    weight: 1,
    async take({ world, profiles }, dice) {
      const ms = dice.pick([10 * MINUTE, 2 * HOUR, DAY, 8 * DAY, 100 * DAY])
      world.trace.say('all', () => `sleep for ${ms / HOUR} h`)
      const awake = profiles.flatMap(({ tabs }) => tabs.filter(({ life }) => !life.isFrozen))
      for (const tab of awake) tab.life.freeze()
      await world.timeline.pass(ms)
      for (const tab of awake) comeBack(tab)
    },
  },
  {
    name: 'link a browser',
    weight: 3,
    async take(scene, dice) {
      const [from, to] = [pickProfile(scene, dice), pickProfile(scene, dice)]
      if (from === to || from.jar.get('bb.o') === undefined) return
      // Also between the look at whose edits are to be sent, and their being sent.
      for (const { bins } of to.tabs) bins?.sync().catch(() => {})
      await scene.world.timeline.pass(dice.between(0, 20))
      scene.world.trace.say(to.name, () => `becomes the visitor of ${from.name}`)
      to.jar.copyFrom(from.jar)
      to.hasDeletedCookies ||= from.hasDeletedCookies
      to.noteOwner()
      // What waits comes to a visitor that may be cleared since.
      const clearedAt = scene.world.cleared.get(to.jar.get('bb.o') ?? '') ?? -Infinity
      scene.world.ledger.excuse('cleared', ({ profile, at }) => {
        return profile === to.name && at <= clearedAt + scene.world.clockError
      })
    },
  },
  {
    name: 'delete cookies',
    weight: 0.5,
    take(scene, dice) {
      const profile = pickProfile(scene, dice)
      scene.world.trace.say(profile.name, () => 'deletes the cookies')
      profile.hasDeletedCookies = true
      scene.world.hasDeletedCookies = true
      profile.jar.delete(dice.pick([undefined, '__Host-bb']))
      profile.noteOwner()
    },
  },
  {
    name: 'clear',
    weight: 0.7,
    take(scene, dice) {
      const profile = pickProfile(scene, dice)
      const tab = profile.tabs.find(({ life, bins }) => bins && !life.isFrozen)
      if (!tab?.bins) return
      const { world } = scene
      world.trace.say(tab.name, () => 'clears')
      world.ledger.excuse('cleared', (edit) => edit.profile === profile.name)
      tab.bins.clear().catch(() => {})
    },
  },
]

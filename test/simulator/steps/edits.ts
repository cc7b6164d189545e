import { BinsError } from '../../../src/core/error.ts'
import { MAX_TOMBSTONES } from '../../../src/core/limits.ts'
import type { ServerBins } from '../../../src/server/request/server-bins.ts'
import type { Profile } from '../browser/profile.ts'
import { pickProfile, pickTab, type Scene, type Step } from '../scene.ts'
import { type EditOptions, makeEdit } from '../world/edit.ts'
import { openLife } from '../world/life.ts'

/** What users and pages of the site do with bins. */
export const EDIT_STEPS: readonly Step[] = [
  {
    name: 'edit',
    weight: 50,
    take(scene, dice) {
      const tab = pickTab(scene, dice)
      if (!tab?.bins) return
      const { world } = scene
      const { profile, owner } = tab
      const tags = [owner, profile.jar.get('bb.o') ?? '']
      const editor = {
        name: tab.name,
        profile: profile.name,
        version: tab.version,
        bins: tab.bins,
        tags,
        isBlind: !tags.some((tag) => profile.answered.has(tag)),
        excuse: excuseOf(profile, owner),
      }
      const bins = scene.habits.bins.filter((one) => one !== 'plan')
      if (bins.length === 0) return
      const bin = dice.pick(bins)
      try {
        const made = makeEdit(world, editor, { bin, dice, removals: scene.habits.removals })
        if (!made) return
        const { edit } = made
        made.done?.catch((cause: unknown) => {
          edit.told ??= `update failed: ${String(cause)}`
        })
        void tab.bins.save().then(
          () => {
            edit.storedAt ??= world.timeline.now
          },
          () => {
            edit.told ??= 'not stored'
          },
        )
      } catch (cause) {
        // Somebody with a newer version of the program was here.
        if (!(cause instanceof BinsError && cause.code === 'OUTDATED')) throw cause
        const last = world.ledger.edits.at(-1)
        if (last) last.told = 'OUTDATED'
      }
    },
  },
  {
    name: 'sync',
    weight: 5,
    take(scene, dice) {
      const tab = pickTab(scene, dice)
      tab?.bins?.sync().catch(() => {})
    },
  },
  {
    name: 'page request',
    weight: 8,
    take(scene, dice) {
      const bins = Array.from({ length: 1 + dice.below(2) }, () => dice.pick(scene.habits.bins))
      const { removals } = scene.habits
      visit(scene, pickProfile(scene, dice), async (edit) => {
        for (const bin of bins) await edit({ bin, dice, removals })
      })
    },
  },
  {
    name: 'delete many bins',
    weight: 0.5,
    take(scene, dice) {
      const profile = pickProfile(scene, dice)
      const bin = dice.pick(scene.habits.bins)
      scene.world.trace.say(profile.name, () => 'deletes many bins')
      visit(scene, profile, async (edit, state) => {
        await edit({ bin, dice, removals: Infinity })
        // More than a record remembers: it forgets that the first one was deleted.
        for (let index = 0; index <= MAX_TOMBSTONES; index += 1) state.set(`old-${index}`, null)
      })
    },
  },
]

/** Requests a page that edits bins. */
function visit(
  { world, site }: Scene,
  profile: Profile,
  work: (edit: (what: EditOptions) => Promise<void>, state: ServerBins) => Promise<void>,
): void {
  const life = openLife(world.timeline)
  const answer = (request: Request) =>
    site.visit(request, async (state, { name, version }) => {
      const tags = [profile.jar.get('bb.o') ?? '']
      // Whether edits are saved is for the answer to tell, and that may be lost.
      const excuse = 'made in a page request'
      const editor = { name, profile: profile.name, version, bins: state, tags, isBlind: false, excuse }
      const edit = async (what: EditOptions) => {
        await makeEdit(world, editor, what)?.done
      }
      await work(edit, state)
    })
  const init = { method: 'POST' }
  profile.connection.send({ tab: profile.name, life, path: '/', init, answer }).catch(() => {})
}

/** Why edits that are made now may be lost. */
function excuseOf({ former, jar, hasLostPower, wentBack }: Profile, owner: string): string | undefined {
  // Whose bins a tab shows that has not spoken for the present visitor is not known.
  if (former.size > 0 && owner !== (jar.get('bb.o') ?? '')) return 'its visitor was replaced'
  // Then numbers come again that were used already.
  return hasLostPower && wentBack ? 'the power was lost, and the clock set back' : undefined
}

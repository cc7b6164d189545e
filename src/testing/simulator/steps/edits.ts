import { BinsError } from '../../../core/error.ts'
import { BIN_NAMES, type SimulatedBin } from '../bins.ts'
import { makeEdit } from '../edit.ts'
import { openLife } from '../life.ts'
import { pickProfile, pickTab, type Step } from '../scene.ts'

const CLIENT_BINS = BIN_NAMES.filter((bin) => bin !== 'plan')

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
        excuse: profile.former.has(owner) ? 'its visitor was replaced' : undefined,
      }
      const bin = dice.pick<SimulatedBin>(CLIENT_BINS)
      try {
        const made = makeEdit(world, editor, { bin, dice })
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
      const { world, site } = scene
      const profile = pickProfile(scene, dice)
      const names = Array.from({ length: 1 + dice.below(2) }, () => dice.pick(BIN_NAMES))
      const answer = (request: Request) =>
        site.visit(request, async (state, { name, version }) => {
          const tags = [profile.jar.get('bb.o') ?? '']
          // Whether edits are saved is for the answer to tell, and that may be lost.
          const excuse = 'made in a page request'
          const editor = { name, profile: profile.name, version, bins: state, tags, isBlind: false, excuse }
          for (const bin of names) await makeEdit(world, editor, { bin, dice })?.done
        })
      const life = openLife(world.timeline)
      const init = { method: 'POST' }
      profile.connection.send({ tab: profile.name, life, path: '/', init, answer }).catch(() => {})
    },
  },
]

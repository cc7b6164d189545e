import type { Bins } from '../../../src/core/bins.ts'
import { FIELDS, isChain, listOf, type ProgramVersion, type SimulatedBin, toList } from './bins.ts'
import type { Dice } from './dice.ts'
import type { SimulatedEdit } from './ledger.ts'
import type { World } from './world.ts'

/** Who edits, and where. */
export interface Editor {
  /** The tab or process. */
  readonly name: string
  /** The browser, or in whose name it happens. */
  readonly profile: string
  /** The version of the program. */
  readonly version: ProgramVersion
  /** What is edited. */
  readonly bins: Pick<Bins, 'get' | 'set' | 'update'>
  /** Tags of the visitors whose bins it may be. */
  readonly tags: readonly string[]
  /** Whether the browser has never had an answer about the visitor. */
  readonly isBlind: boolean
  /** Why its edits may be lost, if they may. */
  readonly excuse?: string | undefined
}

/** What is edited, and how. */
export interface EditOptions {
  /** The bin. */
  readonly bin: SimulatedBin
  /** Decides the rest. */
  readonly dice: Dice
  /** How often an edit takes something away; `Infinity`: wherever it can. */
  readonly removals: number
}

/** Edits a bin in some way. Returns what was entered, and when a `set` is done, nothing to wait for. */
export function makeEdit(
  world: World,
  editor: Editor,
  { bin, dice, removals }: EditOptions,
): { edit: SimulatedEdit; done: Promise<unknown> | undefined } | undefined {
  const { ledger, trace, timeline } = world
  const { bins, version } = editor

  function enter(more: Partial<SimulatedEdit> = {}): SimulatedEdit {
    const { profile, name, tags, isBlind, excuse } = editor
    const excused = excuse === undefined ? {} : { excuse }
    return ledger.enter({ bin, profile, by: name, at: timeline.now, tags, isBlind, ...excused, ...more })
  }

  function set(edit: SimulatedEdit, data: unknown) {
    trace.say(editor.name, () => `${edit.id}: sets ${bin} to ${JSON.stringify(data)}`)
    bins.set(bin, data)
    return { edit, done: undefined }
  }

  function update(edit: SimulatedEdit, change: (data: unknown) => unknown) {
    trace.say(editor.name, () => `${edit.id}: updates ${bin}`)
    edit.isUpdate = true
    return { edit, done: bins.update(bin, change) }
  }

  const isUpdate = dice.fraction() < 0.4
  const present = bins.get(bin)
  if (bin === 'list') {
    const ids = listOf(present)
    const kind = dice.fraction()
    if (kind < removals / 3) {
      for (const id of ids) ledger.removed.add(id)
      return set(enter({ isRemoval: true }), null)
    }
    if (kind < removals && ids.length > 0) {
      const removed = dice.pick(ids)
      ledger.removed.add(removed)
      return update(enter({ isRemoval: true }), (data) => {
        const rest = listOf(data).filter((id) => id !== removed)
        return rest.length === 0 ? null : toList(version, rest)
      })
    }
    const edit = enter()
    const add = (data: unknown) => toList(version, [...listOf(data), edit.id])
    return isUpdate ? update(edit, add) : set(edit, add(present))
  }
  if (bin === 'count') {
    const add = (data: unknown) => Number(data ?? 0) + 1
    return isUpdate ? update(enter(), add) : set(enter(), add(present))
  }
  if (isChain(bin)) {
    const edit = enter()
    return update(edit, (data) => [...listOf(data), edit.id])
  }
  if (bin === 'form') {
    const field = dice.pick(FIELDS)
    const edit = enter({ field })
    const fill = (data: unknown) => ({ ...(data as object | undefined), [field]: edit.id })
    return isUpdate ? update(edit, fill) : set(edit, fill(present))
  }
  if (dice.fraction() < removals) return set(enter({ isRemoval: true }), null)
  const edit = enter()
  return isUpdate ? update(edit, () => ({ id: edit.id })) : set(edit, { id: edit.id })
}

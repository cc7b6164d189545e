import type { BinText } from '../../core/definition/bin-text.ts'
import type { Definition } from '../../core/definition/definition.ts'
import { isRenewedByReading } from '../../core/sync/renewal.ts'
import { openQueue } from '../table/optimistic-queue.ts'
import type { Rows } from '../table/rows.ts'
import type { Edit } from './local-edits.ts'

/** What of a definition is about a bin on this device. */
export type DeviceBin = Pick<Definition, 'name' | 'maxAge' | 'renew'>

/** An edit of a bin on this device. */
export type DeviceEdit = Pick<Edit, 'compute' | 'at'> & { readonly definition: DeviceBin }

/** The bins that never leave this device. */
export interface DeviceBins {
  /** What a bin holds, edits that are not stored yet included. */
  find(definition: Pick<Definition, 'name'>): BinText | undefined
  /** Makes an edit: visible at once, stored in the background. Resolves when it is stored. */
  edit(edit: DeviceEdit): Promise<void>
  /** Starts the lifetime of a bin anew that is read, if it is time. */
  renew(definition: Definition): void
  /** Names of the bins that hold data. */
  names(): string[]
  /** Deletes all bins, those that nobody defines any more included: at once, and stored in the background. */
  clear(): Promise<void>
  /** Resolves when every edit so far is stored or has failed. */
  flush(): Promise<void>
  /** Reads the rows again: another tab may have changed them. */
  reload(): Promise<void>
}

interface DeviceRow extends BinText {
  readonly v: 1
  readonly expires: number
  readonly session?: string
}

type State = ReadonlyMap<string, DeviceRow | undefined>

const PREFIX = 'd/'

/** Opens the device's bins. */
export async function openDeviceBins({
  rows,
  clock,
  session,
  onChange,
}: {
  rows: Rows
  clock: () => number
  session: () => string | undefined
  onChange: () => void
}): Promise<DeviceBins> {
  const queue = openQueue<State>({
    initial: parse(await rows.load(PREFIX)),
    transact: async (step) =>
      parse(
        await rows.change(
          PREFIX,
          (all) => new Map([...step(parse(all))].map(([name, row]) => [PREFIX + name, row])),
        ),
      ),
    onChange,
  })

  function liveRow(state: State, name: string): DeviceRow | undefined {
    const row = state.get(name)
    if (!row || row.expires <= clock()) return undefined
    return row.session === undefined || row.session === session() ? row : undefined
  }

  function applyEdit(state: State, { definition, compute, at }: DeviceEdit): State {
    const { name, maxAge, renew } = definition
    const before = liveRow(state, name)
    const kept = compute(before)
    if (!kept) return new Map(state).set(name, undefined)
    const own = session()
    const expires = maxAge === 'session' ? Infinity : at + maxAge * 1_000
    return new Map(state).set(name, {
      v: 1,
      ...kept,
      expires: before && renew === 'never' ? before.expires : expires,
      ...(maxAge === 'session' && own !== undefined ? { session: own } : {}),
    })
  }

  function edit(made: DeviceEdit): Promise<void> {
    return queue.add({ apply: (state) => applyEdit(state, made) })
  }

  return {
    find: ({ name }) => liveRow(queue.shown, name),
    edit,
    renew(definition) {
      const row = liveRow(queue.shown, definition.name)
      if (!row || !isRenewedByReading(definition, row.expires, clock())) return
      const same = { definition, compute: (kept: BinText | undefined) => kept, at: clock() }
      // It is as good as it was, if that fails.
      edit(same).catch(() => {})
    },
    names: () => [...queue.shown.keys()].filter((name) => liveRow(queue.shown, name)),
    clear: () => queue.add({ apply: (state) => new Map([...state.keys()].map((name) => [name, undefined])) }),
    flush: () => queue.flush(),
    reload: () => queue.replaceBy(async () => parse(await rows.load(PREFIX))),
  }
}

function parse(all: ReadonlyMap<string, unknown>): State {
  const state = new Map<string, DeviceRow>()
  for (const [key, row] of all) if (isDeviceRow(row)) state.set(key.slice(PREFIX.length), row)
  return state
}

/** Rows of another version belong to another version of the code, in another tab, and are left alone. */
function isDeviceRow(value: unknown): value is DeviceRow {
  return typeof value === 'object' && value !== null && 'v' in value && value.v === 1 && 'text' in value
}

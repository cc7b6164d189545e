/** An edit of state on this device. */
export interface QueuedEdit<State> {
  /** Makes the edit. Pure; runs on what is shown, and again on what is stored by then. Throws where it cannot be made. */
  readonly apply: (state: State) => State
  /** Told when it is stored, of the transaction that made it. */
  readonly onApplied?: (before: State, after: State) => void
}

/** State on this device that edits change: shown at once, stored in the background, in order. */
export interface EditQueue<State> {
  /** The state with all edits, those that are not stored yet included. */
  readonly shown: State
  /** The state as it was last stored. */
  readonly stored: State
  /**
   * Makes an edit. Resolves when it is stored.
   *
   * @throws At once, and changes nothing, if the edit cannot be made on what is shown.
   */
  add(edit: QueuedEdit<State>): Promise<void>
  /** Changes the stored state by anything but an edit, after the edits so far. */
  change(step: (state: State) => State): Promise<void>
  /** Takes over the state that a transaction of another kind leaves, or that others have stored, after the edits so far. */
  replaceBy(work: () => Promise<State>): Promise<void>
  /** Resolves when every edit so far is stored or has failed. */
  flush(): Promise<void>
}

/** Circumstances of {@link openQueue}. */
export interface EditQueueOptions<State> {
  /** The state as it is stored. */
  readonly initial: State
  /** Changes what is stored in one transaction, on what the tabs have made of it by then. */
  readonly transact: (step: (state: State) => State) => Promise<State>
  /** Told after each change of what is shown. */
  readonly onChange: () => void
}

interface Waiting<State> {
  readonly edit: QueuedEdit<State>
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** Opens a queue of edits. */
export function openQueue<State>({ initial, transact, onChange }: EditQueueOptions<State>): EditQueue<State> {
  let stored = initial
  let shown = stored
  let waiting: Array<Waiting<State>> = []
  let storing: Promise<void> | undefined

  function show(): void {
    shown = waiting.reduce(showOne, stored)
    onChange()
  }

  /** An edit that cannot be made any more is not shown; its transaction says why. */
  function showOne(before: State, { edit }: Waiting<State>): State {
    try {
      return edit.apply(before)
    } catch {
      return before
    }
  }

  async function storeAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      const failures = new Map<Waiting<State>, unknown>()
      let applied: Array<() => void> = []
      try {
        stored = await transact((state) => {
          failures.clear()
          applied = []
          return batch.reduce((before, one) => storeOne(before, one, { failures, applied }), state)
        })
        for (const tell of applied) tell()
      } catch (error) {
        for (const one of batch) failures.set(one, error)
      }
      waiting = waiting.filter((one) => !batch.includes(one))
      show()
      for (const one of batch) {
        if (failures.has(one)) one.reject(failures.get(one))
        else one.resolve()
      }
    }
    // In the same step as the last look at what waits: an edit made in between would wait for ever.
    storing = undefined
  }

  /** An edit that cannot be made on what other tabs have stored fails alone. */
  function storeOne(
    before: State,
    one: Waiting<State>,
    { failures, applied }: { failures: Map<Waiting<State>, unknown>; applied: Array<() => void> },
  ): State {
    try {
      const after = one.edit.apply(before)
      applied.push(() => one.edit.onApplied?.(before, after))
      return after
    } catch (error) {
      failures.set(one, error)
      return before
    }
  }

  function flush(): Promise<void> {
    // The first edit of a task waits for those after it, to share a transaction.
    storing ??= Promise.resolve().then(storeAll)
    return storing
  }

  async function replaceBy(work: () => Promise<State>): Promise<void> {
    await flush()
    stored = await work()
    show()
  }

  return {
    get shown() {
      return shown
    },
    get stored() {
      return stored
    },
    add(edit) {
      shown = edit.apply(shown)
      const done = new Promise<void>((resolve, reject) => {
        waiting = [...waiting, { edit, resolve, reject }]
      })
      onChange()
      void flush()
      return done
    },
    change: (step) => replaceBy(() => transact(step)),
    replaceBy,
    flush,
  }
}

/** State on this device that edits change: shown at once, stored in the background, in order. */
export interface EditQueue<State, Edit> {
  /** The state with all edits, those that are not stored yet included. */
  readonly shown: State
  /** The state as it was last stored. */
  readonly stored: State
  /**
   * Makes an edit. Resolves when it is stored.
   *
   * @throws At once, and changes nothing, if the edit cannot be applied to what is shown.
   */
  add(edit: Edit): Promise<void>
  /** Changes the stored state by anything but an edit. */
  change(step: (state: State) => State): Promise<void>
  /** Takes over a state that was stored elsewhere. */
  replace(stored: State): void
  /** Resolves when every edit so far is stored or has failed. */
  flush(): Promise<void>
}

/** Circumstances of {@link openQueue}. */
export interface EditQueueOptions<State, Edit> {
  /** The state as it is stored. */
  readonly initial: State
  /** Applies an edit to a state. Pure; runs on what is shown, and again on what is stored by then. */
  readonly apply: (state: State, edit: Edit) => State
  /** Told of each edit that a transaction applies: on which state, and what it became. */
  readonly onApplied?: (edit: Edit, before: State, after: State) => void
  /** Changes what is stored in one transaction, on what the tabs have made of it by then. */
  readonly transact: (step: (state: State) => State) => Promise<State>
  /** Told after each change of what is shown. */
  readonly onChange: () => void
}

interface Waiting<Edit> {
  readonly edit: Edit
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** Opens a queue of edits. */
export function openQueue<State, Edit>(options: EditQueueOptions<State, Edit>): EditQueue<State, Edit> {
  const { apply, onApplied, transact, onChange } = options
  let stored = options.initial
  let shown = stored
  let waiting: Array<Waiting<Edit>> = []
  let storing: Promise<void> | undefined

  function show(): void {
    shown = waiting.reduce((state, { edit }) => apply(state, edit), stored)
    onChange()
  }

  async function storeAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      const failures = new Map<Waiting<Edit>, unknown>()
      try {
        stored = await transact((state) => {
          failures.clear()
          return batch.reduce((before, one) => applyOne(before, one, failures), state)
        })
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
  }

  /** An edit that can no longer be applied, to what other tabs have stored, fails alone. */
  function applyOne(before: State, one: Waiting<Edit>, failures: Map<Waiting<Edit>, unknown>): State {
    try {
      const after = apply(before, one.edit)
      onApplied?.(one.edit, before, after)
      return after
    } catch (error) {
      failures.set(one, error)
      return before
    }
  }

  function flush(): Promise<void> {
    // The first edit of a task waits for those after it, to share a transaction.
    storing ??= Promise.resolve()
      .then(storeAll)
      .finally(() => {
        storing = undefined
      })
    return storing
  }

  return {
    get shown() {
      return shown
    },
    get stored() {
      return stored
    },
    add(edit) {
      shown = apply(shown, edit)
      const done = new Promise<void>((resolve, reject) => {
        waiting = [...waiting, { edit, resolve, reject }]
      })
      onChange()
      void flush()
      return done
    },
    async change(step) {
      await flush()
      stored = await transact(step)
      show()
    },
    replace(state) {
      stored = state
      show()
    },
    flush,
  }
}

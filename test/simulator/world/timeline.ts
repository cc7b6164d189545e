/** Time that goes on from event to event, and stands still in between. */
export interface Timeline {
  /** The present, in ms since the Unix epoch. */
  readonly now: number
  /** How many events there were. */
  readonly count: number
  /** Lets something happen after some ms. Returns what takes it back. */
  after(ms: number, happen: () => void): () => void
  /** Has time stand still until work outside of it is done. */
  hold<Result>(work: Promise<Result>): Promise<Result>
  /** Lets all happen that is due in the next ms, or until nothing more is to happen. */
  pass(ms: number, isOver?: () => boolean): Promise<void>
}

interface Event {
  readonly at: number
  /** Of two events at one time, the one that was planned first comes first. */
  readonly order: number
  happen: (() => void) | undefined
}

/** Opens a timeline. */
export function openTimeline(start: number): Timeline {
  const events: Event[] = []
  let now = start
  let order = 0
  let count = 0
  let held = 0

  /** All that waits for nothing outside of this process has happened when Node comes to its immediates. */
  async function settle(): Promise<void> {
    do await new Promise(setImmediate)
    while (held > 0)
  }

  return {
    get now() {
      return now
    },
    get count() {
      return count
    },
    after(ms, happen) {
      order += 1
      const event: Event = { at: now + Math.max(0, ms), order, happen }
      push(events, event)
      return () => {
        event.happen = undefined
      }
    },
    async hold(work) {
      held += 1
      try {
        return await work
      } finally {
        held -= 1
      }
    },
    async pass(ms, isOver = () => false) {
      const end = now + ms
      await settle()
      for (let first = events[0]; first && first.at <= end && !isOver(); first = events[0]) {
        pop(events)
        if (!first.happen) continue
        now = first.at
        count += 1
        first.happen()
        await settle()
      }
      if (!isOver()) now = end
    },
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}

/** Adds to a binary heap. */
function push(heap: Event[], event: Event): void {
  let index = heap.length
  while (index > 0) {
    const above = (index - 1) >> 1
    // Above a place that is not the first, there is one.
    const parent = heap[above] as Event
    if (!isBefore(event, parent)) break
    heap[index] = parent
    index = above
  }
  heap[index] = event
}

/** Takes the first event of a binary heap away. */
function pop(heap: Event[]): void {
  const last = heap.pop()
  if (!last || heap.length === 0) return
  let index = 0
  for (;;) {
    const left = 2 * index + 1
    let child = heap[left]
    if (!child) break
    let below = left
    const right = heap[left + 1]
    if (right && isBefore(right, child)) {
      child = right
      below = left + 1
    }
    if (!isBefore(child, last)) break
    heap[index] = child
    index = below
  }
  heap[index] = last
}

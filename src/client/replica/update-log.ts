import type { BinText } from '../../core/definition/bin-text.ts'

/** Computes what an edit makes of a bin: from what is there, or regardless of it. */
export type Compute = (kept: BinText | undefined) => BinText | undefined

/** The computations of this page behind the ops that wait: those of `update`, to be run again after a conflict. */
export interface Computations {
  /**
   * Notes the computation of an edit.
   *
   * @param n Number of its op.
   * @param on Number of the op that it was made on top of, if one waited and the computation looked at it.
   */
  add(bin: string, compute: Compute, numbers: { n: number; on: number | undefined }): void
  /**
   * Runs those computations on what is kept now that it was not built with.
   *
   * @param n Number of the op that waits.
   * @param seen Number of the last op that what is kept now was built with.
   * @returns The text, `null` to delete the bin, or `undefined` if this page does not know them all, or they fail.
   */
  run(
    bin: string,
    numbers: { n: number; seen: number },
    kept: BinText | undefined,
  ): BinText | null | undefined
  /** Forgets those of a bin: what waits was not made by them alone. */
  forget(bin: string): void
  /** Notes which ops wait since an answer was taken in, by bin. */
  follow(opOf: (bin: string) => number | undefined): void
  /** Forgets all. */
  clear(): void
}

interface Computation {
  readonly n: number
  readonly compute: Compute
}

/** Opens the computations of a page. */
export function openComputations(): Computations {
  const known = new Map<string, { n: number; all: Computation[] }>()
  /** Bins whose computations an answer has run: what they made waits under another number. */
  const run = new Set<string>()
  return {
    add(bin, compute, { n, on }) {
      const history = known.get(bin)
      if (on === undefined) known.set(bin, { n, all: [{ n, compute }] })
      else if (history?.n === on) known.set(bin, { n, all: [...history.all, { n, compute }] })
      // Another tab made the op that waited, or another load of this page.
      else known.delete(bin)
    },
    run(bin, { n, seen }, kept) {
      const history = known.get(bin)
      if (history?.n !== n) return undefined
      try {
        const unseen = history.all.filter((one) => one.n > seen)
        const computed = unseen.reduce<BinText | undefined>((before, { compute }) => compute(before), kept)
        run.add(bin)
        return computed ?? null
      } catch {
        return undefined
      }
    },
    forget: (bin) => void known.delete(bin),
    follow(opOf) {
      for (const [bin, history] of known) {
        const n = opOf(bin)
        if (n === undefined) known.delete(bin)
        else if (run.has(bin)) history.n = n
      }
      run.clear()
    },
    clear: () => known.clear(),
  }
}

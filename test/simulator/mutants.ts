/** A rule of the protocol, and a source without it. */
export interface Mutant {
  /** The rule that is missing. */
  readonly rule: string
  /** Within how many seeds the simulator must find out. */
  readonly seeds: number
  /** What is replaced, each of which must be there exactly once. */
  readonly changes: ReadonlyArray<{ readonly file: string; readonly from: string; readonly to: string }>
}

/** Rules of the protocol, each missing in one mutant. */
export const MUTANTS: readonly Mutant[] = [
  {
    rule: 'compare-and-set on rev',
    seeds: 200,
    changes: [
      change(
        'core/sync/apply-edits.ts',
        'if (op.base === row.rev) return true',
        'if (op.base !== null) return true',
      ),
    ],
  },
  {
    rule: '`seen` tells which edits a conflict was built with',
    seeds: 500,
    changes: [
      change(
        'core/sync/apply-edits.ts',
        'resultOf(op, state, seen, row)',
        "resultOf(op, state, state === 'dup' ? seen : 0, row)",
      ),
    ],
  },
  {
    rule: 'an op number is applied once',
    seeds: 500,
    changes: [
      change(
        'core/sync/apply-edits.ts',
        "if (client !== undefined && op.n <= seen) return answer('dup')",
        '',
      ),
    ],
  },
  {
    rule: 'op numbers are durable before they are sent',
    seeds: 200,
    changes: [
      change(
        'core/sync/replica.ts',
        'if (!op.offered) rows.set(bin, { ...row, op: { ...op, offered: true } })',
        '',
      ),
    ],
  },
  {
    rule: 'marks in cursors',
    seeds: 2_000,
    changes: [
      change(
        'core/sync/wire.ts',
        'marks.find(([ours, mark]) => String(ours) === seq && mark === theirMark)',
        'Number(seq) <= (marks.at(-1)?.[0] ?? 0) ? [Number(seq), theirMark] as const : undefined',
      ),
    ],
  },
  {
    rule: '`base: null` is a conflict',
    seeds: 500,
    changes: [
      change(
        'core/sync/apply-edits.ts',
        'return op.base === null && row.text !== undefined && !isLive(row, now, session)',
        'return op.base === null',
      ),
    ],
  },
  {
    rule: 'edits only for a visitor whose cookie came back',
    seeds: 200,
    changes: [
      change(
        'server/sync/exchange.ts',
        'return { v: PROTOCOL, parts: [], minted: true }',
        'const tag = visitorTag(visitor.token as never); return answerVisitor(arguments[0], tag, { ...request, parts: request.parts.map((part) => ({ ...part, tag })) })',
      ),
    ],
  },
  {
    rule: '`strict`',
    seeds: 500,
    changes: [
      change('core/sync/apply-edits.ts', 'if (op.strict || isMerged({ merge }))', 'if (isMerged({ merge }))'),
    ],
  },
  {
    rule: 'gravestones',
    seeds: 2_000,
    changes: [change('core/sync/record.ts', 'floor: seq, erased: now, bins', 'floor: seq, bins')],
  },
  {
    rule: 'tombstones',
    seeds: 500,
    changes: [
      change(
        'core/sync/apply-edits.ts',
        'const bins = new Map(record.bins).set(op.bin, toRow(op, row, definition, seq, options))',
        'const bins = new Map(record.bins).set(op.bin, toRow(op, row, definition, seq, options)); if (op.text === undefined) bins.delete(op.bin)',
      ),
    ],
  },
  {
    rule: 'last words of a page that is left',
    seeds: 500,
    changes: [change('client/replica/last-words.ts', 'texts?.setItem(ownKey, JSON.stringify(words))', '')],
  },
  {
    rule: 'op numbers go on after a loss of power',
    seeds: 4_000,
    changes: [
      change(
        'core/sync/replica.ts',
        'const n = Math.max(replica.meta.last + 1, at)',
        'const n = replica.meta.last + 1',
      ),
    ],
  },
  {
    rule: 'a snapshot below the floor',
    seeds: 2_000,
    changes: [
      change(
        'core/sync/wire.ts',
        'known && known[0] >= floor ? known[0] : undefined',
        'known ? known[0] + 0 * floor : undefined',
      ),
    ],
  },
  {
    rule: 'an absent row with a base is a conflict',
    seeds: 6_000,
    changes: [
      change(
        'core/sync/apply-edits.ts',
        'if (!row) return op.base === null || op.base === 0',
        'if (!row) return true',
      ),
    ],
  },
  {
    rule: 'owner tags',
    seeds: 10_000,
    changes: [change('server/sync/exchange.ts', 'if (isMistaken) return', 'if (!tag) return')],
  },
  {
    rule: 'age instead of time',
    seeds: 10_000,
    changes: [
      change('core/sync/replica.ts', 'age: Math.max(0, now - at),', 'age: at,'),
      change(
        'core/sync/apply-edits.ts',
        'return now - Math.max(0, op.age)',
        'return op.age > 1e12 ? op.age : now - Math.max(0, op.age)',
      ),
    ],
  },
  {
    rule: 'a fresh client id where storage fails',
    seeds: 4_000,
    changes: [change('client/replica/replica-rows.ts', '{ ...row, client: newId() }', 'row')],
  },
  {
    rule: 'an edit that waits in two places is applied once',
    seeds: 4_000,
    changes: [change('client/replica/replica-rows.ts', 'op: { ...op, also: { client, n: op.n } }', 'op')],
  },
]

function change(file: string, from: string, to: string) {
  return { file, from, to }
}

import { describe, expect, it } from 'vitest'
import { checkHistory, type HistoryEvent } from '../../../src/testing/store-suite/history.ts'

/** Events written as `from-to before>after`, such as `1-2 0>5`. */
function events(...lines: string[]): HistoryEvent[] {
  return lines.map((line) => {
    const [from = 0, to = 0, before = 0, after = 0] = line.split(/[- >]/).map(Number)
    return { from, to, before, after }
  })
}

describe('the history of a key', () => {
  it.each<[string, string[]]>([
    ['one after the other', ['1-2 0>1', '3-4 1>1', '5-6 1>2', '7-8 2>0', '9-10 0>0', '11-12 0>3']],
    ['a read that overlaps a write, and finds what was before', ['1-2 0>1', '3-6 1>2', '4-5 1>1']],
    ['a read that overlaps a write, and finds what is after', ['1-2 0>1', '3-6 1>2', '4-5 2>2']],
    ['a deletion that overlaps a creation', ['1-2 0>1', '3-6 1>0', '4-5 0>2']],
  ])('may be %s', (_, lines) => {
    expect(() => checkHistory(events(...lines), 'history')).not.toThrow()
  })

  it.each<[string, string[], RegExp]>([
    ['a lost update', ['1-2 0>1', '3-6 1>2', '4-5 1>3'], /version 1 was changed twice/],
    ['a write over nothing', ['1-2 0>1', '3-4 2>3'], /version 2 came from nowhere/],
    ['a creation over what is there', ['1-2 0>1', '3-4 0>2'], /created over version/],
    ['a creation before the deletion', ['1-2 0>1', '3-4 0>2', '5-6 1>0'], /there before a deletion/],
    ['a read of what is over', ['1-2 0>1', '3-4 1>2', '5-6 1>1'], /read 1 when it was over/],
    ['a read of what is to come', ['1-2 0>1', '3-4 2>2', '5-6 1>2'], /read 2 before it was written/],
    ['a read of what nobody wrote', ['1-2 0>1', '3-4 7>7'], /read 7 before it was written/],
    ['a read of nothing', ['1-2 0>1', '3-4 0>0'], /read nothing while there was something/],
  ])('is not %s', (_, lines, message) => {
    expect(() => checkHistory(events(...lines), 'history')).toThrow(message)
  })
})

import { BinsError } from '../../core/error.ts'

/** Version of the table's columns. It is raised when stores of before would misread the table. */
const LAYOUT = 1

/** What the comment on the table says: whoever keeps the records, and how. */
export const MARK = `breadbin ${LAYOUT}`

/**
 * Checks that a table is one that this version of the store reads. A table without a mark was made by hand, and is
 * believed.
 *
 * @param comment The comment on the table, or any text that has the mark in it.
 * @throws {@link BinsError} `STORE_FAILED` if a later version has made the table.
 */
export function checkLayout(table: string, comment: string): void {
  const layout = Number(/\bbreadbin (\d+)\b/.exec(comment)?.[1] ?? LAYOUT)
  if (layout <= LAYOUT) return
  throw new BinsError(
    'STORE_FAILED',
    `The table ${table} has the layout ${layout}, of a newer Breadbin; this one knows ${LAYOUT}. Update Breadbin here.`,
  )
}

/**
 * Checks the name of a table, or of a schema: it becomes part of statements.
 *
 * @throws TypeError if it is no plain name.
 */
export function checkName(option: string, name: string, maxLength: number): void {
  if (/^[A-Za-z_]\w*$/.test(name) && name.length <= maxLength) return
  throw new TypeError(
    `${option}: pass 1 to ${maxLength} letters, digits and underscores that do not begin with a digit.`,
  )
}

import { BinsError } from '../../core/error.ts'
import { checkLayout } from './layout.ts'

/** How to make sure that the table is there. */
export interface SetUp {
  /** Name of the table, for people. */
  readonly table: string
  /** What creates it. */
  readonly sql: string
  /** Answers the comment on the table; `undefined` if there is no table. */
  find(): Promise<string | undefined>
  /** Runs {@link SetUp.sql}. Processes may race. */
  create(): Promise<unknown>
}

/**
 * Makes sure that the table is there, and that its layout is known. It is looked for first: who may only read and
 * write, or has a server that is read-only, may still use a table that somebody else has made.
 *
 * @throws {@link BinsError} `STORE_FAILED` with the SQL to run, if the table is not there and cannot be created.
 */
export async function setUp({ table, sql, find, create }: SetUp): Promise<void> {
  const comment = await find()
  if (comment !== undefined) return checkLayout(table, comment)
  try {
    await create()
  } catch (cause) {
    throw new BinsError(
      'STORE_FAILED',
      `There is no table ${table}, and it could not be created. Let somebody who may run:\n${sql}`,
      { cause },
    )
  }
}

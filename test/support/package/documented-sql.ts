import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../run.ts'
import { codeBlocks } from './code-blocks.ts'

/** The SQL in `docs/stores.md` for one database, block by block, without the comment that names it. */
export function documentedSql(database: string): string[] {
  const first = `-- ${database}\n`
  return codeBlocks(readFileSync(join(ROOT, 'docs/stores.md'), 'utf8'))
    .filter(({ language, code }) => language === 'sql' && code.startsWith(first))
    .map(({ code }) => code.slice(first.length).trimEnd())
}

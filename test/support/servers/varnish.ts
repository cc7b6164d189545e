import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPort, makeFolder, startProgram } from './program.ts'

/** A Varnish of these tests, in front of a site. */
export interface Varnish {
  /** Where it is. */
  readonly url: string
  /** Ends it. */
  stop(): Promise<void>
}

/**
 * Starts a Varnish in front of a site on this machine.
 *
 * @param vcl Path of its configuration; the port of the backend in it is replaced.
 */
export async function startVarnish(program: string, vcl: string, sitePort: number): Promise<Varnish> {
  const port = await findPort()
  const folder = makeFolder()
  const file = join(folder.path, 'site.vcl')
  writeFileSync(file, readFileSync(vcl, 'utf8').replace(/\.port = "\d+"/, `.port = "${sitePort}"`))
  const running = await startProgram(
    program,
    [
      '-F',
      '-j',
      'none',
      '-n',
      join(folder.path, 'work'),
      '-f',
      file,
      '-a',
      `127.0.0.1:${port}`,
      '-s',
      'malloc,16m',
    ],
    { port, folder: folder.path },
  )
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      await running.stop()
      folder.remove()
    },
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endTogether } from '../support/end-together.ts'
import { ROOT } from '../support/run.ts'

/** The demo, as a process of its own. */
export interface Demo {
  /** Where it is; stays the same when it is started again. */
  readonly url: string
  /** Folder of its data, for this demo alone. */
  readonly data: string
  /** What it has written to standard output, and to standard error. */
  readonly output: { log: string; errors: string }
  /** Asks it to stop, and returns its exit code. */
  stop(signal?: 'SIGINT' | 'SIGTERM'): Promise<number | null>
  /** Starts it again, with the same data, at the same place. */
  start(): Promise<void>
  /** Stops it and deletes its data. */
  dispose(): Promise<void>
}

/** Starts the demo at a free port. */
export async function startDemo(): Promise<Demo> {
  const data = mkdtempSync(join(tmpdir(), 'breadbin-demo-'))
  const output = { log: '', errors: '' }
  let url = ''
  let child = spawnDemo('0')

  function spawnDemo(port: string) {
    // The Node that `npm start` finds: it has SQLite, whatever runs the tests.
    const node = join(ROOT, 'node_modules/.bin/node')
    const { BREADBIN_SECRETS: _, ...env } = process.env
    const started = spawn(node, [join(ROOT, 'examples/demo/server.mjs')], {
      env: { ...env, DATA: data, PORT: port },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    endTogether(started)
    started.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.log += text
    })
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.errors += text
    })
    return started
  }

  async function ready(): Promise<void> {
    const before = output.log.length
    for (;;) {
      url = /http:\/\/localhost:\d+/.exec(output.log.slice(before))?.[0] ?? ''
      if (url !== '') return
      if (child.exitCode !== null) throw new Error(`The demo does not start: ${output.errors}`)
      await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
    }
  }

  async function stop(signal: 'SIGINT' | 'SIGTERM' = 'SIGTERM'): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, 'exit')
    }
    return child.exitCode
  }

  await ready()
  return {
    get url() {
      return url
    },
    data,
    output,
    stop,
    async start() {
      child = spawnDemo(new URL(url).port)
      await ready()
    },
    async dispose() {
      await stop()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

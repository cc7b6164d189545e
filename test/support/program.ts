import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { endTogether } from './end-together.ts'

/** A program that serves something. */
export interface Program {
  /** What it wrote first. */
  readonly firstLine: string
  /** Ends it. */
  stop(): Promise<void>
}

/** Starts a program of Node, and waits for its first line. */
export async function startProgram(args: readonly string[], cwd: string): Promise<Program> {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  endTogether(child)
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  while (!output.includes('\n')) {
    if (child.exitCode !== null) throw new Error(`the program has ended: ${errors}`)
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  }
  return {
    firstLine: output.slice(0, output.indexOf('\n')),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill()
      await once(child, 'exit')
    },
  }
}

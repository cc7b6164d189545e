/**
 * Set-up of every test file: no visitor's token is in what is logged, by the test or by a process that it starts, nor in
 * the message of any error, whether somebody sees it or not.
 */
import childProcess, { type ChildProcess } from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
import { inspect } from 'node:util'
import { afterAll, expect } from 'vitest'

/** What `formatToken` makes. */
const TOKEN = /(?<![\w-])[\w-]{22}\.[\w-]{43}(?![\w-])/

const leaks = new Set<string>()

function look(...said: unknown[]): void {
  const text = said.map((one) => (typeof one === 'string' ? one : inspect(one))).join(' ')
  if (TOKEN.test(text)) leaks.add(text)
}

for (const level of ['debug', 'error', 'info', 'log', 'warn'] as const) {
  const write = console[level]
  console[level] = (...said) => {
    look(...said)
    write(...said)
  }
}

globalThis.Error = new Proxy(Error, {
  construct(target, [message, ...rest], newTarget) {
    look(String(message))
    return Reflect.construct(target, [message, ...rest], newTarget)
  },
})

const { spawn } = childProcess
childProcess.spawn = ((...call: Parameters<typeof spawn>): ChildProcess => {
  const child = spawn(...call)
  // What a browser says of the addresses of its pages, it says to its own user.
  if (!/chrom|firefox/.test(call[0])) child.stderr?.on('data', (chunk) => look(String(chunk)))
  return child
}) as typeof spawn
syncBuiltinESMExports()

afterAll(() => {
  expect([...leaks], 'logs and errors that hold a token').toEqual([])
})

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, type it } from 'vitest'
import { checkHistory, type HistoryEvent } from '../../../src/testing/store-suite/history.ts'
import { NOW, openStore } from './open-store.ts'

const SCRIPT = fileURLToPath(new URL('./store-process.ts', import.meta.url))
const SLOW_FILES = new URL('./slow-files.ts', import.meta.url).href

/** What a process does to a key. */
export interface Task {
  readonly task: 'open' | 'create' | 'increment' | 'write' | 'delete' | 'acknowledge'
  readonly key: string
  readonly times: number
  /** Whether its file operations take random pauses. */
  readonly slow?: boolean
}

/** Runs a task in another process, and waits for it without letting this one go on. */
export function runProcessSync(kind: string, folder: string, task: Task): void {
  const { status, stderr } = spawnSync(process.execPath, toArguments(kind, folder, task), {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
}

/** Runs a task in several processes at once. Returns what each of them printed. */
export async function runProcesses(
  kind: string,
  folder: string,
  task: Task,
  count: number,
): Promise<string[]> {
  const ended = await Promise.all(Array.from({ length: count }, () => runProcess(kind, folder, task)))
  expect(ended.map(({ code }) => code)).toEqual(ended.map(() => 0))
  return ended.map(({ output }) => output)
}

/** Runs a task in another process, and waits for its end. */
async function runProcess(
  kind: string,
  folder: string,
  task: Task,
): Promise<{ code: number | null; output: string }> {
  const child = spawnProcess(kind, folder, task)
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  // The status is the first argument of the event.
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

/**
 * What must be true of a store that several processes share.
 *
 * @param options.kills How often a process is killed that writes: 100 times where that could lose something, else 20.
 */
export function processSuite(
  test: typeof it,
  kind: string,
  makeFolder: () => string,
  { kills = 20 }: { kills?: number } = {},
): void {
  test('is opened by ten processes at once', { timeout: 60_000 }, async () => {
    await runProcesses(kind, makeFolder(), { task: 'open', key: 'key', times: 1 }, 10)
  })

  async function countTogether(times: number, processes: number): Promise<void> {
    const folder = makeFolder()
    const task: Task = { task: 'increment', key: 'counter', times }
    const outputs = await runProcesses(kind, folder, task, processes)
    expect(await readText(kind, folder, 'counter')).toBe(String(times * processes))
    checkHistory(
      outputs.flatMap((output) => JSON.parse(output) as HistoryEvent[]),
      kind,
    )
  }

  test('counts to 80 in 8 processes, each step of which follows the one before', { timeout: 60_000 }, () =>
    countTogether(10, 8),
  )

  test(
    'counts to 2,500 in 50 processes, each step of which follows the one before',
    { timeout: 600_000 },
    () => countTogether(50, 50),
  )

  test('loses no acknowledged write to kill -9, and tears none', { timeout: 600_000 }, async () => {
    const folder = makeFolder()
    for (let kill = 0; kill < kills; kill += 1) {
      const acknowledged = await killWriter(kind, folder, kill + 1)
      const store = openStore(kind, folder)
      const stored = await store.read('key', { now: NOW })
      await store.close?.()
      expect(stored?.version).toBeGreaterThanOrEqual(acknowledged)
      expect(stored?.text).toBe(`${stored?.version} `.repeat(500))
    }
  })
}

/** What must be true of a process that has closed its store, with nothing to tell it to exit. */
export function exitSuite(test: typeof it, kind: string, makeFolder: () => string): void {
  test('lets the process exit once it is closed', { timeout: 30_000 }, async () => {
    const child = spawnProcess(kind, makeFolder(), { task: 'increment', key: 'key', times: 3 })
    const closed = once(child, 'close')
    const isOver = await Promise.race([
      closed.then(([code]) => code === 0),
      setTimeout(15_000, false, { ref: false }),
    ])
    child.kill('SIGKILL')
    expect(isOver).toBe(true)
  })
}

/** Kills a writer after some acknowledged writes, and answers the last version that it acknowledged. */
async function killWriter(kind: string, folder: string, after: number): Promise<number> {
  const child = spawnProcess(kind, folder, { task: 'acknowledge', key: 'key', times: 1_000_000 })
  let lines = 0
  let last = 0
  if (!child.stdout) throw new Error('no stdout')
  for await (const line of createInterface(child.stdout)) {
    last = Number(line)
    lines += 1
    if (lines === after) child.kill('SIGKILL')
  }
  return last
}

function spawnProcess(kind: string, folder: string, task: Task): ChildProcess {
  return spawn(process.execPath, toArguments(kind, folder, task), { stdio: ['ignore', 'pipe', 'inherit'] })
}

function toArguments(kind: string, folder: string, { task, key, times, slow = false }: Task): string[] {
  const flags = ['--disable-warning=ExperimentalWarning', ...(slow ? ['--import', SLOW_FILES] : [])]
  return [...flags, SCRIPT, kind, folder, task, key, String(times)]
}

async function readText(kind: string, folder: string, key: string): Promise<string | undefined> {
  const store = openStore(kind, folder)
  const stored = await store.read(key, { now: NOW })
  await store.close?.()
  return stored?.text
}

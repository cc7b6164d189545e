import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endTogether } from '../end-together.ts'
import { pauseProcess } from '../processes.ts'

/** A program that runs beside the tests. */
export interface Started {
  /** Its process id. */
  readonly pid: number
  /** Ends it by its process id, and waits until it has. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Keeps it from running, until `resume`. */
  pause(): Promise<void>
  resume(): void
}

/** Who runs a program, and where. */
export interface Account {
  readonly uid?: number
  readonly gid?: number
}

/**
 * Starts a program that listens on a port of this machine.
 *
 * @returns As soon as it does.
 * @throws Error with what it wrote, if it ends before that.
 */
export async function startProgram(
  path: string,
  args: readonly string[],
  {
    port,
    folder,
    account = {},
    env = {},
  }: { port: number; folder: string; account?: Account; env?: Record<string, string> },
): Promise<Started> {
  const child = spawn(path, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...account,
  })
  endTogether(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  while (!(await isListening(port))) {
    if (isOver()) throw new Error(`${path} ended:\n${output}`)
  }
  // A program that listens has been started.
  const pid = child.pid as number
  return {
    pid,
    pause: () => pauseProcess(pid),
    resume: () => void child.kill('SIGCONT'),
    async stop(signal = 'SIGTERM') {
      if (isOver()) return
      child.kill(signal)
      await once(child, 'exit')
    },
  }
}

/** Finds a port of this machine that nobody listens on. */
export async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A server that listens on a port has an address with one.
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Makes a folder for a program; `remove` deletes it. */
export function makeFolder({ uid, gid }: Account = {}): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'breadbin-'))
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** The account to run a program as that refuses to be run by root; none for anybody else. */
export function unprivileged(name: string): Account {
  if (process.getuid?.() !== 0) return {}
  const id = (option: string) => Number(spawnSync('id', [option, name], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // It will have got a little further by the next time.
    await new Promise((resolve) => setTimeout(resolve, 10))
    return false
  } finally {
    socket.destroy()
  }
}

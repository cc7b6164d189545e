import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

/** Ids of all processes that a process has started, and those have. Linux only. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map(idsIn('/proc').map((id) => [id, parentOf(id)]))
  const found = new Set([pid])
  // A child's entry may come before its parent's.
  for (let size = 0; size !== found.size; ) {
    size = found.size
    for (const [id, parent] of parents) if (parent !== undefined && found.has(parent)) found.add(id)
  }
  found.delete(pid)
  return [...found]
}

/** Names of a process's threads, 15 characters at most. */
export function threadsOf(pid: number): string[] {
  return idsIn(`/proc/${pid}/task`).map((id) => read(`/proc/${pid}/task/${id}/comm`).trim())
}

/** Keeps a process from running until SIGCONT. The signal alone returns while its threads may still be at work. Linux only. */
export async function pauseProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  while (idsIn(`/proc/${pid}/task`).some((id) => isAtWork(`/proc/${pid}/task/${id}/stat`)))
    await setTimeout(1)
}

/** Whether a thread may do something: it is neither stopped nor over. */
function isAtWork(stat: string): boolean {
  // The name, in parentheses, may hold anything.
  const [, state = 'X'] = /\) (\S) [^)]*$/.exec(read(stat)) ?? []
  return !'TtZX'.includes(state)
}

function idsIn(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger)
  } catch {
    // It has ended since.
    return []
  }
}

function parentOf(pid: number): number | undefined {
  // The name, in parentheses, may hold anything.
  const [, parent] = /\) \S (\d+) [^)]*$/.exec(read(`/proc/${pid}/stat`)) ?? []
  return parent === undefined ? undefined : Number(parent)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

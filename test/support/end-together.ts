import { type ChildProcess, spawn } from 'node:child_process'

/** Waits for a line, and kills a process if its input ends before that. */
const WATCH = 'read -r line || kill -9 "$0"'

/**
 * Ends a process when this one ends, in whatever way: a test run that is killed runs no hooks, and no listeners of its own
 * end either. So a shell waits at the other end of a pipe, which the operating system closes.
 */
export function endTogether(child: ChildProcess): void {
  // Without an id it was not started, and 'error' says so.
  if (child.pid === undefined) return
  // Detached, so that Ctrl+C does not end it before its work is done.
  const watcher = spawn('sh', ['-c', WATCH, String(child.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.unref()
  child.once('exit', () => watcher.stdin.end('it has ended\n'))
}

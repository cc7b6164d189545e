import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { needs } from '../support/needs.ts'
import { ROOT } from '../support/run.ts'
import { startMariadb } from '../support/servers/mysql.ts'
import { makeFolder, unprivileged } from '../support/servers/program.ts'

const mariadb = needs('mariadb')

const SCRIPT = `
import { findPort, startProgram } from './test/support/servers/program.ts'
const port = await findPort()
const listen = "require('node:net').createServer().listen(" + port + ", '127.0.0.1')"
const { pid } = await startProgram(process.execPath, ['-e', listen], { port, folder: '.' })
process.stdout.write(JSON.stringify({ port, pid }))
`

it('ends a server of these tests when the process that started it is killed', async () => {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', SCRIPT]
  const starter = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  const [output] = await once(starter.stdout, 'data')
  const { port, pid } = JSON.parse(String(output)) as { port: number; pid: number }
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let isOver = false
  // A server that is killed before it has taken a connection resets it.
  const closing = new Promise<void>((resolve) => {
    socket
      .on('error', () => {})
      .once('close', () => {
        isOver = true
        resolve()
      })
  })
  starter.kill('SIGKILL')
  onTestFinished(() => {
    socket.destroy()
    if (!isOver) process.kill(pid)
  })
  await closing
  expect(isOver).toBe(true)
})

if (mariadb) {
  it('leaves the temporary tables of other servers alone when MariaDB starts', async () => {
    const folder = makeFolder(unprivileged('mysql'))
    const table = join(folder.path, '#sql-temptable-1-2-3.MAI')
    writeFileSync(table, '')
    // Where it would have its own by default.
    vi.stubEnv('TMPDIR', folder.path)
    onTestFinished(() => {
      vi.unstubAllEnvs()
      folder.remove()
    })
    const server = await startMariadb(mariadb)
    await server.stop()
    expect(existsSync(table)).toBe(true)
  })
}

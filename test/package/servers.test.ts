import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../support/run.ts'

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
  const closing = once(
    socket.on('error', () => {}),
    'close',
  ).then(() => {
    isOver = true
  })
  starter.kill('SIGKILL')
  onTestFinished(() => {
    socket.destroy()
    if (!isOver) process.kill(pid)
  })
  await closing
  expect(isOver).toBe(true)
})

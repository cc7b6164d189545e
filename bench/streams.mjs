// Opens streams of events from another process, on the built package, and prints what a stream costs this process, and
// how long it takes until a poke has reached all pages:
//
//   npm run build && node --expose-gc --max-semi-space-size=1 bench/streams.mjs [count]
//
// With V8's default, its young generation grows by 32 MiB while streams are opened, and blurs `rss`.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { defineBins } from 'breadbin'
import { memoryBus } from 'breadbin/buses/memory'
import { serveBins, toNodeHandler } from 'breadbin/server'
import { memoryStore } from 'breadbin/stores/memory'

const [count = 10_000] = process.argv.slice(2).map(Number)
/** Connections that a client opens at a time. */
const BATCH = 100

if (process.send) await runClient()
else await runServer()

async function runServer() {
  const bus = memoryBus()
  const bins = defineBins({ cart: { schema: anything(), browser: 'write' } })
  const server = serveBins(bins, { store: memoryStore(), bus, maxStreams: count })
  const http = createServer(toNodeHandler(server.fetch))
  http.listen(0, '127.0.0.1', 65_535)
  await once(http, 'listening')
  const { port } = http.address()
  const cookies = await makeVisitors(server, `http://127.0.0.1:${port}/`)

  // The first half takes the memory that making the visitors has left behind: the second one shows what a stream takes.
  await using first = await openClient(port, cookies.slice(0, count / 2))
  const before = measure()
  await using second = await openClient(port, cookies.slice(count / 2))
  const after = measure()
  console.log(`${count} streams in one process, each with a visitor of its own`)
  for (const kind of ['rss', 'heapUsed', 'external']) {
    console.log(
      `  ${kind.padEnd(9)} ${((after[kind] - before[kind]) / (count / 2) / 1024).toFixed(1)} KiB per stream`,
    )
  }

  for (const round of [1, 2, 3]) {
    const reached = Promise.all([first, second].map((client) => once(client.process, 'message')))
    const begin = performance.now()
    for (const cookie of cookies) {
      const key = `v:${cookie.slice('bb='.length).split('.')[0]}`
      const change = { store: 'default', key, version: Date.now() + round, cursor: `bench.${round}.mark` }
      await bus.publish(JSON.stringify(change))
    }
    await reached
    console.log(`  a poke reached all after ${(performance.now() - begin).toFixed(0)} ms`)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
  await server.close()
  http.closeAllConnections()
  http.close()
}

async function makeVisitors(server, url) {
  const cookies = []
  for (let visitor = 0; visitor < count; visitor += 1) {
    const state = await server.open(new Request(url))
    state.set('cart', [visitor])
    const response = await state.save(new Response())
    cookies.push(response.headers.getSetCookie()[0].split(';')[0])
  }
  return cookies
}

/** Another process with a stream for each cookie, all of which have said hello. */
async function openClient(port, cookies) {
  const child = fork(fileURLToPath(import.meta.url))
  child.send({ port, cookies })
  await once(child, 'message')
  const close = async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit')
    // Let the server hear of it.
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  return { process: child, close, [Symbol.asyncDispose]: close }
}

async function runClient() {
  const [{ port, cookies }] = await once(process, 'message')
  let pokes = 0
  const open = (cookie) =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      socket.write(`GET /bins/events HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncookie: ${cookie}\r\n\r\n`)
      socket.on('error', reject)
      socket.on('data', (data) => {
        if (data.includes('event: hello')) resolve()
        if (!data.includes('event: poke')) return
        pokes += 1
        if (pokes % cookies.length === 0) process.send('reached')
      })
    })
  for (let first = 0; first < cookies.length; first += BATCH) {
    await Promise.all(cookies.slice(first, first + BATCH).map(open))
  }
  process.send('ready')
}

function measure() {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage()
}

/** A schema that takes what it gets. */
function anything() {
  return { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } }
}

// The visitors of requests.mjs: each sends back the cookies it got, and knows what it changed last.
import { once } from 'node:events'
import { connect } from 'node:net'

/** Every how many requests a visitor changes its state. */
const EVERY = 10

/** Opens visitors that share connections, one request at a time on each. */
export async function openVisitors(port, { hasState, visitors = 1_000, connections = 32 }) {
  const all = Array.from({ length: visitors }, (_, id) => newVisitor(id))
  const lines = await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      openLine(
        port,
        all.filter(({ id }) => id % connections === index),
        hasState,
      ),
    ),
  )
  return {
    /** Lets all visitors ask for some ms. `wrong` answers lack the visitor's last change. */
    async run(ms) {
      const begin = performance.now()
      const counts = await Promise.all(lines.map((line) => line.run(begin + ms)))
      const sum = (key) => counts.reduce((total, count) => total + count[key], 0)
      return { requests: sum('requests'), wrong: sum('wrong'), seconds: (performance.now() - begin) / 1_000 }
    },
    cookieBytes: () => cookieHeader(all[0]).length,
    close() {
      for (const line of lines) line.close()
    },
  }
}

function newVisitor(id) {
  // Not all of them are to change their state at the same time.
  return { id, cookies: new Map(), requests: id % EVERY, number: undefined }
}

/** A connection, and the visitors who take turns on it. */
async function openLine(port, visitors, hasState) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.setEncoding('latin1')
  let turn = 0
  let received = ''
  let round

  function send() {
    const visitor = visitors[turn % visitors.length]
    visitor.requests += 1
    const changes = visitor.number === undefined || visitor.requests % EVERY === 0
    if (changes) visitor.number = visitor.id * 1_000_000 + visitor.requests
    const line = changes ? `POST /${visitor.number}` : 'GET /'
    const length = changes ? 'content-length: 0\r\n' : ''
    socket.write(`${line} HTTP/1.1\r\nhost: 127.0.0.1\r\n${length}${cookieHeader(visitor)}\r\n`)
  }

  socket.on('data', (data) => {
    received += data
    const end = received.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = received.slice(0, end)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1])
    if (received.length < end + 4 + length) return
    const body = received.slice(end + 4)
    received = ''
    take(visitors[turn % visitors.length], head, body)
    turn += 1
    if (performance.now() < round.until) send()
    else round.resolve(round)
  })

  function take(visitor, head, body) {
    round.requests += 1
    if (!head.startsWith('HTTP/1.1 200') || (hasState && body !== String(visitor.number))) round.wrong += 1
    for (const [, cookie] of head.matchAll(/\r\nset-cookie: ([^;\r]*)/gi)) {
      visitor.cookies.set(cookie.slice(0, cookie.indexOf('=')), cookie)
    }
  }

  return {
    run: (until) =>
      new Promise((resolve, reject) => {
        socket.once('close', () => reject(new Error('The server closed a connection.')))
        round = { until, resolve, requests: 0, wrong: 0 }
        send()
      }).finally(() => socket.removeAllListeners('close')),
    close: () => socket.destroy(),
  }
}

function cookieHeader({ cookies }) {
  return cookies.size === 0 ? '' : `cookie: ${[...cookies.values()].join('; ')}\r\n`
}

// Prints what a request costs whose visitor has 200 bytes of state, read on each request and changed on 1 of 10, beside a
// bare node:http handler and whichever peers are installed (`npm i --no-save express-session cookie-session iron-session`):
//
//   npm run build && node bench/requests.mjs [--rounds 7] [--ms 1000] [variant ...]
//
// One process for each server, and the visitors in this one, each with a cookie jar of its own. Every round asks every
// server, in turn backwards, so that whatever else the machine does meets all of them; figures are medians. Two cores or
// more, or the servers wait for the visitors. The process's own time (`cpu`) is disturbed less than requests per second.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openVisitors } from './requests-visitors.mjs'

const VARIANTS = ['bare', 'plain', 'signed', 'sealed', 'memory', 'sqlite']
const PEERS = ['express-session', 'cookie-session', 'iron-session']

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, ms: { type: 'string', default: '1000' } },
  allowPositionals: true,
})
const rounds = Number(values.rounds)
const ms = Number(values.ms)
const names = positionals.length > 0 ? [...new Set(['bare', ...positionals])] : [...VARIANTS, ...PEERS]

const servers = []
for (const name of names) {
  const server = await openServer(name)
  if (server) servers.push(server)
  else console.log(`${name.padEnd(16)} skipped: it is not installed`)
}
for (let round = 0; round < rounds; round += 1) {
  for (const server of round % 2 === 0 ? servers : servers.toReversed()) await measure(server)
}
const [bare] = servers
console.log(`${'server'.padEnd(16)}  ratio     req/s  cpu µs  cpu over bare  cookie bytes`)
for (const server of servers) {
  console.log(
    server.name.padEnd(16),
    (median(server.rates) / median(bare.rates)).toFixed(3).padStart(6),
    median(server.rates).toFixed(0).padStart(9),
    median(server.costs).toFixed(1).padStart(7),
    (median(server.costs) - median(bare.costs)).toFixed(1).padStart(14),
    String(server.visitors.cookieBytes()).padStart(13),
  )
  server.close()
}

/** A server in a process of its own, warm, with state for each visitor; `undefined` if it is not installed. */
async function openServer(name) {
  const child = fork(fileURLToPath(new URL('requests-server.mjs', import.meta.url)), [name], {
    env: { ...process.env, NODE_ENV: 'production' },
    execArgv: ['--no-warnings'],
  })
  const [port] = await once(child, 'message')
  if (typeof port !== 'number') return undefined
  const visitors = await openVisitors(port, { hasState: name !== 'bare' })
  await visitors.run(ms)
  return {
    name,
    visitors,
    rates: [],
    costs: [],
    async cpu() {
      child.send('cpu')
      const [micros] = await once(child, 'message')
      return micros
    },
    close() {
      visitors.close()
      child.disconnect()
    },
  }
}

async function measure({ name, visitors, rates, costs, cpu }) {
  const before = await cpu()
  const { requests, seconds, wrong } = await visitors.run(ms)
  if (wrong > 0) throw new Error(`${name}: ${wrong} of ${requests} answers without the visitor's state`)
  rates.push(requests / seconds)
  costs.push(((await cpu()) - before) / requests)
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

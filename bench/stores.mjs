// Prints how fast the stores are, on the built package, beside each other on this machine:
//
//   npm run build && node bench/stores.mjs [speed] [growth] [sweep] [--count 1000000] [--expired 100000] [store ...]
//
// speed: reads and writes per second, of 8 callers at a time, of 1,000 records of 500 bytes.
// growth: what a read of a record at random takes among `count` records, over what it takes among 1,000, all of which have been
// read before. A round in which this process had to wait for the disk does not count, unless all had to. Some machines take
// memory away from what nobody has read for a minute: there, TMPDIR=/dev/shm keeps a million files in memory.
// sweep: what the reads of a process take at most, and all but one in a thousand of them, while it sweeps `expired` records as
// a server does it, 100 at a time, and while it sweeps nothing: on a machine that others use, some reads wait for those.
//
// Rounds take turns, so that whatever else the machine does meets all of them. Rates and times are medians of the rounds, and
// those beside them, called least, are of the round that was disturbed least. Databases and caches run on this machine with the
// settings that docs/stores.md asks for. The reader of `sweep` is in the process that sweeps, so that what holds up its event
// loop counts too.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { NAMES, openSystem } from './stores-open.mjs'

const KINDS = {
  speed: NAMES,
  growth: ['memory', 'file', 'sqlite', 'sqlite-shm', 'postgres', 'redis'],
  sweep: NAMES,
}
const { values, positionals } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    expired: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '7' },
    ms: { type: 'string', default: '500' },
  },
  allowPositionals: true,
})
const [count, expired, rounds, ms] = [values.count, values.expired, values.rounds, values.ms].map(Number)
const kinds = Object.keys(KINDS).filter((kind) => positionals.includes(kind))
const chosen = positionals.filter((name) => !(name in KINDS))
const NOW = Date.now()
const LATER = NOW + 30 * 86_400_000
const TEXT = JSON.stringify({ bins: { cart: { data: { json: 'bread '.repeat(75) } } } })
const FEW = 1_000
/** More callers than a server's pool has connections would wait for each other. */
const CALLERS = 8

const benchmarks = { speed, growth, sweep }
for (const kind of kinds.length > 0 ? kinds : Object.keys(KINDS)) {
  await benchmarks[kind](KINDS[kind].filter((name) => chosen.length === 0 || chosen.includes(name)))
}

async function speed(names) {
  const systems = await Promise.all(names.map(openSystem))
  const results = new Map()
  for (const { name, open } of systems) {
    const store = open('speed')
    await fill(store, FEW)
    const versions = Array(FEW).fill(1)
    const turns = {
      async read() {
        if (!(await store.read(keyOf(dice(FEW)), { now: NOW }))) throw new Error(`${name} has lost a record`)
      },
      async write(caller) {
        // Nobody else writes these, so that no write is lost.
        const index = dice(FEW / CALLERS) * CALLERS + caller
        const [version, next] = [versions[index], entry(versions[index] + 1)]
        if (!(await store.write(keyOf(index), next, version, NOW)))
          throw new Error(`${name} has lost a write`)
        versions[index] += 1
      },
    }
    results.set(name, { turns, read: [], write: [] })
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { turns, ...rates } of results.values()) {
      for (const kind of ['read', 'write']) rates[kind].push(await rateOf(turns[kind]))
    }
  }
  print('store', 'reads/s', 'writes/s', 'reads, of SQLite', 'writes, of SQLite')
  const sqlite = results.get('sqlite')
  for (const [name, { read, write }] of results) {
    const over = (rates, others) => (others ? (median(rates) / median(others)).toFixed(3) : '')
    print(
      name,
      ...[read, write].map((rates) => median(rates).toFixed(0)),
      over(read, sqlite?.read),
      over(write, sqlite?.write),
    )
  }
  await closeAll(systems)
}

/** Turns in a second of several callers at a time. */
async function rateOf(turn) {
  const start = performance.now()
  let turns = 0
  const call = async (caller) => {
    while (performance.now() - start < ms) {
      await turn(caller)
      turns += 1
      // Stores in this process answer at once, and would let nobody else have a turn.
      if (turns % 256 === 0) await new Promise(setImmediate)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)))
  return (turns / (performance.now() - start)) * 1_000
}

async function growth(names) {
  print('store', `µs at ${FEW}`, `µs at ${count}`, 'ratio', 'ratio of the least', 'rounds that count')
  for (const name of names) {
    const system = await openSystem(name)
    await fill(system.fill('few'), FEW)
    await fill(system.fill('many'), count)
    const [few, many] = [system.open('few'), system.open('many')]
    for (let index = 0; index < count; index += 1) {
      await many.read(keyOf(index), { now: NOW })
      if (index % 1_000 === 0) await new Promise(setImmediate)
    }
    const [fewRounds, manyRounds] = [[], []]
    for (let round = 0; round < 10 * rounds; round += 1) {
      const isFirst = round % 2 === 0
      if (isFirst) fewRounds.push(await readRound(few, FEW))
      manyRounds.push(await readRound(many, count))
      if (!isFirst) fewRounds.push(await readRound(few, FEW))
    }
    const [before, after] = [timesThatCount(fewRounds), timesThatCount(manyRounds)]
    const ratio = (of) => (of(after) / of(before)).toFixed(2)
    const medians = [before, after].map((times) => median(times).toFixed(1))
    print(name, ...medians, ratio(median), ratio(least), `${after.length}/${manyRounds.length}`)
    await closeAll([system])
  }
}

/** What one read of records at random takes, in µs, and how often this process waited for the disk meanwhile. */
async function readRound(store, size) {
  const keys = Array.from({ length: 500 }, () => keyOf(dice(size)))
  const { fsRead } = process.resourceUsage()
  const start = performance.now()
  for (const key of keys) {
    if (!(await store.read(key, { now: NOW }))) throw new Error('a record is lost')
  }
  const time = ((performance.now() - start) / keys.length) * 1_000
  return { time, fromDisk: process.resourceUsage().fsRead - fsRead }
}

function timesThatCount(measured) {
  const fromMemory = measured.filter(({ fromDisk }) => fromDisk === 0)
  return (fromMemory.length > 0 ? fromMemory : measured).map(({ time }) => time)
}

async function sweep(names) {
  const quiet = ['without a sweep: longest', '99.9 %']
  print('store', 'swept', 'ms', 'longest read, ms', '99.9 %', ...quiet)
  for (const name of names) {
    const system = await openSystem(name)
    await fill(system.fill('sweep'), expired, { prefix: 'expired', expires: NOW + 1 })
    await fill(system.fill('sweep'), FEW)
    const store = system.open('sweep')
    // The file store keeps what has expired for an hour.
    const later = NOW + 2 * 3_600_000
    const sweepShare = async () => {
      let swept = 0
      for (let found = -1; found !== 0 && swept < expired / rounds; swept += found) {
        found = await store.sweep(later, 100)
        // A server sweeps after a write, and each comes with a request.
        await new Promise(setImmediate)
      }
      return swept
    }
    await readDuring(store, () => readRound(store, FEW))
    let [busy, still] = [[], []]
    let [swept, took] = [0, 0]
    for (let round = 0; round < rounds; round += 1) {
      const start = performance.now()
      const { times, result } = await readDuring(store, sweepShare)
      const time = performance.now() - start
      busy = busy.concat(times)
      swept += result
      took += time
      still = still.concat((await readDuring(store, () => sleep(time))).times)
    }
    const columns = [busy, still].flatMap((times) => [rank(times, 1), rank(times, 0.999)])
    print(name, `${swept}`, took.toFixed(0), ...columns.map((time) => time.toFixed(1)))
    await closeAll([system])
  }
}

/** Reads until some work is done. Answers what each read took, from when it was due, in ms. */
async function readDuring(store, work) {
  let isDone = false
  const times = []
  const reading = (async () => {
    while (!isDone) {
      const start = performance.now()
      await new Promise(setImmediate)
      await store.read(keyOf(dice(FEW)), { now: NOW })
      times.push(performance.now() - start)
    }
  })()
  const result = await work()
  isDone = true
  await reading
  return { times, result }
}

async function fill(store, size, { prefix = 'v', expires = LATER } = {}) {
  let next = 0
  const work = async () => {
    while (next < size) {
      const index = next
      next += 1
      await store.write(keyOf(index, prefix), { ...entry(1), expires }, 0, NOW)
      if (index % 1_000 === 0) await new Promise(setImmediate)
    }
  }
  await Promise.all(Array.from({ length: 64 }, work))
}

function keyOf(index, prefix = 'v') {
  return `${prefix}:${String(index).padStart(22, 'x')}`
}

function entry(version) {
  return { version, text: TEXT, expires: LATER }
}

function dice(sides) {
  return Math.floor(Math.random() * sides)
}

function median(numbers) {
  return rank(numbers, 0.5)
}

function least(numbers) {
  return rank(numbers, 0)
}

/** The number that a share of all is below. */
function rank(numbers, share) {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)]
}

function print(name, ...columns) {
  console.log(name.padEnd(10), ...columns.map((column) => column.padStart(18)))
}

async function closeAll(systems) {
  for (const system of systems) await system.close()
}

import { createHash } from 'node:crypto'
import { BinsError } from '../../core/error.ts'
import type { RedisCommands, RunCommand } from './client.ts'

/** Where a scan over all servers is. */
export interface ScanCursor {
  /** Which server. */
  readonly node: number
  /** The cursor of that server. */
  readonly position: string
  /** The layout of the servers that the scan goes over; `undefined` before it has begun. */
  readonly layout: string | undefined
}

/** The servers that a scan goes over. */
export interface ScanServers {
  /** Which they are, and what slots they have, as one short text; empty for a single server. */
  readonly layout: string
  /** One for each, in an order that stays as long as the layout does. */
  readonly servers: readonly RunCommand[]
}

/** Reads the cursor of a page. */
export function toScanCursor(cursor: string | undefined): ScanCursor {
  if (cursor === undefined) return { node: 0, position: '0', layout: undefined }
  const [node = '', position = '', layout = ''] = cursor.split(':')
  return { node: Number(node), position, layout }
}

/** Writes what {@link toScanCursor} reads; `undefined` behind the last server. */
export function fromScanCursor(
  { node, position }: Pick<ScanCursor, 'node' | 'position'>,
  { servers, layout }: ScanServers,
): string | undefined {
  // Where a server has answered everything, its cursor is 0 again.
  const [next, from] = position === '0' ? [node + 1, '0'] : [node, position]
  if (next === servers.length) return undefined
  return layout ? `${next}:${from}:${layout}` : `${next}:${from}`
}

/** The pattern of all names that begin with a prefix, whatever is in it. */
export function toScanPattern(prefix: string): string {
  return `${prefix.replaceAll(/[\\*?[\]^]/g, '\\$&')}*`
}

/**
 * Finds the servers of a scan. It asks those of a cluster themselves: a client that reconnects, or has lost a server,
 * knows a part of them, and a scan over a part would pass for a scan over all.
 *
 * @param expected The layout that the scan has begun with, if it has.
 * @throws {@link BinsError} `STORE_FAILED` if they do not have all slots between them, or the layout is another one.
 */
export async function findScanServers(
  commands: RedisCommands,
  expected: string | undefined,
): Promise<ScanServers> {
  const found = commands.isCluster
    ? await findMasters(commands)
    : { layout: '', servers: await commands.masters() }
  if (expected === undefined || found.layout === expected) return found
  throw new BinsError(
    'STORE_FAILED',
    'The masters of Redis, or their slots, have changed; begin the scan anew.',
  )
}

async function findMasters(commands: RedisCommands): Promise<ScanServers> {
  const masters = await askMasters(commands)
  masters.sort((one, other) => (one.id < other.id ? -1 : 1))
  if (masters.some(({ isMoving }) => isMoving)) {
    throw new BinsError('STORE_FAILED', 'Redis is moving slots between masters; scan when that is done.')
  }
  const slots = masters.reduce((sum, { count }) => sum + count, 0)
  if (slots !== SLOTS) {
    await commands.refresh()
    const lacks = `${masters.length} connected masters have ${slots} of ${SLOTS} slots`
    throw new BinsError('STORE_FAILED', `A scan needs every master of Redis: ${lacks}; begin it anew later.`)
  }
  const layout = createHash('sha256').update(masters.map(({ line }) => line).join())
  return { layout: layout.digest('hex').slice(0, 16), servers: masters.map(({ run }) => run) }
}

async function askMasters(commands: RedisCommands) {
  try {
    const servers = await commands.masters()
    return await Promise.all(
      servers.map(async (run) => {
        const reply = await run({ isReadonly: true, args: ['CLUSTER', 'NODES'] })
        return { run, ...toMaster(String(reply)) }
      }),
    )
  } catch (cause) {
    await commands.refresh()
    throw new BinsError('STORE_FAILED', 'A master of Redis did not answer; begin the scan anew later.', {
      cause,
    })
  }
}

/** All slots of a cluster (redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec). */
const SLOTS = 16_384

/** Reads what a server says of itself: id, address, flags, five more, slots (redis.io/docs/latest/commands/cluster-nodes). */
function toMaster(reply: string) {
  const own = reply.split('\n').find((line) => line.split(' ')[2]?.split(',').includes('myself'))
  const [id = '', , flags = '', , , , , , ...slots] = own?.trim().split(' ') ?? []
  // A slot on its way is in brackets. One that is a replica by now has none.
  const ranges = flags.includes('master') ? slots.filter((slot) => !slot.startsWith('[')) : []
  const count = ranges.reduce((sum, range) => {
    const [first = '', last = first] = range.split('-')
    return sum + Number(last) - Number(first) + 1
  }, 0)
  return { id, count, isMoving: ranges.length < slots.length, line: [id, ...ranges].join(' ') }
}

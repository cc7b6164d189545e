import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a server of this machine on which connections can be lost. */
export interface Proxy {
  /** Where it listens. */
  readonly port: number
  /** Resets the next connection on which the client says something, before the server hears it. */
  loseRequest(): void
  /** Resets the next connection on which the server answers, before the client hears it. */
  loseAnswer(): void
  /** Lets nothing through, in either direction, and new connections get no answer. Nobody is told. */
  block(): void
  /** Forgets the connections that were blocked, without a word to the client, and lets new ones through. */
  unblock(): void
  /** Ends it, and all connections. */
  stop(): Promise<void>
}

/** Starts a proxy in front of a port of this machine. */
export async function startProxy(target: number): Promise<Proxy> {
  const clients = new Set<Socket>()
  let lose: 'request' | 'answer' | undefined
  let isBlocked = false

  function join(client: Socket, server: Socket): void {
    let isDead = false
    const pass = (to: Socket, what: 'request' | 'answer') => (bytes: Buffer) => {
      isDead ||= isBlocked
      if (isDead) return
      if (lose !== what) {
        to.write(bytes)
        return
      }
      lose = undefined
      client.resetAndDestroy()
    }
    client.on('data', pass(server, 'request'))
    server.on('data', pass(client, 'answer'))
    server.on('close', () => isDead || client.destroy())
    client.on('close', () => server.destroy())
    for (const socket of [client, server]) socket.on('error', () => {})
  }

  const listener = createServer((client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    join(client, connect(target, '127.0.0.1'))
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')

  return {
    // A server that listens on a port has an address with one.
    port: (listener.address() as AddressInfo).port,
    loseRequest() {
      lose = 'request'
    },
    loseAnswer() {
      lose = 'answer'
    },
    block() {
      isBlocked = true
    },
    unblock() {
      isBlocked = false
    },
    async stop() {
      for (const client of clients) client.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }
}

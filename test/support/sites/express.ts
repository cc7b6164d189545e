import { createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express, { type Express } from 'express'

/** What answers requests: an express app, or a listener of node:http. */
export type Handler = Parameters<typeof createServer>[1]

/** A server on a free port of this machine. */
export interface Listening {
  /** Where it is. */
  readonly url: string
  /** Its port. */
  readonly port: number
  /** Ends it, with all its connections. */
  close(): Promise<void>
}

/** What a client sends. */
export interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
}

/** What a client gets. */
export interface Got {
  readonly status: number
  readonly message: string
  /** Headers in lower case, without those that the clock or the connection decide; several values in a list. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly trailers: Readonly<Record<string, string | undefined>>
  readonly body: string
  /** Whether it came to its end, or the connection broke. */
  readonly isComplete: boolean
}

/** An express app that prints nothing of the errors it answers. */
export function quietApp(): Express {
  const app = express()
  // In any other environment, express prints each error.
  app.set('env', 'test')
  return app
}

/** Listens on a free port of this machine. */
export async function listen(handler: Handler): Promise<Listening> {
  const server: Server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server that listens on a port has an address with one.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Sends a request on a connection of its own; `undefined` if the connection broke before a head came back. */
export function send(
  { port }: Listening,
  { method = 'GET', path = '/', headers = {}, body }: Sent = {},
): Promise<Got | undefined> {
  return new Promise((resolve, reject) => {
    const sending = request({ port, host: '127.0.0.1', method, path, headers, agent: false })
    sending.on('error', () => resolve(undefined))
    sending.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => {})
      response.on('close', () => {
        const { statusCode = 0, statusMessage = '', headersDistinct, trailers, complete } = response
        resolve({
          status: statusCode,
          message: statusMessage,
          headers: toHeaders(headersDistinct),
          trailers,
          body: Buffer.concat(chunks).toString(),
          isComplete: complete,
        })
      })
    })
    sendBody(sending, body).catch(reject)
  })
}

/** Sends bytes and reads until the server, which is told to, closes the connection. */
export function sendRaw({ port }: Listening, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}

async function sendBody(sending: ReturnType<typeof request>, body: Sent['body']): Promise<void> {
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    for await (const chunk of body) {
      if (sending.destroyed) return
      sending.write(chunk)
    }
    sending.end()
  } else {
    sending.end(body)
  }
}

function toHeaders(all: Record<string, string[] | undefined>): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, values = []] of Object.entries(all)) {
    if (name === 'date') continue
    const [first = ''] = values
    headers[name] = values.length === 1 ? first : values
  }
  return headers
}

import { mkdtempSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { NextFunction, Request, Response } from 'express'
import type { Sent } from './express.ts'

/** Something that a handler may do with its response. */
export interface Scenario {
  /** What it does, in words. */
  readonly name: string
  /** What the client sends. Default: GET /. */
  readonly sent?: Sent
  /** Answers the request; `note` writes down what the handler sees. */
  readonly handle: (request: Request, response: Response, next: NextFunction, note: Note) => unknown
}

/** A scenario that needs nothing but Node. */
export interface NodeScenario extends Omit<Scenario, 'handle'> {
  readonly handle: (response: ServerResponse, note: Note) => unknown
}

/** Writes down what a handler sees. */
export type Note = (...facts: unknown[]) => void

const LINE = `${'x'.repeat(1_023)}\n`
const MEGABYTE = 1_024 * 1_024
const FILE = join(mkdtempSync(join(tmpdir(), 'breadbin-')), 'file.txt')
writeFileSync(FILE, LINE.repeat(200))

/** Notes what calls throw, by the code of the error. */
function attempt(note: Note, name: string, run: () => unknown): void {
  try {
    run()
    note(name, 'done')
  } catch (error) {
    note(name, error instanceof Error && 'code' in error ? error.code : String(error))
  }
}

function noteState(response: ServerResponse, note: Note): void {
  const { headersSent, writableEnded, finished } = response
  note({ headersSent, writableEnded, finished })
}

function noteSetters(response: ServerResponse, note: Note): void {
  attempt(note, 'setHeader', () => response.setHeader('x-late', '1'))
  attempt(note, 'appendHeader', () => response.appendHeader('x-late', '1'))
  attempt(note, 'setHeaders', () => response.setHeaders(new Map([['x-late', '1']])))
  attempt(note, 'removeHeader', () => response.removeHeader('x-early'))
  attempt(note, 'writeHead', () => response.writeHead(201))
  note(response.getHeader('x-early'), response.hasHeader('x-late'))
}

/** Errors whose stack is the same wherever they are thrown. */
function failure(message: string): Error {
  return Object.assign(new Error(message), { stack: message })
}

/** Scenarios on express. */
export const EXPRESS_SCENARIOS: readonly Scenario[] = [
  { name: 'res.json', handle: (_, response) => response.json({ a: 1 }) },
  { name: 'res.send', handle: (_, response) => response.send('<p>hello') },
  { name: 'res.send without anything', handle: (_, response) => response.send() },
  { name: 'res.sendStatus', handle: (_, response) => response.sendStatus(418) },
  {
    name: 'res.set, res.type and res.append',
    handle: (_, response) => {
      response
        .type('text')
        .set('x-one', '1')
        .append('set-cookie', 'foreign=1')
        .append('set-cookie', 'other=2')
      response.send('hello')
    },
  },
  {
    name: 'a fresh page',
    sent: { headers: { 'if-none-match': '"tag"' } },
    handle: (_, response) => {
      response.set('etag', '"tag"').send('hello')
    },
  },
  { name: 'nothing at all', handle: (_, __, next) => next() },
  {
    name: 'next() after the response',
    handle: (_, response, next) => {
      response.send('hello')
      next()
    },
  },
  {
    name: 'an error passed on after the response',
    handle: (_, response, next) => {
      response.send('hello')
      next(failure('late'))
    },
  },
  {
    name: 'a throw after the response',
    handle: (_, response) => {
      response.send('hello')
      throw failure('late')
    },
  },
  {
    name: 'a throw after a part of the response',
    handle: (_, response) => {
      response.write('hello')
      throw failure('late')
    },
  },
  {
    name: 'a rejection after the response',
    handle: async (_, response) => {
      response.send('hello')
      throw failure('late')
    },
  },
  {
    name: 'two res.json',
    handle: (_, response) => {
      response.json({ a: 1 })
      response.json({ a: 2 })
    },
  },
  {
    name: 'a throw',
    handle: () => {
      throw failure('early')
    },
  },
  {
    name: 'a throw with a status',
    handle: () => {
      throw Object.assign(failure('early'), { status: 409 })
    },
  },
  {
    name: 'a rejection',
    handle: async () => {
      throw failure('early')
    },
  },
  { name: 'status 500', handle: (_, response) => response.status(500).json({ error: 'broken' }) },
  {
    name: 'a status after the response',
    handle: (_, response) => {
      response.send('hello')
      response.status(404)
    },
  },
  { name: 'a redirect', handle: (_, response) => response.redirect('/next') },
  {
    name: 'a redirect after POST',
    sent: { method: 'POST', body: 'a=1' },
    handle: (_, response) => {
      response.redirect(303, '/next')
    },
  },
  { name: 'HEAD', sent: { method: 'HEAD' }, handle: (_, response) => response.send('hello') },
  { name: '204', handle: (_, response) => response.status(204).send('ignored') },
  { name: '304', handle: (_, response) => response.status(304).end() },
  { name: 'res.sendFile', handle: (_, response) => response.sendFile(FILE) },
  {
    name: 'res.sendFile of a range',
    sent: { headers: { range: 'bytes=10-19' } },
    handle: (_, response) => response.sendFile(FILE),
  },
  {
    name: 'res.sendFile of nothing',
    handle: (_, response, __, note) => {
      response.sendFile(`${FILE}.none`, (error) => {
        note(error && 'status' in error ? error.status : error?.message)
        response.status(404).send('no file')
      })
    },
  },
  {
    name: 'res.download',
    handle: (_, response, __, note) =>
      response.download(FILE, 'name.txt', (error) => note('downloaded', error)),
  },
  {
    name: 'a stream with back-pressure',
    handle: (_, response) => {
      Readable.from(lines(MEGABYTE)).pipe(response)
    },
  },
  {
    name: 'an error in a stream',
    handle: async (_, response, __, note) => {
      const source = Readable.from(breaking(20))
      await pipeline(source, response).catch((error) => note(error.message))
    },
  },
  {
    name: 'a body that nobody reads',
    sent: { method: 'POST', body: 'x'.repeat(100_000) },
    handle: (_, response) => {
      response.send('hello')
    },
  },
]

/** Scenarios that run on node:http and on express. */
export const NODE_SCENARIOS: readonly NodeScenario[] = [
  { name: 'end', handle: (response) => response.end('hello') },
  { name: 'end without a body', handle: (response) => response.end() },
  { name: 'end with an encoding', handle: (response) => response.end('aGVsbG8', 'base64url') },
  {
    name: 'end with a callback',
    handle: (response, note) => {
      response.end('hello', () => noteState(response, note))
    },
  },
  {
    name: 'end with only a callback',
    handle: (response, note) => {
      response.end(() => noteState(response, note))
    },
  },
  {
    name: 'end twice',
    handle: (response, note) => {
      response.end('hello')
      response.end(() => note('ended again'))
    },
  },
  { name: 'end with a large body', handle: (response) => response.end(LINE.repeat(5_000)) },
  {
    name: 'write and end',
    handle: (response, note) => {
      response.write('hello ', () => note('written'))
      response.write(Buffer.from('little '), () => note('written'))
      response.end(new Uint8Array(Buffer.from('world')), () => note('ended'))
    },
  },
  {
    name: 'writeHead, write and end',
    handle: (response) => {
      response.writeHead(201)
      response.write('hello ')
      response.end('world')
    },
  },
  {
    name: 'writeHead with headers',
    handle: (response) => {
      response.setHeader('x-early', '1')
      response.writeHead(201, { 'x-early': '2', 'X-Late': ['3', '4'], 'content-length': 5 }).end('hello')
    },
  },
  { name: 'writeHead with a message', handle: (response) => response.writeHead(201, 'Made').end('hello') },
  { name: 'writeHead with an empty message', handle: (response) => response.writeHead(201, '').end('hello') },
  {
    name: 'writeHead with a message and headers',
    handle: (response) => {
      response.writeHead(201, 'Made', { 'x-late': '1' }).end('hello')
    },
  },
  {
    name: 'writeHead with no message and headers',
    handle: (response) => {
      response.writeHead(201, undefined, { 'x-late': '1' }).end('hello')
    },
  },
  {
    name: 'writeHead with a list',
    handle: (response) => {
      response.setHeader('x-early', '1')
      response
        .writeHead(200, ['x-early', '2', 'set-cookie', ['a=1', 'b=2'], 'Set-Cookie', 'c=3'])
        .end('hello')
    },
  },
  {
    name: 'writeHead with foreign cookies',
    handle: (response) => {
      response.setHeader('set-cookie', 'a=1')
      response.writeHead(200, { 'set-cookie': ['b=2', 'c=3'] }).end('hello')
    },
  },
  {
    name: 'writeHead with what is no head',
    handle: (response, note) => {
      attempt(note, 'status', () => response.writeHead(99))
      attempt(note, 'status', () => response.writeHead(1_000))
      attempt(note, 'message', () => response.writeHead(200, 'a\nb'))
      response.statusMessage = 'Fine'
      attempt(note, 'header', () => response.writeHead(200, { 'x-late': 'a\nb' }))
      attempt(note, 'undefined', () => response.writeHead(200, { 'x-late': undefined }))
      attempt(note, 'list', () => response.writeHead(200, ['x-late']))
      response.writeHead(202).end('hello')
    },
  },
  {
    name: 'flushHeaders',
    handle: (response, note) => {
      response.flushHeaders()
      noteState(response, note)
      setImmediate(() => response.end('hello'))
    },
  },
  {
    name: 'early hints',
    handle: (response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      response.end('hello')
    },
  },
  {
    name: 'trailers',
    handle: (response) => {
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('hello')
      response.addTrailers({ 'x-sum': '5' })
      response.end()
    },
  },
  {
    name: 'a corked response',
    handle: (response) => {
      response.cork()
      response.write('hello ')
      response.write('world')
      response.uncork()
      response.end()
    },
  },
  {
    name: 'the state of the response',
    handle: (response, note) => {
      noteState(response, note)
      response.setHeader('x-early', '1')
      response.write('hello')
      noteState(response, note)
      response.end()
      noteState(response, note)
      response.on('finish', () => noteState(response, note))
    },
  },
  {
    name: 'headers after the head',
    handle: (response, note) => {
      response.setHeader('x-early', '1')
      response.write('hello')
      noteSetters(response, note)
      response.end()
      noteSetters(response, note)
    },
  },
  {
    name: 'headers after writeHead',
    handle: (response, note) => {
      response.setHeader('x-early', '1')
      response.writeHead(200)
      noteSetters(response, note)
      response.end('hello')
    },
  },
  {
    name: 'headers after flushHeaders',
    handle: (response, note) => {
      response.setHeader('x-early', '1')
      response.flushHeaders()
      noteSetters(response, note)
      response.end('hello')
    },
  },
  {
    name: 'a status after the head',
    handle: (response) => {
      response.write('hello')
      response.statusCode = 404
      response.statusMessage = 'Gone'
      response.end()
    },
  },
  {
    name: 'what is no chunk',
    handle: (response, note) => {
      // Callers without types do that.
      const write = (chunk: unknown) => response.write(chunk as string)
      attempt(note, 'number', () => write(5))
      attempt(note, 'null', () => write(null))
      attempt(note, 'undefined', () => write(undefined))
      response.write('hello')
      attempt(note, 'number', () => write(5))
      attempt(note, 'end', () => response.end({} as string))
      response.end()
    },
  },
  {
    name: 'a write after the end',
    handle: (response, note) => {
      response.on('error', (error) => note('code' in error ? error.code : error.message))
      response.end('hello')
      response.write('more', (error) => note(error?.message))
    },
  },
  {
    name: 'writes that wait for drain',
    handle: async (response, note) => {
      for (let round = 0; round < 3; round += 1) {
        if (!response.write(LINE.repeat(1_000))) {
          await new Promise((resolve) => response.once('drain', resolve))
        }
      }
      response.end('end', () => note('ended'))
    },
  },
  {
    name: 'a pipeline',
    handle: async (response, note) => {
      await pipeline(Readable.from(lines(MEGABYTE)), response)
      noteState(response, note)
    },
  },
  { name: 'a response destroyed before its head', handle: (response) => response.destroy() },
  {
    name: 'a response destroyed halfway',
    handle: (response) => {
      response.write('hello', () => response.destroy())
    },
  },
  {
    name: 'a response destroyed after a part of it',
    handle: (response) => {
      response.write('hello')
      setImmediate(() => response.destroy())
    },
  },
  {
    name: 'a response destroyed with an error after a part of it',
    handle: (response, note) => {
      response.on('error', (error) => note(error.message))
      response.write('hello')
      setImmediate(() => response.destroy(failure('broken')))
    },
  },
  { name: 'a connection destroyed before the head', handle: (response) => response.socket?.destroy() },
  { name: 'HEAD', sent: { method: 'HEAD' }, handle: (response) => response.end('hello') },
  { name: '204', handle: (response) => response.writeHead(204).end('ignored') },
  { name: '304', handle: (response) => response.writeHead(304).end() },
  { name: '503', handle: (response) => response.writeHead(503, { 'retry-after': '1' }).end('down') },
]

function* lines(bytes: number): Iterable<string> {
  for (let sent = 0; sent < bytes; sent += LINE.length) yield LINE
}

function* breaking(count: number): Iterable<string> {
  for (let sent = 0; sent < count; sent += 1) yield LINE
  throw failure('broken')
}

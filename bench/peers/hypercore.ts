/** hypercore: a signed append-only log, replicated over plain TCP on a sparse random graph. */
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { ORIGIN_ADDRESS, Program } from './lab.ts'
import { nowMs, npmPackage, type Running, readyOf, SEQ_DIGITS, type System, shares, until } from './system.ts'
import type { Role } from './worker.ts'

const PORT = 9_000
const BLOCK_BYTES = 65_536
/** The origin has as many neighbours as a gossip mesh gives it; subscribers dial four each. */
const ORIGIN_DEGREE = 8
const DIALS = 4
const DEADLINE_MS = 60_000

export const hypercore: System = {
  name: 'hypercore',
  about: `a log of 64 KiB blocks over TCP, no discovery: the origin has ${ORIGIN_DEGREE} neighbours, each subscriber dials ${DIALS} others`,
  missing: () => npmPackage('hypercore'),
  async start(lab, subscribers): Promise<Running> {
    const origin = new Program(lab, 'origin', 'hypercore', 'writer', { dir: lab.dir })
    const key = await until(
      'the log stands',
      DEADLINE_MS,
      () => origin.said.find(({ about }) => about)?.about,
    )
    let first = 0
    const fleet = shares(subscribers).map((count) => {
      const options = { dir: lab.dir, key, first, count, total: subscribers }
      first += count
      return new Program(lab, 'fleet', 'hypercore', 'readers', options)
    })
    await until('all are linked', DEADLINE_MS, () =>
      fleet.reduce((sum, { said }) => sum + readyOf(said), 0) === subscribers ? true : undefined,
    )
    return {
      publish: async (_seq, path) => origin.tell({ path }),
      said: () => fleet.flatMap(({ said }) => said),
    }
  },
}

/** What is used of the package, which need not be installed. */
interface Log {
  readonly key: Buffer
  ready(): Promise<void>
  append(blocks: readonly Buffer[]): Promise<unknown>
  download(range: { start: number; end: number }): unknown
  replicate(initiator: boolean): NodeJS.ReadWriteStream
  createReadStream(options: { live: boolean }): AsyncIterable<Buffer>
}

async function open(dir: string, key?: string): Promise<Log> {
  const name = 'hypercore'
  const { default: Hypercore } = await import(name)
  const log = new Hypercore(dir, key === undefined ? null : Buffer.from(key, 'hex')) as Log
  await log.ready()
  return log
}

function link(log: Log, socket: Socket, initiator: boolean): void {
  socket.setNoDelay(true)
  const stream = log.replicate(initiator)
  for (const end of [stream, socket]) end.on('error', () => socket.destroy())
  socket.pipe(stream).pipe(socket)
}

/** A payload is the blocks from one that begins a line of digits and length to the one that completes it. */
const HEAD = SEQ_DIGITS + 12

export const writer: Role = async ({ dir }, { say, commands }) => {
  const log = await open(join(String(dir), 'log-origin'))
  createServer((socket) => link(log, socket, false)).listen(PORT, ORIGIN_ADDRESS)
  say({ about: log.key.toString('hex') })
  for await (const command of commands) {
    const payload = readFileSync((JSON.parse(command) as { path: string }).path)
    const head = Buffer.from(payload.length.toString().padStart(HEAD, '0'))
    const blocks = [head]
    for (let at = 0; at < payload.length; at += BLOCK_BYTES)
      blocks.push(payload.subarray(at, at + BLOCK_BYTES))
    await log.append(blocks)
  }
}

export const readers: Role = async (o, { say }) => {
  const [first, count, total] = [Number(o.first), Number(o.count), Number(o.total)]
  const logs = await Promise.all(
    Array.from({ length: count }, (_, at) => open(join(String(o.dir), `log-${first + at}`), String(o.key))),
  )
  for (const [at, log] of logs.entries())
    createServer((socket) => link(log, socket, false)).listen(PORT + 1 + first + at, '127.0.0.1')
  let ready = 0
  for (const [at, log] of logs.entries()) {
    if (first + at < ORIGIN_DEGREE) link(log, await dialled(PORT, ORIGIN_ADDRESS), true)
    for (let n = 0; n < DIALS; n++) {
      const other = Math.floor(Math.random() * total)
      if (other !== first + at) link(log, await dialled(PORT + 1 + other, '127.0.0.1'), true)
    }
    say({ ready: ++ready })
    void follow(log, say)
  }
  await new Promise(() => undefined)
}

async function follow(log: Log, say: Parameters<Role>[1]['say']): Promise<void> {
  log.download({ start: 0, end: -1 })
  let missing = 0
  let seq = 0
  for await (const block of log.createReadStream({ live: true })) {
    if (missing === 0) {
      missing = Number(block.toString('latin1'))
      seq = -1
      continue
    }
    if (seq < 0) seq = Number(block.toString('latin1', 0, SEQ_DIGITS))
    missing -= block.length
    if (missing === 0) say({ got: seq, atMs: nowMs() })
  }
}

/** The other side may not listen yet: it is tried until it does. */
async function dialled(port: number, host: string): Promise<Socket> {
  return until(
    `a link to ${port}`,
    DEADLINE_MS,
    () =>
      new Promise<Socket | undefined>((resolve) => {
        const socket = connect(port, host, () => resolve(socket))
        socket.once('error', () => resolve(undefined))
      }),
  )
}

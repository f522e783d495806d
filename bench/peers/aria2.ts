/** BitTorrent by aria2: one client a subscriber, a tracker of a few lines beside the origin, a new torrent for each payload. */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { ORIGIN_ADDRESS, Program } from './lab.ts'
import { program } from './program.ts'
import { nowMs, type Running, readyOf, type System, until } from './system.ts'
import type { Role } from './worker.ts'

const TRACKER_PORT = 6969
const RPC_PORT = 16_800
const LISTEN_PORT = 26_800
const PIECE_BYTES = 65_536
const DEADLINE_MS = 120_000

export const aria2: System = {
  name: 'BitTorrent (aria2)',
  about:
    'one aria2c a subscriber, a tracker at the origin, a new torrent of 64 KiB pieces for each payload, of which subscribers are told once the origin offers it; no DHT, no local discovery',
  missing: () => program('aria2c', 'aria2'),
  async start(lab, subscribers): Promise<Running> {
    const origin = new Program(lab, 'origin', 'aria2', 'clients', {
      count: 1,
      first: 0,
      dir: lab.dir,
      tracker: true,
    })
    const fleet = new Program(lab, 'fleet', 'aria2', 'clients', {
      count: subscribers,
      first: 1,
      dir: lab.dir,
    })
    await until('all clients answer', DEADLINE_MS, () =>
      readyOf(origin.said) === 1 && readyOf(fleet.said) === subscribers ? true : undefined,
    )
    return {
      async publish(seq, path) {
        const name = `payload-${seq}`
        copyFileSync(path, join(lab.dir, 'c0', name))
        const torrent = join(lab.dir, `${name}.torrent`)
        writeFileSync(torrent, torrentOf(name, readFileSync(path)))
        const before = swarmsOf(origin)
        origin.tell({ torrent, seq })
        // A leecher that asks before there is a seeder asks again after two seconds.
        await until('the origin offers it', DEADLINE_MS, () => swarmsOf(origin) > before || undefined)
        fleet.tell({ torrent, seq })
      },
      said: () => fleet.said,
    }
  },
}

const swarmsOf = ({ said }: Program): number => Math.max(0, ...said.map(({ swarms }) => swarms ?? 0))

/** BEP 3: keys ascending. */
function torrentOf(name: string, content: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < content.length; at += PIECE_BYTES)
    pieces.push(
      createHash('sha1')
        .update(content.subarray(at, at + PIECE_BYTES))
        .digest(),
    )
  const text = (value: string) => Buffer.from(`${value.length}:${value}`)
  const tracker = `http://${ORIGIN_ADDRESS}:${TRACKER_PORT}/announce`
  const all = Buffer.concat(pieces)
  return Buffer.concat([
    Buffer.from('d8:announce'),
    text(tracker),
    Buffer.from(`4:infod6:lengthi${content.length}e4:name`),
    text(name),
    Buffer.from(`12:piece lengthi${PIECE_BYTES}e6:pieces${all.length}:`),
    all,
    Buffer.from('ee'),
  ])
}

/**
 * Answers each announce with up to 30 others of the same torrent, in compact form (BEP 23).
 * @param onSwarm told how many torrents have somebody, with the first of each
 */
function tracker(onSwarm: (swarms: number) => void): void {
  const swarms = new Map<string, Map<string, Buffer>>()
  createServer((question, answer) => {
    const info = /info_hash=([^&]*)/.exec(question.url ?? '')?.[1] ?? ''
    const port = Number(/[?&]port=(\d+)/.exec(question.url ?? '')?.[1] ?? 0)
    const address = (question.socket.remoteAddress ?? '').replace('::ffff:', '')
    const swarm = swarms.get(info) ?? new Map<string, Buffer>()
    if (!swarms.has(info)) onSwarm(swarms.size + 1)
    swarms.set(info, swarm)
    const others = [...swarm.entries()]
      .filter(([key]) => key !== `${address}:${port}`)
      .map(([, compact]) => compact)
    const compact = Buffer.from([...address.split('.').map(Number), port >> 8, port & 255])
    swarm.set(`${address}:${port}`, compact)
    const chosen = Buffer.concat(others.sort(() => Math.random() - 0.5).slice(0, 30))
    answer.end(
      Buffer.concat([
        Buffer.from(`d8:intervali5e12:min intervali2e5:peers${chosen.length}:`),
        chosen,
        Buffer.from('e'),
      ]),
    )
  }).listen(TRACKER_PORT, ORIGIN_ADDRESS)
}

/** One aria2c and its JSON-RPC. */
class Client {
  readonly #url: string
  #socket: WebSocket | undefined

  constructor(dir: string, at: number) {
    mkdirSync(join(dir, `c${at}`))
    this.#url = `127.0.0.1:${RPC_PORT + at}/jsonrpc`
    const flags = {
      'enable-rpc': 'true',
      'rpc-listen-port': RPC_PORT + at,
      'listen-port': LISTEN_PORT + at,
      dir: join(dir, `c${at}`),
      'enable-dht': 'false',
      'enable-peer-exchange': 'true',
      'bt-enable-lpd': 'false',
      'seed-ratio': '0.0',
      'file-allocation': 'none',
      'check-integrity': at === 0 ? 'true' : 'false',
      'bt-seed-unverified': at === 0 ? 'true' : 'false',
      'allow-overwrite': 'true',
      'bt-max-open-files': '16',
      'bt-tracker-interval': '2',
      'disk-cache': '0',
      'max-concurrent-downloads': '1000',
    }
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    spawn('aria2c', ['--no-conf', '--quiet', ...args], { stdio: 'ignore' })
  }

  async connect(completed: () => void): Promise<void> {
    await until(
      'aria2c listens',
      DEADLINE_MS,
      () =>
        new Promise<true | undefined>((resolve) => {
          const socket = new WebSocket(`ws://${this.#url}`)
          socket.onopen = () => {
            this.#socket = socket
            resolve(true)
          }
          socket.onerror = () => resolve(undefined)
        }),
    )
    const socket = this.#socket
    if (socket === undefined) return
    socket.onmessage = ({ data }) => {
      const { method } = JSON.parse(String(data)) as { method?: string }
      if (method === 'aria2.onBtDownloadComplete') completed()
    }
  }

  add(torrent: string): void {
    const params = [readFileSync(torrent).toString('base64')]
    this.#socket?.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'aria2.addTorrent', params }))
  }
}

export const clients: Role = async (o, { say, commands }) => {
  if (o.tracker === true) tracker((swarms) => say({ swarms }))
  let current = 0
  let ready = 0
  const all = Array.from(
    { length: Number(o.count) },
    (_, at) => new Client(String(o.dir), Number(o.first) + at),
  )
  for (const client of all) {
    await client.connect(() => say({ got: current, atMs: nowMs() }))
    say({ ready: ++ready })
  }
  for await (const command of commands) {
    const { torrent, seq } = JSON.parse(command) as { torrent: string; seq: number }
    current = seq
    for (const client of all) client.add(torrent)
  }
}

/** etcd's watch, through its own JSON gateway: values travel in base64 there, a third more than over gRPC. */
import { readFileSync } from 'node:fs'
import { get, request } from 'node:http'
import { join } from 'node:path'
import { ORIGIN_ADDRESS, Program } from './lab.ts'
import { program } from './program.ts'
import { nowMs, type Running, readyOf, SEQ_DIGITS, type System, shares, until } from './system.ts'
import type { Role } from './worker.ts'

const PORT = 2379
const KEY = Buffer.from('config').toString('base64')
const DEADLINE_MS = 60_000

export const etcd: System = {
  name: 'etcd, watch',
  about:
    'one member; each subscriber watches one key through the JSON gateway, whose base64 adds a third to every byte',
  missing: () => program('etcd', 'etcd-server'),
  async start(lab, subscribers): Promise<Running> {
    const url = `http://${ORIGIN_ADDRESS}:${PORT}`
    const flags = ['--listen-client-urls', url, '--advertise-client-urls', url, '--log-level', 'error']
    lab.spawn('origin', [
      'etcd',
      '--data-dir',
      join(lab.dir, 'etcd'),
      '--max-request-bytes',
      '67108864',
      ...flags,
    ])
    const origin = new Program(lab, 'origin', 'etcd', 'publisher', {})
    await until('etcd answers', DEADLINE_MS, () => (readyOf(origin.said) === 1 ? true : undefined))
    const fleet = shares(subscribers).map((count) => new Program(lab, 'fleet', 'etcd', 'watchers', { count }))
    await until('all watch', DEADLINE_MS, () =>
      fleet.reduce((sum, { said }) => sum + readyOf(said), 0) === subscribers ? true : undefined,
    )
    return {
      publish: async (_seq, path) => origin.tell({ path }),
      said: () => fleet.flatMap(({ said }) => said),
    }
  },
}

const post = (path: string, body: object, heard: (chunk: Buffer) => void): void => {
  const options = { host: ORIGIN_ADDRESS, port: PORT, path, method: 'POST', agent: false } as const
  request(options, (response) => response.on('data', heard)).end(JSON.stringify(body))
}

export const publisher: Role = async (_options, { say, commands }) => {
  await until(
    'etcd is healthy',
    DEADLINE_MS,
    () =>
      new Promise<true | undefined>((resolve) => {
        get({ host: ORIGIN_ADDRESS, port: PORT, path: '/health' }, (response) => {
          response.resume()
          resolve(response.statusCode === 200 ? true : undefined)
        }).on('error', () => resolve(undefined))
      }),
  )
  say({ ready: 1 })
  for await (const command of commands) {
    const value = readFileSync((JSON.parse(command) as { path: string }).path).toString('base64')
    post('/v3/kv/put', { key: KEY, value }, () => undefined)
  }
}

export const watchers: Role = async ({ count }, { say }) => {
  let ready = 0
  for (let at = 0; at < Number(count); at++) {
    let heard: Buffer[] = []
    post('/v3/watch', { create_request: { key: KEY } }, (chunk) => {
      heard.push(chunk)
      if (chunk.at(-1) !== 10) return
      const line = Buffer.concat(heard).toString('latin1')
      heard = []
      if (line.includes('"created":true')) say({ ready: ++ready })
      const value = /"value":"([^"]{12})/.exec(line)?.[1]
      if (value === undefined) return
      const text = Buffer.from(value, 'base64').toString('latin1').slice(0, SEQ_DIGITS)
      say({ got: Number(text), atMs: nowMs() })
    })
  }
  await new Promise(() => undefined)
}

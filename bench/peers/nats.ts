/** NATS JetStream's key-value store: one server, each subscriber watches one key. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ORIGIN_ADDRESS, Program } from './lab.ts'
import { program } from './program.ts'
import { nowMs, npmPackage, type Running, readyOf, type System, seqOf, shares, until } from './system.ts'
import type { Role } from './worker.ts'

const PORT = 4222
const DEADLINE_MS = 60_000

export const nats: System = {
  name: 'NATS JetStream KV',
  about: 'one server with a file store; each subscriber watches one key over its own connection',
  missing: () => program('nats-server', 'nats-server') ?? npmPackage('@nats-io/kv'),
  async start(lab, subscribers): Promise<Running> {
    const file = join(lab.dir, 'nats.conf')
    const conf = `listen: ${ORIGIN_ADDRESS}:${PORT}\nmax_payload: 64MB\nmax_pending: 256MB\njetstream { store_dir: "${lab.dir}/js" }\n`
    writeFileSync(file, conf)
    lab.spawn('origin', ['nats-server', '-c', file])
    const origin = new Program(lab, 'origin', 'nats', 'publisher', {})
    await until('the bucket stands', DEADLINE_MS, () => (readyOf(origin.said) === 1 ? true : undefined))
    const fleet = shares(subscribers).map((count) => new Program(lab, 'fleet', 'nats', 'watchers', { count }))
    await until('all watch', DEADLINE_MS, () =>
      fleet.reduce((sum, { said }) => sum + readyOf(said), 0) === subscribers ? true : undefined,
    )
    return {
      publish: async (_seq, path) => origin.tell({ path }),
      said: () => fleet.flatMap(({ said }) => said),
    }
  },
}

/** What is used of the packages, which need not be installed. */
interface Bucket {
  put(key: string, value: Uint8Array): Promise<number>
  watch(options: { key: string; initializedFn?: () => void }): Promise<AsyncIterable<{ value: Uint8Array }>>
}

async function bucket(): Promise<Bucket> {
  const [transport, kv] = ['@nats-io/transport-node', '@nats-io/kv']
  const { connect } = await import(transport)
  const { Kvm } = await import(kv)
  const options = { servers: `${ORIGIN_ADDRESS}:${PORT}`, waitOnFirstConnect: true, reconnectTimeWait: 200 }
  const connection = await connect(options)
  return (await new Kvm(connection).create('bench', { history: 1 })) as Bucket
}

export const publisher: Role = async (_options, { say, commands }) => {
  const kv = await bucket()
  say({ ready: 1 })
  for await (const command of commands)
    await kv.put('config', readFileSync((JSON.parse(command) as { path: string }).path))
}

export const watchers: Role = async ({ count }, { say }) => {
  let ready = 0
  const watch = async (): Promise<void> => {
    const kv = await bucket()
    const entries = await kv.watch({ key: 'config' })
    say({ ready: ++ready })
    for await (const { value } of entries) say({ got: seqOf(value), atMs: nowMs() })
  }
  await Promise.all(Array.from({ length: Number(count) }, watch))
}

import { createCipheriv } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { total } from '../../bench/metrics.ts'
import { converged, type InitResult, json, RealFleet, type RealNode, until } from './real-fleet.ts'

const CHANNEL = 'data/large'
const KIB = 1024
const MIB = 1024 * KIB
const fleet = new RealFleet()
const dir = join(fleet.dir, 'content')
const file = join(dir, 'data.bin')
let made: InitResult
let seed: RealNode
let nodes: RealNode[]

interface Published {
  readonly release: string
  readonly uploadedBytes: number
}

const publish = async (): Promise<Published> => {
  const keys = ['--key', made.publisherKey, '--seed', made.seedAddress, '--yes']
  const { code, value } = await json(['publish', CHANNEL, dir, ...keys])
  expect(value).not.toHaveProperty('error')
  expect(code).toBe(0)
  return value as unknown as Published
}
/** Looks random and is the same each time: how many blocks a change touches depends on all that follows it. */
const content = (bytes: number): Buffer =>
  createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(bytes))

const receivedBytes = ({ api }: RealNode): Promise<number> =>
  total(api, 'confmesh_network_received_bytes_total')

/** What was asked of a second peer while the first was silent comes later than the release is whole. */
function receivedAll(node: RealNode): Promise<number> {
  let last = Number.NEGATIVE_INFINITY
  return until(`nothing comes late to ${node.name}`, 30_000, async () => {
    const was = last
    last = await receivedBytes(node)
    return last - was < 16 * KIB && last
  })
}

beforeAll(async () => {
  made = await fleet.init()
  seed = await fleet.start('seed', made.seedConfig)
  nodes = await Promise.all([1, 2].map((n) => fleet.startNode(`node${n}`, made)))
  mkdirSync(dir)
})
afterAll(() => fleet.end())

test('1 KiB put into a file of 100 MiB: at most 1 MiB travels to each node, and to the seed', async () => {
  writeFileSync(file, content(100 * MIB))
  await converged([seed, ...nodes], CHANNEL, (await publish()).release, 90_000)
  const before = await Promise.all(nodes.map(receivedAll))
  const plain = readFileSync(file)
  const at = 33 * MIB + 333
  writeFileSync(file, Buffer.concat([plain.subarray(0, at), content(KIB), plain.subarray(at)]))
  const { release, uploadedBytes } = await publish()
  await converged([seed, ...nodes], CHANNEL, release, 60_000)
  expect(uploadedBytes).toBeLessThan(MIB)
  const after = await Promise.all(nodes.map(receivedBytes))
  for (const [n, bytes] of after.entries()) expect(bytes - (before[n] ?? 0)).toBeLessThan(MIB)
  const now = readFileSync(file)
  for (const { api } of nodes) {
    const url = `${api}/v1/channels/${encodeURIComponent(CHANNEL)}/files/data.bin`
    const range = await fetch(url, { headers: { range: `bytes=${at - KIB}-${at + 2 * KIB - 1}` } })
    expect(range.headers.get('content-range')).toBe(`bytes ${at - KIB}-${at + 2 * KIB - 1}/${now.length}`)
    expect(Buffer.from(await range.arrayBuffer())).toEqual(now.subarray(at - KIB, at + 2 * KIB))
  }
})

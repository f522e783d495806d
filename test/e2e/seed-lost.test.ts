/**
 * A seed that dies between a publisher's last block and its word that the release is held. To stop it exactly there,
 * each seed has one neighbour that calls itself a seed as well: once a seed has everything it asks that one to pull the
 * release, and says nothing to the publisher before it is answered.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../src/cli/demo/free-port.ts'
import { EXIT_CODES } from '../../src/cli/exit-codes.ts'
import type { Address } from '../../src/model/ids.ts'
import type { AnyReply, AnyRequest } from '../../src/model/messages.ts'
import { agreeing, Hostile as Peer } from '../attack/kit/hostile.ts'
import { knownFrom } from './known-fleet.ts'
import { confmesh, converged, type InitResult, json, RealFleet, type RealNode } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const MESHSUB = '/meshsub/1.1.0'
/** A publish gives a second seed two seconds to be reached: where one stood still for as long all begins again. */
const TRIES = 3
const MISSED = 'was not reached (NET_TIMEOUT)'
const FILE_BYTES = 3 * 1024 * 1024
/** A neighbour is of this process, which may stand still while it is being let in. */
const PATIENT = { CONFMESH_NODE_LIMITS_ADMIT_DEADLINE_MS: '30000' }

const fleet = new RealFleet()
const neighbours: Peer[] = []
let made: InitResult
let configs: readonly string[]

/** Neither knows the other, so that each has its neighbour alone to ask. */
beforeAll(async () => {
  made = await fleet.init()
  const { value } = await json([
    ...['add-seed', join(fleet.dir, 'other'), '--from', made.seedConfig, '--host', '127.0.0.1'],
    ...['--port', String(await freePort()), '--root', made.root, '--root-key', ...made.rootKeys],
  ])
  expect(value).not.toHaveProperty('error')
  const other = (value as unknown as { seedConfig: string }).seedConfig
  const alone = readFileSync(other, 'utf8').replace(/^seeds:\n( +- .*\n)+/m, 'seeds: []\n')
  expect(alone).toContain('seeds: []')
  writeFileSync(other, alone)
  configs = [made.seedConfig, other]
})
async function allEnd(): Promise<void> {
  await Promise.all(neighbours.splice(0).map((neighbour) => neighbour.stop()))
  await Promise.all([...fleet.nodes].map((node) => node.kill('SIGKILL')))
}
afterEach(allEnd)
afterAll(() => fleet.end())

const start = (name: string, config: string) => fleet.start(name, config, [], { env: PATIENT })

/** At once: nothing that it would still say leaves it. */
function kill(seed: RealNode): undefined {
  seed.process.kill('SIGKILL')
}

/** A neighbour that calls itself a seed, and answers what a seed asks one with what the test says. */
async function beside(
  seed: RealNode,
  pulled: (asked: AnyRequest & { protocol: 'publish' }) => AnyReply | undefined,
): Promise<Peer> {
  const peer = await Peer.start(
    knownFrom({ root: made.root, admissionKey: join(fleet.dir, 'fleet/admission.key') }),
  )
  neighbours.push(peer)
  peer.submits = true
  peer.answers = (request) => {
    if (request.protocol !== 'publish') return agreeing(request)
    if (request.message.type === 'await') return pulled(request)
    return { protocol: 'publish', message: { type: 'noted' } }
  }
  const answer = await peer.enter(seed.address as Address)
  if (answer.type !== 'hello') throw new Error(`${seed.name} admits no neighbour: ${JSON.stringify(answer)}`)
  // Without gossip the seed would make the connection anew; a neighbour subscribes to nothing.
  await peer.stream(MESHSUB)
  return peer
}

const publishAt = (seeds: readonly RealNode[], name: string) => {
  const dir = fleet.files(name, { 'large.txt': randomBytes(FILE_BYTES / 2).toString('hex') })
  return confmesh([
    ...['publish', CHANNEL, dir, '--key', made.publisherKey, '--yes', '--json'],
    ...seeds.flatMap(({ address }) => ['--seed', address]),
  ])
}

/** Whichever of two seeds takes the upload dies once it has all of it. */
async function publishedOverOneThatDies(content: string) {
  const seeds = await Promise.all(configs.map((config, at) => start(`seed-${at}`, config)))
  let killed: RealNode | undefined
  for (const seed of seeds) {
    const peer = await beside(seed, () => {
      // Whichever was reached first took the upload: it dies, and nobody answers it.
      killed ??= seed
      if (killed === seed) return kill(seed)
      const acknowledgedBy = [peer.id]
      return { protocol: 'publish', message: { type: 'done', verdict: 'DUPLICATE', acknowledgedBy } }
    })
  }
  const run = await publishAt(seeds, content)
  const [left] = seeds.filter((seed) => seed !== killed) as [RealNode]
  return { run, killed, left }
}

test('a seed killed after the last block, before its word: the publish goes on with the next seed and ends well', async () => {
  let { run, killed, left } = await publishedOverOneThatDies('two')
  for (let tries = 1; run.err.includes(MISSED) && tries < TRIES; tries += 1) {
    await allEnd()
    ;({ run, killed, left } = await publishedOverOneThatDies(`two, ${tries}`))
  }
  expect(run.code, run.err).toBe(0)
  const { release, acknowledgedBy, uploadedBytes } = JSON.parse(run.out)
  expect(run.err).toContain(`seed ${killed?.peerId} went silent (NET_UNREACHABLE)`)
  expect(acknowledgedBy).toContain(left.peerId)
  expect(acknowledgedBy).not.toContain(killed?.peerId)
  expect(uploadedBytes, 'all of it, to each').toBeGreaterThan(2 * FILE_BYTES)
  await converged([left], CHANNEL, release)
})

test('where no other seed is named, the publish says that this one is gone', async () => {
  const seed = await start('only', made.seedConfig)
  await beside(seed, () => kill(seed))
  const run = await publishAt([seed], 'one')
  expect(JSON.parse(run.out).error).toMatchObject({ code: 'NET_UNREACHABLE' })
  expect(run.code).toBe(EXIT_CODES.NET_UNREACHABLE)
})

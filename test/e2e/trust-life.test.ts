/** Trust in daily life: sections of docs/operations.md, carried out on a running fleet by their own commands. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../src/cli/demo/free-port.ts'
import { readPrivateKey, readPublicKey } from '../../src/cli/key-files.ts'
import { readRoot } from '../../src/cli/root-files.ts'
import { encodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../src/codec/root.ts'
import { renew } from '../../src/trust/edit.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { commandsOf } from './pages.ts'
import { confmesh, converged, type InitResult, json, RealFleet, type RealNode, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
let made: InitResult
let seed: RealNode
let nodes: RealNode[] = []
let folder: string

beforeAll(async () => {
  // as the page's own fleet
  made = await fleet.init('fleet', ['--channel', 'payments/*', '--root-keys', '3', '--root-threshold', '2'])
  folder = join(fleet.dir, 'fleet')
  seed = await fleet.start('seed', made.seedConfig)
  nodes = [await fleet.startNode('a', made), await fleet.startNode('b', made)]
})
afterAll(() => fleet.end())

/** As many root keys as the threshold asks for, of those not lost. */
const holders = ['root-1.key', 'root-2.key']

/** Runs the section's commands as they stand, in the fleet's folder; those from `from` to before `to`. */
async function carryOut(heading: string, more: Record<string, string> = {}, from = 0, to?: number) {
  const replaced = { ADDRESS: seed.address, 'root-1.key': holders.join(' --root-key '), ...more }
  for (const words of commandsOf(heading, replaced).slice(from, to)) {
    const { code, err, out } = await confmesh(words, { cwd: folder })
    if (code !== 0) throw new Error(`confmesh ${words.join(' ')}: ${code}: ${err}${out}`)
  }
}

async function publish(channel: string, text: string, key: string): Promise<string> {
  const files = fleet.files(`content ${text}`, { 'app.conf': `${text}\n` })
  const at = ['--root', join(folder, 'root.json'), '--seed', seed.address, '--yes']
  const { code, value } = await json(['publish', channel, files, '--key', join(folder, key), ...at])
  if (code !== 0) throw new Error(JSON.stringify(value))
  return value.release as unknown as string
}

const refusedTo = async (channel: string, key: string): Promise<string | undefined> => {
  const files = fleet.files('refused', { 'app.conf': 'refused\n' })
  const at = ['--root', join(folder, 'root.json'), '--seed', seed.address, '--yes']
  const { value } = await json(['publish', channel, files, '--key', join(folder, key), ...at])
  return value.error?.code
}

const everywhere = (what: string, holds: (node: RealNode) => Promise<boolean>, ms = 30_000) =>
  Promise.all([seed, ...nodes].map((node) => until(`${node.name}: ${what}`, ms, () => holds(node))))

const atRoot = (version: number) =>
  everywhere(`root ${version}`, async ({ client }) => (await client.status()).root.version === version)

const versionNow = (): number => readRoot(join(folder, 'root.json')).root.version

const activeAt = async ({ client }: RealNode, channel: string): Promise<string | undefined> =>
  (await client.channel(channel)).active?.release

describe('on a running fleet, by the commands of its page', () => {
  test('add a publisher, remove it', async () => {
    await carryOut('Add a publisher, remove it', {}, 0, 3)
    await atRoot(2)
    const release = await publish('partner/site', 'by partner', 'partner.key')
    await converged([seed], 'partner/site', release)
    for (const { client } of nodes)
      await expect(client.channel('partner/site')).rejects.toMatchObject({ code: 'API_NOT_FOUND' })
    edit(made.nodeConfig, 'channels:', 'channels:\n  - "partner/*"')
    await restarted('partner/site', release)

    await carryOut('Add a publisher, remove it', {}, 3)
    await atRoot(3)
    expect(await refusedTo('partner/site', 'partner.key')).toMatch(/^TRUST_UNAUTHORISED$|^CONFIG_KEY$/)
    await everywhere('stale, and still served', async ({ client }) => {
      const { active, state } = await client.channel('partner/site')
      return active?.release === release && state === 'stale'
    })
    await coverPartner()
    await atRoot(4)
    await converged(nodes, 'partner/site', await publish('partner/site', 'by publisher', 'publisher.key'))
  })

  test('rotate a publisher’s key: every channel is issued again, also those that no key remembers', async () => {
    const before = await publish(CHANNEL, 'before', 'publisher.key')
    await converged(nodes, CHANNEL, before)
    rmSync(join(folder, 'publisher.key.counters.json'))
    await carryOut("Rotate a publisher's key", {}, 0, 2)
    await atRoot(5)
    for (const channel of [CHANNEL, 'partner/site'])
      await everywhere(`${channel} issued again`, async (node) => {
        const now = await node.client.channel(channel)
        return (
          now.state === 'active' && now.active?.release !== before && now.active?.publisher === 'publisher'
        )
      })
    expect(await refusedTo(CHANNEL, 'publisher.key')).toMatch(/^TRUST_UNAUTHORISED$|^CONFIG_KEY$/)
    await converged(nodes, CHANNEL, await publish(CHANNEL, 'after', 'new.key'))
  })

  test('lose a root key', async () => {
    const { id } = readPublicKey(join(folder, 'root-2.key.pub'))
    for (const half of ['root-2.key', 'root-2.key.pub']) rmSync(join(folder, half))
    holders[1] = 'root-3.key'
    await carryOut('Lose a root key', { LOST: id.slice(0, 12) })
    await atRoot(7)
    const shown = await json(['trust', 'show', '--root', made.root])
    expect((shown.value.roles as unknown as { root: { keys: string[] } }).root.keys).toHaveLength(3)
    await converged(nodes, CHANNEL, await publish(CHANNEL, 'without root-2', 'new.key'))
  })

  test('renew the root, after its end', async () => {
    const before = await publish(CHANNEL, 'before the end', 'new.key')
    await converged(nodes, CHANNEL, before)
    await endOfRoot(2_000)
    const late = await publish(CHANNEL, 'after the end', 'new.key')
    await everywhere('the gate is said', async ({ client }) => {
      const { gate, active } = await client.channel(CHANNEL)
      return gate === 'root-expired' && active?.release === before
    })
    await carryOut('Renew the root')
    await atRoot(versionNow())
    await converged(nodes, CHANNEL, late)
  })

  test('remove a pool: who moved to the new one stays, who still shows the old one is cut off', async () => {
    await carryOut('Remove a pool', {}, 0, 2)
    await seed.kill('SIGTERM')
    namePool('pool', 'pool2')
    seed = await fleet.start('seed', made.seedConfig)
    const [a, left] = nodes as [RealNode, RealNode]
    await a.kill('SIGTERM')
    const stays = await fleet.startNode('a', made)
    await converged([stays, left], CHANNEL, (await activeAt(seed, CHANNEL)) as string)
    await until('the old pool is still welcome', 20_000, async () => (await peersOf(left)) > 0)

    await carryOut('Remove a pool', {}, 2)
    const pushedMs = performance.now()
    await until('the old pool is cut off', 20_000, async () => (await peersOf(left)) === 0)
    const cutOffMs = performance.now() - pushedMs
    console.info(`members of a removed pool were cut off ${Math.round(cutOffMs)} ms after the push`)
    await until('both ends say why', 20_000, async () =>
      [seed.log(), left.log()].every((log) => log.includes('"ADMIT_REMOVED"')),
    )
    const next = await publish(CHANNEL, 'without the old pool', 'new.key')
    await converged([stays], CHANNEL, next)
    expect(await activeAt(left, CHANNEL)).not.toBe(next)
    await left.kill()
    nodes = [stays, await fleet.startNode('b', made)]
    await converged(nodes, CHANNEL, next)
  })

  test('remove a node: it alone is cut off', async () => {
    const release = (await activeAt(seed, CHANNEL)) as string
    const gone = await fleet.startNode('gone', made)
    await converged([gone], CHANNEL, release)
    await carryOut('Remove a node', { PEER: gone.peerId })
    await until('the node is cut off', 20_000, async () => (await peersOf(gone)) === 0)
    await until('both ends say why', 20_000, async () =>
      [seed.log(), gone.log()].every((log) =>
        log.split('\n').some((line) => line.includes('"ADMIT_REMOVED"') && line.includes(gone.peerId)),
      ),
    )
    const next = await publish(CHANNEL, 'without the removed node', 'new.key')
    await converged(nodes, CHANNEL, next)
    expect(await activeAt(gone, CHANNEL)).toBe(release)
    await gone.kill()
  })

  test('replace the admission key: hosts with a pool of the new one are welcome before the old ones are shut out', async () => {
    await carryOut('Replace the admission key', {}, 0, 5)
    await atRoot(versionNow())
    const [left, moves] = nodes as [RealNode, RealNode]
    await moves.kill('SIGTERM')
    namePool('pool2', 'pool3')
    const stays = await fleet.startNode('b', made)
    await until('the new pool is welcome', 20_000, async () => (await peersOf(stays)) === 2)
    await seed.kill('SIGTERM')
    seed = await fleet.start('seed', made.seedConfig)
    await until('both are welcome at the seed', 20_000, async () => (await peersOf(seed)) === 2)

    await carryOut('Replace the admission key', {}, 5)
    await until('what the old key admitted is cut off', 20_000, async () => (await peersOf(left)) === 0)
    const next = await publish(CHANNEL, 'without the old admission key', 'new.key')
    await converged([stays], CHANNEL, next)
    await left.kill()
    nodes = [await fleet.startNode('a', made), stays]
    await converged(nodes, CHANNEL, next)
  })

  test('replace a seed', async () => {
    const [port, api] = [await freePort(), await freePort()]
    const host = { 'seed2.example.net': `127.0.0.1 --port ${port} --api-port ${api}` }
    await carryOut('Replace a seed', host, 0, 2)
    await atRoot(versionNow())
    const second = await fleet.start('seed2', join(folder, 'seed2/seed.yaml'))
    const release = (await activeAt(seed, CHANNEL)) as string
    await converged([second], CHANNEL, release)
    // the others learn of it: through peers, no restart
    await until('a node knows the new seed', 60_000, async () => (await peersOf(second)) > 1)
    // and by its address, which the page has in every configuration: hosts restarted one by one
    edit(made.nodeConfig, 'seeds:', `seeds:\n  - ${JSON.stringify(second.address)}`)
    await restarted(CHANNEL, release)
    await seed.kill('SIGTERM')
    await carryOut('Replace a seed', { NEW: second.address }, 2)
    seed = second
    await atRoot(versionNow())
    await converged(nodes, CHANNEL, await publish(CHANNEL, 'through the new seed', 'new.key'))
  })
})

const peersOf = async ({ client }: RealNode): Promise<number> => (await client.status()).peers.connected

/** In the folder's own files, as the page says: what is made from them later must not have the old text. */
function edit(config: string, old: string, now: string): void {
  const text = readFileSync(config, 'utf8')
  if (text.split(old).length !== 2) throw new Error(`${config}: not once: ${old}`)
  writeFileSync(config, text.replace(old, now))
}

function namePool(old: string, now: string): void {
  for (const config of [made.seedConfig, made.nodeConfig])
    for (const half of ['json', 'key']) edit(config, ` ${old}.${half}`, ` ${now}.${half}`)
}

/** One by one, each once the one before has this. */
async function restarted(channel: string, release: string): Promise<void> {
  for (const [at, node] of nodes.entries()) {
    await node.kill('SIGTERM')
    const again = await fleet.startNode(node.name, made)
    await converged([again], channel, release)
    nodes[at] = again
  }
}

/** Gives the fleet's own publisher the removed one's channels, beside its own. */
async function coverPartner(): Promise<void> {
  const own = ['--public-key', 'publisher.key.pub', '--channel', 'payments/*', 'partner/*', '--replace']
  const signed = ['--root', 'root.json', '--root-key', ...holders]
  for (const words of [
    ['add-publisher', 'publisher', ...own, ...signed],
    ['push', '--root', 'root.json', '--seed', seed.address],
  ]) {
    const { code, err, out } = await confmesh(['trust', ...words], { cwd: folder })
    if (code !== 0) throw new Error(`confmesh ${words.join(' ')}: ${code}: ${err}${out}`)
  }
}

/** A root that ends so soon: no command makes one, for nobody wants it. */
async function endOfRoot(leftMs: number): Promise<void> {
  const current = readRoot(made.root)
  const expires = Math.ceil((Date.now() + leftMs) / 1000) * 1000
  const next = renew(current.root, expires)
  cpSync(made.root, join(folder, `root.${current.root.version}.json`))
  const keys = holders.map((name) => readPrivateKey(join(folder, name)))
  const envelope = signEnvelope('root', encodeRoot(next), keys)
  writeFileSync(made.root, encodeEnvelopeJson(envelope))
  expect((await json(['trust', 'push', '--root', made.root, '--seed', seed.address])).code).toBe(0)
  await atRoot(next.version)
  await until('the root has ended', 20_000, async () => Date.now() > expires)
}

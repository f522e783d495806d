/** Addresses in a configuration: what nobody can listen on or dial is refused at its line, with what to write instead. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { loadConfig } from '../../../src/daemon/config.ts'
import { checkAnnounced } from '../../../src/daemon/doctor/network.ts'
import { startNode } from '../../../src/daemon/node.ts'
import { loadOrCreateIdentity, newIdentityPem, peerIdOf } from '../../../src/net/identity.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { rootKeys, rootOne } from '../trust/fixtures.ts'

const OTHER = peerIdOf(newIdentityPem())
let dir: string
let file: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-addresses-'))
  file = join(dir, 'node.yaml')
  const root = signEnvelope('root', encodeRoot(rootOne()), rootKeys)
  writeFileSync(join(dir, 'root.json'), encodeEnvelopeJson(root))
})
afterAll(() => rmSync(dir, { recursive: true }))

function load(text: string, environment: NodeJS.ProcessEnv = {}) {
  writeFileSync(file, `root: root.json\ndata: data\n${text}\n`)
  return loadConfig(file, environment, new Map())
}

const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) })

const literally = (text: string): string => text.replace(/[.()[\]]/g, '\\$&')

test.each(['/ip4/127.0.0.1/tcp/7400', '/ip6/2001:DB8::1/tcp/7400', '/dns4/seed_1.example.net/tcp/7400'])(
  '%s is taken, to listen on and to announce',
  (address) => {
    expect(load(`listen: ["${address}"]`).listen).toEqual([address])
    expect(load(`announce: ["${address}"]`).announce).toEqual([address])
  },
)

const LISTEN = '/ip4/0.0.0.0/tcp/7400 or /ip6/::/tcp/7400'
const ANNOUNCE = '/ip4/192.0.2.7/tcp/7400 or /dns4/node1.example.net/tcp/7400'

test.each([
  ['127.0.0.1:7400', '', '/ip4/127.0.0.1/tcp/7400'],
  ['[::1]:7400', '', '/ip6/::1/tcp/7400'],
  ['seed1.example.net:7400', '', '/dns4/seed1.example.net/tcp/7400'],
  ['7400', '', undefined],
  ['/ip4/127.0.0.1/tcp/74000', ' (', undefined],
  ['/ip4/300.1.1.1/tcp/7400', ' (Invalid IPv4 address "300.1.1.1")', undefined],
  ['/ip6/1::2::3/tcp/7400', ' (', undefined],
  ['/ip4/127.0.0.1/udp/7400/quic-v1', '', undefined],
  ['/ip4/127.0.0.1/tcp/7400/ws', '', undefined],
  ['/dns4/foo:bar/tcp/7400', '', undefined],
  [`/dns4/${'a'.repeat(254)}/tcp/7400`, '', undefined],
  ['/ip4/127.0.0.1/tcp/7400/p2p/n0nsense', '', undefined],
])('%s is no TCP multiaddr, and it is said what to write', (address, reason, form) => {
  for (const [key, example] of [
    ['listen', LISTEN],
    ['announce', ANNOUNCE],
  ]) {
    const message = `node.yaml:5: ${key}: "${address}" is no TCP multiaddr${reason}`
    const advice = `; write it as ${form ?? example}`
    const wanted = refusal(new RegExp(`${literally(message)}.*${literally(advice)}$`))
    expect(() => load(`${key}:\n  - /ip4/127.0.0.1/tcp/7400\n  - '${address}'`)).toThrow(wanted)
  }
})

test.each([
  '/ip4/0.0.0.0/tcp/7400',
  '/ip6/::/tcp/7400',
  '/ip6/0:0:0:0:0:0:0:0/tcp/7400',
  '/ip6/FE80::1/tcp/7400',
  '/ip6/febf::1/tcp/7400',
  '/ip4/10.0.0.7/tcp/0',
])('%s may be listened on, and not be announced', (address) => {
  expect(load(`listen: ["${address}"]`).listen).toEqual([address])
  const message = `node.yaml:4: announce: "${address}" leads no other host here; write what others reach it at, as ${ANNOUNCE}`
  expect(() => load(`announce:\n  - "${address}"`)).toThrow(refusal(new RegExp(literally(message))))
})

test("an announced address with another host's peer id keeps the node from starting, and doctor names it", async () => {
  const copied = `/ip4/127.0.0.1/tcp/7400/p2p/${OTHER}`
  const config = load(`announce:\n  - /ip4/127.0.0.1/tcp/7401\n  - ${copied}`)
  const told = { ok: false, text: expect.stringContaining(`${copied} names another peer`) }
  expect(checkAnnounced(config)).toMatchObject(told)
  await expect(startNode(config, '0.0.0')).rejects.toEqual(
    refusal(new RegExp(`node\\.yaml:5: announce: "${copied}" names another peer than this node, `)),
  )
  expect(checkAnnounced(config)).toMatchObject(told)
})

test('what is announced is so in the order in which it is written, with the own id once', async () => {
  const { peerId } = await loadOrCreateIdentity(join(dir, 'data'))
  const own = `/ip4/127.0.0.1/tcp/7400/p2p/${peerId}`
  const hosts = ['/dns4/z.example/tcp/7400', '/ip4/10.0.0.7/tcp/7400', '/ip4/5.9.1.1/tcp/7400']
  const config = load(
    `listen: [/ip4/127.0.0.1/tcp/0]\nannounce: [${[own, ...hosts].join(', ')}]\napi: { listen: "127.0.0.1:0" }\nlog: { level: error }`,
  )
  expect(checkAnnounced(config)).toMatchObject({ ok: true, text: [own, ...hosts].join(', ') })
  const node = await startNode(config, '0.0.0')
  try {
    expect(node.ready.addresses).toEqual([own, ...hosts.map((host) => `${host}/p2p/${peerId}`)])
  } finally {
    await node.stop()
  }
})

test('a list of the environment may have spaces around its commas', () => {
  const [one, two] = [1, 2].map((host) => `/ip4/10.0.0.${host}/tcp/7400/p2p/${OTHER}`)
  expect(load('', { CONFMESH_NODE_SEEDS: ` ${one}, ${two} , ` }).seeds).toEqual([one, two])
})

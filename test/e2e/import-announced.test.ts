/** `import` by the API of a node that announces what does not lead to it from its own host: a container, a NAT. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeNode, serve } from '../integration/api/fake-node.ts'
import { confmesh, type InitResult, json, publish, RealFleet, type RealNode } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const NOBODY = '/ip4/127.0.0.1/tcp/1'
const fleet = new RealFleet()
let made: InitResult
let node: RealNode
let car: string
let release: string
beforeAll(async () => {
  made = await fleet.init()
  node = await fleet.start('seed', made.seedConfig, [], { env: { CONFMESH_NODE_ANNOUNCE: NOBODY } })
  ;({ release } = await publish(made, CHANNEL, fleet.files('config', { 'app.yaml': 'a: 1\n' })))
  car = join(fleet.dir, 'release.car')
  const exported = await confmesh(['export', CHANNEL, car, '--release', release, '--api', node.api])
  expect(exported, exported.err).toMatchObject({ code: 0 })
})
afterAll(() => fleet.end())

test('goes to where the node listens', async () => {
  const { addresses, listening } = await node.client.status()
  expect(addresses).toEqual([`${NOBODY}/p2p/${node.peerId}`])
  expect(listening).toEqual([made.seedAddress])
  expect(await json(['import', car, '--api', node.api])).toMatchObject({ code: 0, value: { release } })
})

test('and to what it announces where nothing leads there: its API may be handed on from a container', async () => {
  const inContainer = new FakeNode()
  const { status } = inContainer
  const fake = await serve(inContainer)
  try {
    for (const listening of [[`${NOBODY}/p2p/${node.peerId}`], []]) {
      inContainer.status = () => ({ ...status.call(inContainer), listening, addresses: [made.seedAddress] })
      expect(await json(['import', car, '--api', fake.api.url])).toMatchObject({
        code: 0,
        value: { release },
      })
    }
  } finally {
    await fake.api.stop()
  }
})

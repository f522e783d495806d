/** A seed's whole data folder is put back from a backup, store and floor, and a pipeline publishes before it has heard of anybody. */
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { EXIT_CODES } from '../../src/cli/exit-codes.ts'
import { converged, publish, RealFleet, remembersPeers, tryPublish, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()

afterAll(() => fleet.end())

test('a release on top of what was put back is not acknowledged: it waits for a peer, and is refused as too old', async () => {
  const made = await fleet.init()
  const [data, backup] = [join(dirname(made.seedConfig), 'seed'), join(fleet.dir, 'backup')]
  // A pipeline: nothing beside its key remembers what was signed.
  const pipeline = join(fleet.dir, 'pipeline')
  mkdirSync(pipeline)
  for (const name of ['publisher.key', 'root.json'])
    cpSync(join(dirname(made.root), name), join(pipeline, name))
  const key = join(pipeline, 'publisher.key')
  const files = (text: string) => fleet.files(text, { 'app.yaml': `${text}\n` })

  let seed = await fleet.start('seed', made.seedConfig)
  let node = await fleet.startNode('node', made)
  const { release } = await publish(made, CHANNEL, files('first'))
  await converged([seed, node], CHANNEL, release)
  // A seed that knows nobody waits for nobody; what a node says of itself comes beside the releases.
  await remembersPeers(data)
  await seed.kill('SIGTERM')
  cpSync(data, backup, { recursive: true })
  seed = await fleet.start('seed', made.seedConfig)
  // Of one release alone it would be a twin, which the publisher comes past by itself.
  await publish(made, CHANNEL, files('second'))
  const newest = await publish(made, CHANNEL, files('third'))
  await converged([seed, node], CHANNEL, newest.release)
  await Promise.all([seed.kill('SIGTERM'), node.kill('SIGTERM')])
  rmSync(data, { recursive: true })
  cpSync(backup, data, { recursive: true })

  // Time for the node to come, also on a busy machine.
  const env = { CONFMESH_NODE_LIMITS_FLOOR_LOST_WAIT_MS: '30000' }
  seed = await fleet.start('seed', made.seedConfig, [], { env })
  let isDone = false
  const late = tryPublish(made, CHANNEL, files('late'), { key }).finally(() => {
    isDone = true
  })
  await until(
    'the pipeline is told to wait',
    30_000,
    async () => isDone || seed.log().includes('has just started'),
  )
  if (isDone) expect(await late, 'it is not answered before anybody was asked').toBeUndefined()
  node = await fleet.startNode('node', made)
  const { code, value } = await late
  expect(value.error).toMatchObject({ code: 'ORDER_STALE' })
  expect(code).toBe(EXIT_CODES.ORDER_STALE)
  await converged([seed, node], CHANNEL, newest.release)

  const next = await tryPublish(made, CHANNEL, files('next'), { key })
  expect(next.value).toMatchObject({ clock: { publisher: 4 } })
  await converged([seed, node], CHANNEL, (next.value as unknown as { release: string }).release)
})

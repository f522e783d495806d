/** A folder that a running node works in is taken away: the node ends and says why, and keeps nothing it cannot keep. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { converged, type InitResult, publish, RealFleet, type RealNode, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
let made: InitResult
beforeAll(async () => {
  made = await fleet.init()
}, 60_000)
afterAll(() => fleet.end())

/** How it ended, and the error it printed. */
async function endOf(node: RealNode): Promise<{ code: number | null; said: string }> {
  let said = ''
  node.process.stdout?.on('data', (text: string | Buffer) => {
    said += String(text)
  })
  const { process: child } = node
  await until(
    `${node.name} has ended`,
    20_000,
    async () => child.exitCode !== null || child.signalCode !== null,
  )
  // Until all that it printed is read; nothing is sent to what has ended.
  await node.kill()
  return { code: node.process.exitCode, said }
}

test('the data folder is removed: STORE_GONE, exit 1; a start makes a new node, which has all again', async () => {
  await fleet.start('seed', made.seedConfig)
  const node = await fleet.startNode('removed', made)
  const { release } = await publish(made, CHANNEL, fleet.files('app', { 'app.txt': 'one' }))
  await converged([node], CHANNEL, release)
  // Again where the node has just written something into what was empty.
  rmSync(node.data, { recursive: true, force: true, maxRetries: 10 })
  const { code, said } = await endOf(node)
  expect(code).toBe(1)
  // Its folders go one after another: whichever is missed first is named.
  const isOfNode = expect.stringMatching(`^${node.data}/(store|floor/.+)`)
  expect(JSON.parse(said)).toMatchObject({ error: { code: 'STORE_GONE', details: { dir: isOfNode } } })
  expect(node.log()).toContain('"code":"STORE_GONE"')
  const again = await fleet.startNode('removed', made)
  await converged([again], CHANNEL, release)
}, 120_000)

test('it is replaced by another: the node ends as well, and touches nothing in there', async () => {
  const node = await fleet.startNode('replaced', made)
  renameSync(node.data, `${node.data}.old`)
  mkdirSync(join(node.data, 'store'), { recursive: true })
  writeFileSync(join(node.data, 'store', 'LOCK'), '')
  const { code, said } = await endOf(node)
  expect(code).toBe(1)
  expect(said).toContain('STORE_GONE')
}, 60_000)

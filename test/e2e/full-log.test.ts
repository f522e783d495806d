/** The disk that takes the log is full: a node serves on. */
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type InitResult, RealFleet } from './real-fleet.ts'

const real = new RealFleet()
let fleet: InitResult
beforeAll(async () => {
  fleet = await real.init()
})
afterAll(() => real.end())

test('a node whose log cannot be written starts, answers, and ends in order', async () => {
  const full = openSync('/dev/full', 'w')
  const node = await real.start('full', fleet.seedConfig, ['--data', `${real.dir}/full`], { logTo: full })
  closeSync(full)
  for (let asked = 0; asked < 50; asked += 1) {
    // A line of the log each.
    expect(await statusFor(`${node.api}/healthz`, 'elsewhere.example')).toBe(421)
  }
  expect((await fetch(`${node.api}/healthz`)).status).toBe(200)
  await node.kill('SIGTERM')
  expect([node.process.exitCode, node.process.signalCode]).toEqual([0, null])
})

async function statusFor(url: string, host: string): Promise<number | undefined> {
  const [answer] = (await once(get(url, { headers: { host } }), 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode
}

/** Times that `status` and `log` show: whoever reads one elsewhere than in UTC must not take it for a local one. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Command } from 'commander'
import { afterEach, expect, test, vi } from 'vitest'
import { register as log } from '../../../src/cli/commands/log.ts'
import { register as status } from '../../../src/cli/commands/status.ts'

const activatedAt = '2030-07-01T23:59:58.765Z'
const active = { release: 'a'.repeat(64), clock: { alice: 1 }, message: 'one', activatedAt }
const entry = {
  ...{ channel: 'app/a', state: 'active', gate: null, fetch: null, lastError: null },
  ...{ active, heads: [], history: [] },
}
const STATUS = {
  ...{ peerId: 'peer', fleetId: 'f'.repeat(64), version: '1.0.0', uptimeSeconds: 1, labels: {} },
  ...{ addresses: [], peers: { connected: 0, byRegion: {} }, patterns: ['**'], problems: [] },
  ...{ root: { version: 1, expires: activatedAt }, store: { bytes: 1, readOnly: false } },
  channels: [entry],
}

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

test.each([
  ['status', status, []],
  ['log', log, ['app/a']],
] as const)('%s shows the moment that --json has, also to who lives in New York', async (name, of, words) => {
  vi.stubEnv('TZ', 'America/New_York')
  const server = createServer((request, response) => {
    const answer = request.url?.endsWith('/status') === true ? STATUS : entry
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const said: string[] = []
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0)
  const program = new Command()
  of(program)
  try {
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await program.parseAsync([name, ...words, '--api', api], { from: 'user' })
  } finally {
    server.close()
  }
  const [shown] = /2030-\S+ \S+/.exec(said.join('')) ?? []
  expect(new Date(2030, 0, 1).getTimezoneOffset()).toBe(300)
  expect(Date.parse(shown ?? '')).toBe(Math.floor(Date.parse(activatedAt) / 1_000) * 1_000)
})

/** verify and doctor, and a hook that asks its own node, as an operator meets them. */
import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Client } from '../../src/client/index.ts'
import { confmesh, json, LAUNCHER, publish, RealFleet, until } from './real-fleet.ts'

let fleet: RealFleet
beforeEach(() => {
  fleet = new RealFleet()
})
afterEach(() => fleet.end())

interface Checks {
  readonly checks: readonly { readonly check: string; readonly ok: boolean; readonly advice?: string }[]
}

const failed = (value: unknown): string[] =>
  (value as Checks).checks.filter(({ ok }) => !ok).map(({ check }) => check)

test('a node whose terminal closes, which tells it more than once, ends in order', async () => {
  const made = await fleet.init('closed')
  const node = await fleet.start('closed-seed', made.seedConfig)
  const ends = join(fleet.dir, 'closed/seed/store-ends')
  expect(existsSync(ends)).toBe(true)
  const again = setInterval(() => node.process.kill('SIGHUP'), 5)
  await node.kill('SIGHUP')
  clearInterval(again)
  expect([node.process.exitCode, node.process.signalCode]).toEqual([0, null])
  expect(existsSync(ends)).toBe(false)
})

test('a hook that asks its own node names the release: without a name that gives the one before', async () => {
  const made = await fleet.init()
  const [api, out] = [`unix:${join(fleet.dir, 'api')}`, join(fleet.dir, 'out')]
  const get = `${process.execPath} ${LAUNCHER} get pay/prod app.yaml --api ${api}`
  const script = `{ ${get} --release "$CONFMESH_RELEASE"; ${get} || :; } > ${out}`
  const hooks = [{ channels: ['**'], command: ['/bin/sh', '-c', script], timeoutMs: 60_000 }]
  appendFileSync(made.seedConfig, `materialize: { dir: files }\nhooks: ${JSON.stringify(hooks)}\n`)
  await fleet.start('seed', made.seedConfig, ['--api', api])
  const client = new Client({ api })
  for (const [text, heard] of [
    ['one\n', 'one\n'],
    ['two\n', 'two\none\n'],
  ] as const) {
    const { release } = await publish(made, 'pay/prod', fleet.files('app', { 'app.yaml': text }))
    await until(
      `${text} is active`,
      60_000,
      async () => (await client.channel('pay/prod')).active?.release === release,
    )
    expect(readFileSync(out, 'utf8')).toBe(heard)
  }
})

test('verify: refused beside a running node, sound, then damage is said with its place', async () => {
  const made = await fleet.init()
  appendFileSync(made.seedConfig, 'materialize:\n  dir: ./files\n')
  const seed = await fleet.start('seed', made.seedConfig)
  const app = fleet.files('app', { 'app.yaml': `replicas: ${'3'.repeat(5_000)}\n` })
  await publish(made, 'pay/prod', app)
  const shown = join(fleet.dir, 'fleet/files/pay/prod/current/app.yaml')
  await until('it is in sight', 10_000, async () => existsSync(shown))
  const data = join(fleet.dir, 'fleet/seed')
  const running = await json(['verify', '--data', data])
  expect([running.code, running.value.error?.code]).toEqual([1, 'STORE_LOCKED'])
  await seed.kill('SIGTERM')

  expect(await json(['verify', '--data', data])).toMatchObject({ code: 0, value: { problems: [] } })
  expect((await json(['verify', '--config', made.seedConfig])).code).toBe(0)
  chmodSync(shown, 0o644)
  writeFileSync(shown, 'replicas: 4\n')
  const drifted = await json(['verify', '--config', made.seedConfig])
  expect([drifted.code, JSON.stringify(drifted.value)]).toEqual([1, expect.stringContaining('app.yaml: ')])
  const store = join(data, 'store')
  for (const name of readdirSync(store).filter((file) => /\.(ldb|log)$/.test(file))) {
    const bytes = readFileSync(join(store, name))
    const at = bytes.indexOf('33333333')
    if (at < 0) continue
    bytes[at] = 0x34
    writeFileSync(join(store, name), bytes)
  }
  const damaged = await confmesh(['verify', '--data', data])
  expect(damaged.code).toBe(1)
  expect(damaged.out).toContain(store)
  const missing = await json(['verify', '--data', join(fleet.dir, 'nowhere')])
  expect([missing.code, missing.value.error?.code]).toEqual([2, 'STORE_MISSING'])
})

test('doctor: well before, beside and after a node; each thing that is wrong by its name', async () => {
  const made = await fleet.init()
  const before = await json(['doctor', '--config', made.seedConfig])
  expect([before.code, failed(before.value)]).toEqual([0, []])
  const early = await json(['doctor', '--config', made.nodeConfig])
  expect([early.code, failed(early.value)]).toEqual([1, [`seed ${made.seedAddress}`]])

  const seed = await fleet.start('seed', made.seedConfig)
  const beside = await json(['doctor', '--config', made.nodeConfig])
  expect([beside.code, failed(beside.value)]).toEqual([0, []])
  const own = ['--data', join(fleet.dir, 'elsewhere'), '--api', '127.0.0.1:0']
  const named = await json(['doctor', '--config', made.nodeConfig, ...own])
  expect([failed(named.value), JSON.stringify(named.value)]).toEqual([
    [],
    expect.stringContaining('elsewhere/identity.key'),
  ])
  // The test gives the API another port than the configuration: that nobody listens there is what doctor must see.
  const running = await json(['doctor', '--config', made.seedConfig])
  expect(failed(running.value).map((check) => check.slice(0, 8))).toEqual(['port api', 'beacons'])
  await seed.kill('SIGTERM')

  chmodSync(join(fleet.dir, 'fleet/pool.key'), 0o644)
  const open = await json(['doctor', '--config', made.seedConfig])
  expect(failed(open.value)).toContain('key admission.poolKey')
  writeFileSync(made.root, '{}')
  const rootless = await json(['doctor', '--config', made.seedConfig])
  expect([rootless.code, failed(rootless.value)[0]]).toEqual([1, 'trust root'])
  writeFileSync(made.nodeConfig, 'root: x\nnonsense: 1\n')
  const unread = await json(['doctor', '--config', made.nodeConfig])
  expect([unread.code, failed(unread.value)]).toEqual([2, ['configuration']])
})

test('doctor: a root or a pool of another fleet is told before the first start', async () => {
  const [made, other] = [await fleet.init('fleet'), await fleet.init('other')]
  const seed = await fleet.start('seed', made.seedConfig)
  const failing = async () => failed((await json(['doctor', '--config', made.nodeConfig])).value)
  expect(await failing()).toEqual([])
  for (const file of ['pool.json', 'pool.key'])
    await cp(join(fleet.dir, 'other', file), join(fleet.dir, 'fleet', file))
  expect(await failing()).toEqual(['certificate'])
  await cp(other.root, made.root)
  expect(await failing()).toEqual([`seed ${made.seedAddress}`])
  await seed.kill('SIGTERM')
}, 60_000)

test('doctor: a clock that is off by more than the root allows is compared with the seeds', async () => {
  const made = await fleet.init()
  const seed = await fleet.start('seed', made.seedConfig)
  const clockOf = async (aheadMs: number) => {
    const shift = join(fleet.dir, 'shift.mjs')
    writeFileSync(shift, `const now = Date.now; Date.now = () => now() + ${aheadMs}`)
    const run = await confmesh(['doctor', '--config', made.nodeConfig, '--json'], {
      env: { NODE_OPTIONS: `--import=${shift}` },
    })
    const { checks } = JSON.parse(run.out) as { checks: { check: string; ok: boolean; text: string }[] }
    return checks.find(({ check }) => check === 'clock')
  }
  expect(await clockOf(0)).toMatchObject({ ok: true, text: expect.stringContaining('of the seed') })
  expect(await clockOf(600_000)).toMatchObject({
    ok: false,
    text: expect.stringContaining('10 min ahead of the seed'),
  })
  expect(await clockOf(-7_200_000)).toMatchObject({
    ok: false,
    text: expect.stringContaining('2.0 h behind'),
  })
  await seed.kill('SIGTERM')
  expect(await clockOf(0)).toMatchObject({ ok: true, text: expect.stringContaining('no seed said its own') })
}, 60_000)

test('two processes with one identity: said in log, status and metrics', async () => {
  const made = await fleet.init()
  await fleet.start('seed', made.seedConfig)
  const node = await fleet.startNode('node', made)
  await mkdir(join(fleet.dir, 'copy'), { recursive: true, mode: 0o700 })
  await cp(join(node.data, 'identity.key'), join(fleet.dir, 'copy/identity.key'))
  const copy = await fleet.startNode('copy', made)
  expect(copy.peerId).toBe(node.peerId)
  const problems = await until('the first hears of the second', 60_000, async () => {
    const status = await node.client.status()
    return status.problems.length > 0 ? status.problems : undefined
  })
  expect(problems).toMatchObject([
    { code: 'NET_DUPLICATE_ID', message: expect.stringContaining(copy.address) },
  ])
  expect((await confmesh(['status', '--api', node.api])).out).toContain(
    'wrong  NET_DUPLICATE_ID: another process',
  )
  await until('it is logged', 20_000, async () => node.log().includes('"NET_DUPLICATE_ID"'))
})

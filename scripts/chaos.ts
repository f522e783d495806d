// Real processes under faults, watched from outside.
//
//   npm run chaos [-- --minutes 60] [--nodes 30] [--seed N] [--keep]
//
// Nodes in three regions, a seed in each; releases all along; kill -9, SIGSTOP, links cut and slowed by proxies, stores
// deleted, bytes flipped, full disks (where this machine lets us mount a small one; else it says that there were none).
// The schedule follows from the printed seed, what the machine makes of it does not. Exit 1 when a promise was broken,
// a node ended by itself, or the fleet did not converge once all was over.

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { confmesh, freePort } from '../test/e2e/real-fleet.ts'
import { CHANNEL, Checker, contentOf, FILES } from './chaos/checker.ts'
import { Member } from './chaos/member.ts'
import { type Random, randomOf } from './chaos/random.ts'
import { type Planned, schedule } from './chaos/schedule.ts'

const REGIONS = ['eu', 'us', 'ap']
const CONVERGE_MS = 120_000
const PATIENCE_MS = 60_000
const LAUNCHER = join(import.meta.dirname, '../dist/cli/launcher.js')
const PUBLISH_EVERY_MS = 2_000
const LOOK_EVERY_MS = 100
const ASK_EVERY_MS = 1_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    nodes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    keep: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const count = Number(values.nodes)
const lastMs = Number(values.minutes) * 60_000
const startMs = performance.now()
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(8)} s  ${text}\n`)
}

async function json(args: readonly string[]): Promise<Record<string, string>> {
  const { code, out, err } = await confmesh([...args, '--json'])
  if (code !== 0) throw new Error(`confmesh ${args.join(' ')}: exit ${code}: ${out} ${err}`)
  return JSON.parse(out) as Record<string, string>
}

interface Fleet {
  readonly dir: string
  readonly key: string
  readonly root: string
  readonly members: readonly Member[]
  readonly seedAddresses: readonly string[]
}

async function found(): Promise<Fleet> {
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-chaos-'))
  const fleet = join(dir, 'fleet')
  const init = await json(['init', fleet, '--channel', 'chaos/*'])
  const configs = [init.seedConfig as string]
  for (const region of REGIONS.slice(1)) {
    const made = join(dir, `seed-${region}`)
    const rootKey = join(fleet, 'root-1.key')
    await json([
      ...['add-seed', made, '--from', configs[0] as string, '--host', '127.0.0.1'],
      ...['--root', init.root as string, '--root-key', rootKey],
    ])
    configs.push(join(made, 'seed.yaml'))
  }
  const members: Member[] = []
  const seedAddresses: string[] = []
  for (let at = 0; at < count; at++) {
    const region = REGIONS[at % REGIONS.length] as string
    const isSeed = at < REGIONS.length
    const [port, proxyPort, apiPort] = [await freePort(), await freePort(), await freePort()]
    const config = isSeed ? (configs[at] as string) : (init.nodeConfig as string)
    const name = isSeed ? `seed-of-${region}` : `node-${String(at + 1).padStart(2, '0')}`
    const member = new Member({
      name,
      dir,
      config,
      region,
      port,
      proxyPort,
      apiPort,
      seeds: seedAddresses,
      say,
    })
    if (at % 3 === 0) member.mount()
    await member.proxy.start(proxyPort)
    await member.start()
    if (!member.ready) throw new Error(`${name} did not start: ${member.died.join('')}`)
    if (isSeed) seedAddresses.push(`/ip4/127.0.0.1/tcp/${proxyPort}/p2p/${member.peerId}`)
    members.push(member)
  }
  return { dir, key: init.publisherKey as string, root: init.root as string, members, seedAddresses }
}

/** A command that gets no answer is ended: a seed may be gone for as long as a publisher is patient. */
async function run(args: readonly string[]): Promise<{ code: number; err: string }> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  const code = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)))
  clearTimeout(patience)
  return { code, err }
}

/** One release after another; what is refused or gets no answer may still be ordered. */
async function publishing(
  { dir, key, seedAddresses }: Fleet,
  checker: Checker,
  over: () => boolean,
): Promise<void> {
  for (let number = 1; !over(); number++) {
    const content = join(dir, 'content')
    for (const file of FILES) {
      mkdirSync(dirname(join(content, file)), { recursive: true })
      writeFileSync(join(content, file), contentOf(number, file))
    }
    checker.published.add(number)
    const seeds = seedAddresses.flatMap((address) => ['--seed', address])
    const { code, err } = await run(['publish', CHANNEL, content, '--key', key, ...seeds, '--yes', '--json'])
    if (code === 0) checker.acknowledged = number
    else
      say(
        `release ${number} was not acknowledged (exit ${code}) ${err.trim().split('\n').at(-1)?.slice(0, 150) ?? ''}`,
      )
    await delay(PUBLISH_EVERY_MS)
  }
}

async function carryOut(fault: Planned, member: Member, random: Random, checker: Checker): Promise<void> {
  if (fault.kind === 'cut' || fault.kind === 'slow') {
    if (fault.kind === 'cut') member.proxy.cut = true
    else member.proxy.delayMs = fault.delayMs ?? 0
    await delay(fault.forMs)
    member.proxy.cut = false
    member.proxy.delayMs = 0
    return
  }
  // two faults of one process at once would be one
  if (member.busy || !member.up) return
  if (fault.kind === 'fill-disk' && !member.hasDisk) return
  member.busy = true
  try {
    if (fault.kind === 'stop') {
      member.freeze(true)
      await delay(fault.forMs)
      member.freeze(false)
    } else if (fault.kind === 'fill-disk') {
      member.fillDisk(true)
      await delay(fault.forMs)
      member.fillDisk(false)
    } else {
      await member.kill()
      if (fault.kind === 'delete-store') member.deleteStore()
      if (fault.kind === 'flip-bytes') member.flipBytes(random)
      if (fault.kind !== 'kill') checker.storeTouched(member)
      await delay(fault.forMs)
      await member.start()
    }
  } finally {
    member.busy = false
  }
}

async function watching(members: readonly Member[], checker: Checker, over: () => boolean): Promise<void> {
  let askedMs = 0
  while (!over()) {
    for (const member of members) checker.look(member)
    if (performance.now() - askedMs > ASK_EVERY_MS) {
      askedMs = performance.now()
      await Promise.all(members.map((member) => checker.ask(member)))
    }
    await delay(LOOK_EVERY_MS)
  }
}

async function troubles(fleet: Fleet, checker: Checker): Promise<{ done: Record<string, number> }> {
  const random = randomOf(seed)
  const plan = schedule(random, { nodes: count, seeds: REGIONS.length, lastMs })
  const done: Record<string, number> = {}
  const sinceMs = performance.now()
  const under: Promise<void>[] = []
  for (const fault of plan) {
    await delay(Math.max(0, fault.atMs - (performance.now() - sinceMs)))
    const member = fleet.members[fault.node] as Member
    done[fault.kind] = (done[fault.kind] ?? 0) + 1
    say(`${fault.kind} ${member.name} for ${(fault.forMs / 1_000).toFixed(1)} s`)
    under.push(carryOut(fault, member, randomOf(seed + under.length), checker))
  }
  await Promise.all(under)
  return { done }
}

/** Once nothing is done to it any more, the fleet agrees. */
async function converged(fleet: Fleet, checker: Checker): Promise<string | undefined> {
  for (const member of fleet.members) if (!member.up) await member.start()
  const endMs = performance.now() + CONVERGE_MS
  for (;;) {
    const problem = checker.unsettled(fleet.members)
    if (problem === undefined || performance.now() > endMs) return problem
    await delay(LOOK_EVERY_MS)
  }
}

async function main(): Promise<number> {
  say(`seed ${seed}: ${count} nodes in ${REGIONS.length} regions for ${values.minutes} min`)
  const checker = new Checker()
  const fleet = await found()
  const { members } = fleet
  const disks = members.filter(({ hasDisk }) => hasDisk).length
  say(
    disks > 0
      ? `${disks} nodes have a small disk of their own`
      : 'no small disks can be mounted here: NO full disks',
  )
  let over = false
  try {
    const watch = watching(members, checker, () => over)
    let quiet = false
    const publish = publishing(fleet, checker, () => quiet)
    const { done } = await troubles(fleet, checker)
    quiet = true
    say('no more faults')
    await publish
    say('no more releases')
    const calmMs = performance.now()
    const problem = await converged(fleet, checker)
    const tookS = ((performance.now() - calmMs) / 1_000).toFixed(1)
    over = true
    await watch
    const died = members.flatMap((member) => member.died)
    for (const text of [...checker.broken, ...died]) say(`BROKEN ${text}`)
    say(
      `faults: ${Object.entries(done)
        .map(([kind, times]) => `${times} × ${kind}`)
        .join(', ')}`,
    )
    say(
      `${checker.published.size} releases, the last acknowledged is ${checker.acknowledged}; ${checker.looks} looks`,
    )
    say(problem === undefined ? `converged ${tookS} s after the last fault` : `NOT CONVERGED: ${problem}`)
    say(`broken promises: ${checker.broken.length}; processes that ended by themselves: ${died.length}`)
    return checker.broken.length + died.length === 0 && problem === undefined ? 0 : 1
  } finally {
    over = true
    await Promise.all(members.map((member) => member.end()))
    if (values.keep) say(`kept: ${fleet.dir}`)
    else rmSync(fleet.dir, { recursive: true, force: true })
  }
}

process.exit(await main())

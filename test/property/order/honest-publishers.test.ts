/** Law 9 with the counting of the publishing tool itself: `nextClock`, and the memory beside the key on disk. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isHeld } from '../../../src/core/channel.ts'
import type { Verdict } from '../../../src/core/journey.ts'
import { LIMITS } from '../../../src/limits.ts'
import { nextClock } from '../../../src/publish/clock.ts'
import { openMemory } from '../../../src/publish/counter.ts'
import { publisher } from './arbitraries.ts'
import {
  authorisedUnder,
  CHANNEL,
  FLEET,
  OPEN_ROOT,
  P,
  PaperNode,
  Q,
  type Root,
  type Signed,
  signed,
} from './fleet.ts'

const which = fc.constantFrom(0, 1)
/** One run of the tool, which hears one seed or none, and whose release reaches that seed or is handed out otherwise. */
const publish = fc.record({
  kind: fc.constant('publish' as const),
  by: publisher,
  hears: fc.option(which),
  submits: fc.boolean(),
  /** Of the trust root named on the command line, counted back from the newest; a seed may bring a newer one. */
  behind: fc.constantFrom(0, 0, 0, 1, 2),
})
const learn = fc.record({ kind: fc.constant('learn' as const), seed: which })
/** A new root, and at once the releases that are published again under it. */
const reissue = fc.record({
  kind: fc.constant('reissue' as const),
  raise: fc.boolean(),
  by: fc.subarray([P, Q]),
})
type Of<T> = T extends fc.Arbitrary<infer A> ? A : never
type Publish = Of<typeof publish>
type Act = Publish | Of<typeof learn> | Of<typeof reissue>

class World {
  readonly roots: Root[] = [OPEN_ROOT]
  readonly all: Signed[] = []
  readonly seeds = [new PaperNode(this.roots), new PaperNode(this.roots)]
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  async act(act: Act): Promise<void> {
    if (act.kind === 'publish') return this.#publish(act)
    if (act.kind === 'learn') {
      const seed = this.seeds[act.seed] as PaperNode
      return seed.adopt(seed.root.version + 1)
    }
    const last = this.roots.at(-1) as Root
    const version = last.version + 1
    this.roots.push({ ...last, version, epoch: act.raise ? version : last.epoch })
    for (const by of act.by)
      await this.#publish({ kind: 'publish', by, hears: null, submits: false, behind: 0 })
  }

  async #publish({ by, hears, submits, behind }: Publish): Promise<void> {
    const seed = hears === null ? undefined : (this.seeds[hears] as PaperNode)
    const version = Math.max(1, this.roots.length - behind, seed?.root.version ?? 0)
    const root = this.roots[version - 1] as Root
    // As `standingOf` does: verified under this root, and of the current epoch.
    const releases = (seed?.offers() ?? []).filter(
      (one) =>
        one.release.header.root >= root.epoch &&
        one.release.header.root <= version &&
        authorisedUnder(root, one),
    )
    // Opened anew, as each run of the tool does.
    const memory = openMemory(join(this.#dir, by))
    const remembered = memory.counter(FLEET, CHANNEL, root.epoch)
    const seen = { releases: releases.map(({ release }) => release), remembered }
    const clock = nextClock(by, CHANNEL, seen, LIMITS)
    // What is published differs each time: to sign one place twice would be seen.
    const made = signed({
      publisher: by,
      clock: Object.fromEntries(clock),
      root: version,
      twin: this.all.length,
    })
    const { id, counter } = made.release
    await memory.record({ fleet: FLEET, channel: CHANNEL, epoch: root.epoch }, { counter, release: id })
    this.all.push(made)
    if (submits) seed?.receive(made)
  }
}

/** What no release of an honest publisher ever is. */
const FAULTS: readonly Verdict[] = ['TWIN', 'TWIN_KNOWN', 'MALFORMED', 'UNAUTHORISED']

/** Roots and releases dealt in the order of these numbers, then all that was too early once more. */
function dealt({ roots, all }: World, order: readonly number[]): PaperNode {
  const node = new PaperNode(roots)
  const items = [...roots.slice(1), ...all].map((item, at) => ({ item, at: order[at % order.length] ?? 0 }))
  const receive = (one: Signed) => {
    expect(FAULTS).not.toContain(node.receive(one))
    expect(isHeld(node.state.floor)).toBe(false)
  }
  for (const { item } of items.sort((a, b) => a.at - b.at)) {
    if ('version' in item) node.adopt(item.version)
    else receive(item)
  }
  for (const { version } of roots) node.adopt(version)
  for (const one of all) receive(one)
  return node
}

test('law 9: who counts as the publishing tool does never holds a channel, re-issues under new roots included', async () => {
  const acts = fc.array(fc.oneof({ weight: 3, arbitrary: publish }, learn, reissue), {
    minLength: 2,
    maxLength: 10,
  })
  const order = fc.array(fc.nat({ max: 99 }), { minLength: 8, maxLength: 24 })
  await fc.assert(
    fc.asyncProperty(acts, order, order, async (given, one, two) => {
      const dir = mkdtempSync(join(tmpdir(), 'confmesh-honest-'))
      try {
        const world = new World(dir)
        for (const act of given) await world.act(act)
        for (const seed of world.seeds)
          for (const verdict of seed.verdicts) expect(FAULTS).not.toContain(verdict)
        expect(dealt(world, one).seen()).toEqual(dealt(world, two).seen())
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
    }),
    { numRuns: 300 },
  )
})

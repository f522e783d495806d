/** A fetch of a release, looked at by what is asked of whom: every effect of it is read. */
import { expect } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodePage } from '../../../src/codec/page.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { Entrants } from '../../../src/core/fetch/entry.ts'
import { Fetch } from '../../../src/core/fetch.ts'
import type { Code } from '../../../src/errors.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { BlocksReply } from '../../../src/model/messages.ts'
import type { Release } from '../../../src/model/release.ts'
import { Bench, peer } from '../core-peers/fakes.ts'

export const SELF = peer('self')
export const OTHER = peer('other')
export const SEED = peer('seed')
const RELEASE = 'e'.repeat(64) as ReleaseId
const OTHER_RELEASE = 'd'.repeat(64) as ReleaseId
const CHANNEL = 'app/web' as Channel

export interface Want {
  readonly id: number
  readonly to: PeerId
  readonly digest: Digest
  readonly failed: boolean
}

/** A home of two gateways, this node one of them, linked to the other and to the seed; it has the manifest to read. */
export function fetcher({
  blocks = 20,
  self = SELF,
  submit = false,
  gateways = [SELF, OTHER],
  draw = 0,
  random = () => draw,
  heard = false,
  neighbours = [] as readonly PeerId[],
  seeds = [SEED] as readonly PeerId[],
  seedRegion = 'eu',
  /** Gateways of the region us, all of them linked. */
  abroad = [] as readonly PeerId[],
  /** Gateways of the region ap, linked as well. */
  farther = [] as readonly PeerId[],
  /** More of them, to which there is no link. */
  beyondReach = [] as readonly PeerId[],
  writeMs = 0,
  /** Of one block, at least. */
  blockBytes = 0,
  /** So much more than it has the manifest says of each block. */
  sizeLie = 0,
  /** They have asked this node what it has before it had heard of the release. */
  askers = [] as readonly PeerId[],
  limits = {} as Partial<Limits>,
} = {}) {
  const bench = new Bench({ self, submit, random, limits: { ...LIMITS, ...limits } })
  const here = new Set<Digest>()
  bench.journey.hasBlock = ((digest: Digest) => here.has(digest)) as () => boolean
  bench.journey.gatewaysOf.set('eu', gateways)
  bench.journey.envelopes.set(RELEASE, new Uint8Array())
  bench.link(OTHER)
  for (const neighbour of neighbours) bench.link(neighbour)
  for (const seed of seeds) bench.link(seed, {}, { submit: true, region: seedRegion })
  const allAbroad = [...abroad, ...beyondReach]
  if (allAbroad.length > 0) bench.journey.gatewaysOf.set('us', allAbroad)
  for (const far of abroad) bench.link(far, {}, { region: 'us' })
  if (farther.length > 0) bench.journey.gatewaysOf.set('ap', farther)
  for (const far of farther) bench.link(far, {}, { region: 'ap' })
  const contents = new Map<Digest, Uint8Array>()
  const put = (content: Uint8Array): Digest => {
    const digest = sha256(content)
    contents.set(digest, content)
    return digest
  }
  /** A release of one file. */
  const make = (id: ReleaseId, texts: readonly string[]) => {
    const digests = texts.map((text) => put(new TextEncoder().encode(text.padEnd(blockBytes))))
    const sizes = digests.map((digest) => ({
      digest,
      size: (contents.get(digest) as Uint8Array).length + sizeLie,
    }))
    const size = sizes.reduce((sum, block) => sum + block.size, 0)
    const file = { path: 'a', mode: 0o444 as const, size, digest: sha256(new Uint8Array()), blocks: sizes }
    const page = put(encodePage([file]))
    const header = { channel: CHANNEL, pages: [page], files: 1, bytes: size }
    return { digests, page, release: { id, header, counter: 1 } as unknown as Release }
  }
  const texts = (name: string) => Array.from({ length: blocks }, (_, at) => `${name} ${at}`)
  const { digests, page, release } = make(RELEASE, texts('block'))
  const failures: Code[] = []
  const reasons: string[] = []
  const failed = (...[, , , code, text]: readonly [unknown, unknown, unknown, Code, string]) => {
    failures.push(code)
    reasons.push(text)
  }
  const fetch = new Fetch(bench.config, { failed, isAwaited: () => true, lacks: () => {}, ended: () => {} })
  const tickets = new Map<number, Digest>()
  /** Who was asked what it has. */
  const asked: PeerId[] = []
  const questions: number[] = []
  const dialled: string[] = []
  const effects: Effect[] = []

  /** What is asked of whom; what is to be written is noted. */
  const run = (act: Parameters<Bench['run']>[0]): Want[] =>
    bench.run(act).flatMap((effect): Want[] => {
      effects.push(effect)
      if (effect.kind === 'dial') dialled.push(effect.address)
      if (effect.kind === 'persist')
        for (const write of effect.writes)
          if (write.kind === 'block') tickets.set(effect.ticket, write.digest)
      if (effect.kind !== 'request' || effect.request.protocol !== 'blocks') return []
      const { message } = effect.request
      if (message.type === 'have') {
        asked.push(effect.peer)
        questions.push(effect.id)
      }
      if (message.type !== 'want') return []
      return [{ id: effect.id, to: effect.peer, digest: message.digest, failed: message.failed === true }]
    })
  const answer = (id: number, message: BlocksReply): Want[] =>
    run((step, journey) => fetch.onReply(step, journey, id, { protocol: 'blocks', message }))
  /** All who were asked what they have say whether it is all of it. */
  const noted = (whole = false): Want[] =>
    questions.splice(0).flatMap((id) => answer(id, { type: 'noted', whole }))
  const written = (): Want[] => {
    const done = [...tickets.values()]
    tickets.clear()
    for (const digest of done) here.add(digest)
    return done.flatMap((digest) => run((step, journey) => fetch.onBlock(step, journey, digest)))
  }
  /** And it stays with this node alone. */
  const keep = ({ id, digest }: Want): Want[] => {
    const asked = answer(id, { type: 'block', bytes: contents.get(digest) as Uint8Array })
    bench.pass(writeMs)
    return [...asked, ...written()]
  }
  const lost = (digest: Digest): Want[] => {
    here.delete(digest)
    return run((step, journey) => fetch.onBlocksLost(step, journey, [digest]))
  }
  /** A neighbour has been given it. */
  const handOn = (digest: Digest): Want[] => run((step, journey) => fetch.left(step, journey, digest))
  /** And somebody asks this node for it at once. */
  const give = (want: Want): Want[] => [...keep(want), ...handOn(want.digest)]
  const isOwn = (digest: Digest) => new Entrants(gateways).fetcher(digest) === self
  for (const seed of seeds) run((step, journey) => fetch.onAdmitted(step, journey, seed))
  if (heard) fetch.heard(RELEASE)
  for (const asker of askers)
    run((step, journey) => fetch.announced(step, journey, RELEASE, asker, { whole: false }))
  const started = run((step, journey) => fetch.start(step, journey, release))
  const announce = (from: PeerId, places: readonly number[]): Want[] =>
    run((step, journey) => {
      const ranges = places.flatMap((place) => [place, 1])
      fetch.announced(step, journey, RELEASE, from, { whole: false, ranges })
    })
  /** It says something else than what it is asked for. @param takes it asks for a block that is here */
  const spoke = (from: PeerId, takes = false): Want[] =>
    run((step) => fetch.spoke(from, step.now.monoMs, takes))
  /** A tick forgets what others were to come for. */
  const tick = (ms: number): Want[] => {
    bench.pass(ms)
    bench.wakeMonoMs = Number.POSITIVE_INFINITY
    return run((step, journey) => fetch.onTick(step, journey))
  }
  /** The page, by whoever is asked for it, then its own share, block by block. @returns what is asked for beyond that */
  const ownShare = (): Want[] => {
    const open = started.length > 0 ? [...started] : announce(OTHER, [0])
    for (let want = open.shift(); want !== undefined; want = open.shift()) open.push(...give(want))
    expect(here).toEqual(new Set([page, ...digests.filter(isOwn)]))
    return tick(LIMITS.doubtMs)
  }
  /** As many blocks of another release, unless its texts are given; the page comes at once, which the other may announce. */
  const another = (of = texts('another'), announces = true): { own: readonly Digest[]; wants: Want[] } => {
    const other = make(OTHER_RELEASE, of)
    bench.journey.envelopes.set(OTHER_RELEASE, new Uint8Array())
    const begun = run((step, journey) => fetch.start(step, journey, other.release))
    const ranges = announces ? [0, 1] : []
    const known = run((step, journey) =>
      fetch.announced(step, journey, OTHER_RELEASE, OTHER, { whole: false, ranges }),
    )
    return { own: other.digests.filter(isOwn), wants: [...begun, ...known].flatMap(give) }
  }
  const announceAnother = (from: PeerId): Want[] =>
    run((step, journey) => fetch.announced(step, journey, OTHER_RELEASE, from, { whole: true }))
  /** Its connection breaks and is made anew; the questions that were on it end behind that. */
  const relinked = (other: PeerId, questions: readonly Want[]): Want[] => {
    const link = bench.journey.links.get(other)
    bench.journey.links.delete(other)
    const broken = run((step, journey) => fetch.onDisconnected(step, journey, other))
    if (link !== undefined) bench.journey.links.set(other, link)
    const linked = run((step, journey) => fetch.onAdmitted(step, journey, other))
    const ended = questions.flatMap(({ id }) =>
      run((step, journey) => fetch.onRequestFailed(step, journey, id, 'NET_UNREACHABLE', false)),
    )
    return [...broken, ...linked, ...ended]
  }
  /** Another seed, unless its hello says otherwise. */
  const joined = (seed: PeerId, region = 'eu', hello: Parameters<Bench['link']>[2] = {}): Want[] => {
    bench.link(seed, {}, { submit: true, region, ...hello })
    return run((step, journey) => fetch.onAdmitted(step, journey, seed))
  }
  /** It is not admitted yet. */
  const connects = (other: PeerId): void => void bench.link(other, { hello: undefined })
  /** It has no answer until the deadline. @param alive bytes came of its peer meanwhile */
  const timedOut = (id: number, alive = false): Want[] =>
    run((step, journey) => fetch.onRequestFailed(step, journey, id, 'NET_TIMEOUT', alive))
  const unanswered = (): Want[] => questions.splice(0).flatMap((id) => timedOut(id))
  /** A connection ends, of whomever. */
  const left = (other: PeerId): Want[] => {
    bench.journey.links.delete(other)
    return run((step, journey) => fetch.onDisconnected(step, journey, other))
  }
  return {
    failed: unanswered,
    timedOut,
    left,
    connects,
    duty: fetch.duty,
    has: (digest: Digest): boolean => here.has(digest),
    /** The release is wanted no more. */
    stop: () => run((step) => fetch.stop(step, RELEASE)),
    /** No event comes to this node for so long. */
    stands: (ms: number): void => bench.pass(ms),
    isComing: (digest: Digest) => fetch.isComing(digest),
    storeMode: (isReadOnly: boolean) => run((step, journey) => fetch.onStoreMode(step, journey, isReadOnly)),
    effects,
    failures,
    reasons,
    /** Until the next tick that was asked for. */
    wakeMs: () => bench.wakeMonoMs - bench.now.monoMs,
    own: digests.filter(isOwn),
    others: digests.filter((digest) => !isOwn(digest)),
    digests,
    started,
    asked,
    dialled,
    noted,
    keep,
    lost,
    handOn,
    give,
    answer,
    announce,
    spoke,
    tick,
    relinked,
    joined,
    ownShare,
    another,
    announceAnother,
  }
}

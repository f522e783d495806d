/** A node with admission, peers, sync, submissions and beacons left out: what a stage would do, the test does. */

import { Checks } from '../../../src/core/checks.ts'
import type { CoreConfig } from '../../../src/core/config.ts'
import { Dispatcher, type Stages } from '../../../src/core/dispatcher.ts'
import type { Effect, EffectOf } from '../../../src/core/effects.ts'
import type { Event, EventOf } from '../../../src/core/events.ts'
import type { Journey } from '../../../src/core/journey.ts'
import type { Session } from '../../../src/core/session.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../../../src/core/snapshot.ts'
import type { Stage } from '../../../src/core/stage.ts'
import type { Step } from '../../../src/core/step.ts'
import type { Channel, Digest, Pattern, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import {
  CHANNEL,
  coreConfig,
  given,
  gossip,
  type Made,
  NO_GATEWAYS,
  PEER,
  ROOT,
  rootBytes,
  WALL_MS,
} from './fleet.ts'
import { NO_BEACONS } from './no-beacons.ts'

export class BenchNode {
  readonly heard: string[] = []
  monoMs = 0
  wallMs = WALL_MS
  compared = 0
  /** Who has more than a run takes is compared with, and not to the end. */
  reached = false
  /** Own patterns of which those peers store something; undefined: all. */
  comparedOf: readonly Pattern[] | undefined
  readonly #sessions: Session[] = []
  readonly #node: Dispatcher
  #uploads: readonly Digest[] = []
  #uploadsClosed = 0
  #inside: ((step: Step, journey: Journey) => void) | undefined

  constructor(change: Partial<CoreConfig> = {}, stages: Partial<Stages> = {}) {
    const silent: Stage = {}
    const admit: Stages['admit'] = {
      sessions: () => this.#sessions,
      session: (peer) => this.#sessions.find((session) => session.peer === peer),
      onConnected: (step, journey) => this.#inside?.(step, journey),
      onOrdered: (_step, _journey, { verdict, release }) =>
        void this.heard.push(`ordered ${verdict} ${release.id.slice(0, 8)}`),
      onDurable: (_step, _journey, channel) => void this.heard.push(`durable ${channel}`),
      onWhole: (_step, _journey, channel) => void this.heard.push(`whole ${channel}`),
      onAhead: (_step, _journey, peer) => void this.heard.push(`ahead ${peer}`),
    }
    const config = coreConfig(change)
    const all: Stages = {
      admit,
      peers: { ...silent, twin: () => undefined },
      gateways: NO_GATEWAYS,
      freshness: NO_BEACONS,
      sync: {
        comparedPeers: () => this.compared,
        hasReached: () => this.reached || this.compared > 0,
        hasCompared: (pattern) => this.compared > 0 && (this.comparedOf?.includes(pattern) ?? true),
      },
      submit: { uploads: () => ({ closed: this.#uploadsClosed, named: () => this.#uploads }) },
      bridge: silent,
      ...stages,
    }
    this.#node = new Dispatcher(config, all, new Checks(config.limits))
  }

  start(
    snapshot: Partial<Snapshot> = {},
    shown: ReadonlyMap<Channel, ReleaseId> = new Map(),
  ): readonly Effect[] {
    const roots = [{ version: 1, envelope: rootBytes(ROOT) }]
    return this.handle({ kind: 'started', snapshot: { ...EMPTY_SNAPSHOT, roots, ...snapshot }, shown })
  }

  handle(event: Event): readonly Effect[] {
    return this.#node.handle(event, { monoMs: this.monoMs, wallMs: this.wallMs })
  }

  /** What each upload under way names: where there are fewer of them some have ended. */
  set uploads(named: readonly Digest[]) {
    this.#uploadsClosed += Math.max(0, this.#uploads.length - named.length)
    this.#uploads = named
  }

  /** All effects but log lines and metrics. */
  run(event: Event): readonly Effect[] {
    return this.handle(event).filter(({ kind }) => kind !== 'note' && kind !== 'count' && kind !== 'observe')
  }

  /** What a stage does with the journey, in a step of its own. */
  inside(act: (step: Step, journey: Journey) => void): readonly Effect[] {
    this.#inside = act
    const event = {
      kind: 'connected',
      peer: '12D3KooWx' as PeerId,
      direction: 'inbound',
      address: '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWx',
      ownHost: false,
    } as unknown as Event
    const effects = this.run(event)
    this.#inside = undefined
    return effects
  }

  peer(
    peer: PeerId,
    options: {
      readonly submit?: boolean
      readonly patterns?: readonly string[]
      readonly region?: string
      readonly direction?: Session['direction']
    } = {},
  ): void {
    this.#sessions.push({
      peer,
      direction: options.direction ?? 'outbound',
      address: `/ip4/10.0.0.1/tcp/1/p2p/${peer}`,
      ownHost: false,
      sinceMonoMs: this.monoMs,
      hello: {
        type: 'hello',
        chain: [],
        patterns: (options.patterns ?? ['**']) as readonly Pattern[],
        region: options.region ?? 'here',
        zone: 'a',
        submit: options.submit === true,
        heartbeats: [],
      },
    } as unknown as Session)
  }

  /** Every write of these effects is on disk now. */
  persist(effects: readonly Effect[]): readonly Effect[] {
    return effects.flatMap((effect) =>
      effect.kind === 'persist' ? this.run({ kind: 'persisted', ticket: effect.ticket }) : [],
    )
  }

  /** Collections that have come due by then: each takes no time, and removes nothing. */
  collects(afterMs: number): readonly EffectOf<'collect'>[] {
    this.monoMs += afterMs
    const effects = ofKind(this.run({ kind: 'tick' }), 'collect')
    if (effects.length > 0) this.run({ kind: 'collected', digests: [] })
    return effects
  }

  channelView(channel: Channel) {
    return this.#node.channelView(channel, { monoMs: this.monoMs, wallMs: this.wallMs })
  }

  readiness() {
    return this.#node.readiness({ monoMs: this.monoMs, wallMs: this.wallMs })
  }

  view() {
    return this.#node.view({ monoMs: this.monoMs, wallMs: this.wallMs })
  }
}

export const ofKind = <K extends Effect['kind']>(effects: readonly Effect[], kind: K): EffectOf<K>[] =>
  effects.filter((effect): effect is EffectOf<K> => effect.kind === kind)

/** The whole release by gossip, and on disk. */
export const comes = (node: BenchNode, made: Made): readonly Effect[] =>
  node.persist(node.run(gossip(made, [made.page, made.block])))

/** What came of its activation. */
/** It runs this release, which has soaked: last-known-good for what comes next. */
export function soaked(made: Made): BenchNode {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  comes(node, made)
  node.persist(node.run(activated(made, 'healthy')))
  node.monoMs = 30_000
  node.persist(node.run({ kind: 'tick' }))
  return node
}

export const activated = ({ id }: Made, kind: 'healthy' | 'unhealthy' | 'failed'): Event => ({
  kind: 'activated',
  channel: CHANNEL,
  release: id,
  outcome:
    kind === 'healthy'
      ? { kind, changed: 1 }
      : { kind, code: 'ACTIVATE_UNHEALTHY', text: 'the check said no' },
})

/** A node that has the manifest and has asked for the block. */
export function fetching(made: Made) {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  const [page] = ofKind(node.persist(node.run(gossip(made))), 'request')
  const asked = node.run(given(page?.id, made.page))
  node.persist(asked)
  const [block] = ofKind(asked, 'request')
  return { node, block }
}

/** It was given the block, and its disk refused that: what the store says of itself comes first. */
export function refusedBlock(made: Made, mode: EventOf<'storeMode'>): BenchNode {
  const { node, block } = fetching(made)
  const [write] = ofKind(node.run(given(block?.id, made.block)), 'persist')
  node.run(mode)
  node.run({ kind: 'persistFailed', ticket: write?.ticket ?? 0, code: 'STORE_FULL' })
  return node
}

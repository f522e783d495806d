/** A seed with its real submit stage and journey; connections are what the test says they are. */

import { Checks } from '../../../src/core/checks.ts'
import type { CoreConfig } from '../../../src/core/config.ts'
import { Dispatcher, type Stages } from '../../../src/core/dispatcher.ts'
import type { Effect, EffectOf } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import type { Session } from '../../../src/core/session.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../../../src/core/snapshot.ts'
import { createSubmit } from '../../../src/core/submit.ts'
import type { Channel, Digest, PeerId } from '../../../src/model/ids.ts'
import type { PublishReply, PublishRequest } from '../../../src/model/messages.ts'
import { coreConfig, NO_GATEWAYS, ROOT, rootBytes, WALL_MS } from '../core/fleet.ts'
import { NO_BEACONS } from '../core/no-beacons.ts'

export const TOOL = '12D3KooWtool' as PeerId

export class SubmitNode {
  monoMs = 1_000
  /** What is stored here of a channel has been compared since start. */
  compared: (channel: Channel) => boolean = () => true
  /** Submissions, by their answer. */
  readonly counted: (string | undefined)[] = []
  /** Log lines and counts of all that happened, as `LEVEL CODE` and `METRIC LABEL`. */
  readonly said: string[] = []
  readonly notes: EffectOf<'note'>[] = []
  /** Collections that were begun. */
  collections = 0
  /** Requests that have their answer. */
  readonly answered: number[] = []
  readonly #sessions: Session[] = []
  readonly #node: Dispatcher
  readonly #submit: ReturnType<typeof createSubmit>
  #request = 10_000

  constructor(change: Partial<CoreConfig> = {}, snapshot: Partial<Snapshot> = {}) {
    const config = coreConfig({ submit: true, ...change })
    const admit: Stages['admit'] = {
      sessions: () => this.#sessions,
      session: (peer) => this.#sessions.find((session) => session.peer === peer),
      onAnswered: (id) => void this.answered.push(id),
    }
    const checks = new Checks(config.limits)
    this.#submit = createSubmit(config, checks, (channel) => this.compared(channel))
    const stages: Stages = {
      admit,
      peers: { twin: () => undefined },
      gateways: NO_GATEWAYS,
      freshness: NO_BEACONS,
      sync: { comparedPeers: () => 1, hasReached: () => true, hasCompared: () => true },
      submit: this.#submit,
      bridge: {},
    }
    this.#node = new Dispatcher(config, stages, checks)
    const roots = [{ version: 1, envelope: rootBytes(ROOT) }]
    this.handle({ kind: 'started', snapshot: { ...EMPTY_SNAPSHOT, roots, ...snapshot } })
    this.connect(TOOL)
  }

  connect(
    peer: PeerId,
    options: {
      readonly seed?: boolean
      readonly ownHost?: boolean
      readonly host?: string
      /** Of a seed; else every channel. */
      readonly patterns?: readonly string[]
    } = {},
  ): void {
    const hello =
      options.seed === true
        ? {
            type: 'hello',
            chain: [],
            patterns: options.patterns ?? ['**'],
            region: 'here',
            zone: 'a',
            submit: true,
            heartbeats: [],
          }
        : undefined
    const address = `/ip4/${options.host ?? '10.0.0.1'}/tcp/1/p2p/${peer}`
    const ownHost = options.ownHost === true
    this.#sessions.push({
      peer,
      direction: 'inbound',
      address,
      ownHost,
      sinceMonoMs: 0,
      hello,
    } as unknown as Session)
  }

  disconnect(peer: PeerId): void {
    this.#sessions.splice(
      this.#sessions.findIndex((session) => session.peer === peer),
      1,
    )
    this.handle({ kind: 'disconnected', peer })
  }

  /** What uploads under way name. */
  named(): readonly Digest[] {
    return this.#submit.uploads().named()
  }

  /** Effects without log lines, metrics, wakes and what fetching and activation do. */
  handle(event: Event): readonly Effect[] {
    const shown = ['reply', 'request', 'persist', 'publish', 'read']
    const effects = this.#node.handle(event, { monoMs: this.monoMs, wallMs: WALL_MS + this.monoMs })
    this.collections += ofKind(effects, 'collect').length
    for (const count of ofKind(effects, 'count'))
      if (count.metric === 'submissions') this.counted.push(count.label)
    for (const effect of effects)
      if (effect.kind === 'note') {
        this.said.push(`${effect.level} ${effect.code}`)
        this.notes.push(effect)
      } else if (effect.kind === 'count') this.said.push(`${effect.metric} ${effect.label ?? ''}`.trim())
    return effects.filter(({ kind }) => shown.includes(kind))
  }

  ask(message: PublishRequest, peer: PeerId = TOOL): readonly Effect[] {
    this.#request += 1
    return this.handle({
      kind: 'request',
      id: this.#request,
      peer,
      request: { protocol: 'publish', message },
    })
  }

  answer(request: Effect | undefined, message: PublishReply): readonly Effect[] {
    if (request?.kind !== 'request') throw new Error('not a request')
    return this.handle({ kind: 'reply', id: request.id, reply: { protocol: 'publish', message } })
  }

  /** Every write among these is on disk now, and what follows from it, to the end. */
  persist(effects: readonly Effect[]): readonly Effect[] {
    const after = ofKind(effects, 'persist').flatMap(({ ticket }) =>
      this.handle({ kind: 'persisted', ticket }),
    )
    return after.length === 0 ? [] : [...after, ...this.persist(after)]
  }

  /** What comes at once and after all writes. */
  settled(effects: readonly Effect[]): readonly Effect[] {
    return [...effects, ...this.persist(effects)]
  }

  tick(afterMs: number): readonly Effect[] {
    this.monoMs += afterMs
    return this.handle({ kind: 'tick' })
  }

  view() {
    return this.#node.view({ monoMs: this.monoMs, wallMs: WALL_MS + this.monoMs })
  }
}

export const ofKind = <K extends Effect['kind']>(effects: readonly Effect[], kind: K): EffectOf<K>[] =>
  effects.filter((effect): effect is EffectOf<K> => effect.kind === kind)

/** Replies, in order. */
export const replies = (effects: readonly Effect[]): PublishReply[] =>
  ofKind(effects, 'reply').map(({ reply }) => reply.message as PublishReply)

/** `lease PEER`, `await PEER`, … */
export const requests = (effects: readonly Effect[]): string[] =>
  ofKind(effects, 'request').map(({ peer, request }) => `${request.message.type} ${peer.slice(8)}`)

/** Kinds of what is written, a batch each; `!` after a synced one. */
export const writes = (effects: readonly Effect[]): string[] =>
  ofKind(effects, 'persist').map(
    ({ writes: batch, sync }) => batch.map(({ kind }) => kind).join(' ') + (sync ? '!' : ''),
  )

/** Code of the one refusal among the replies. */
export function refusal(effects: readonly Effect[]): string {
  const [reply] = replies(effects)
  return reply?.type === 'refused' ? reply.code : `${reply?.type ?? 'no reply'}`
}

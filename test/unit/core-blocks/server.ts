/** What a node gives of its blocks, without the rest of it. */
import { BorderDuty } from '../../../src/core/border-duty.ts'
import type { EventOf } from '../../../src/core/events.ts'
import type { Holding } from '../../../src/core/holders.ts'
import { OpenStep, StepCounter } from '../../../src/core/open-step.ts'
import { Serve } from '../../../src/core/serve.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Digest, PeerId } from '../../../src/model/ids.ts'
import { coreConfig } from '../core/fleet.ts'
import { FakeJourney, hex, peer } from '../core-peers/fakes.ts'

class HasBlocks extends FakeJourney {
  readonly here = new Set<Digest>()
  override region = 'here'
  override hasBlock = ((digest: Digest) => this.here.has(digest)) as () => boolean
}

type Told = EventOf<'request'>['request'] & {
  readonly peer: PeerId
  readonly monoMs: number
  readonly timeoutMs: number
}

/** A node that asks to be woken at once each time would never let time pass. */
const MAX_TICKS = 100_000

export function server(submit = false, maxServedAtOnce = 1, change: Partial<Limits> = {}) {
  const journey = new HasBlocks()
  const coming = new Set<Digest>()
  const duty = new BorderDuty()
  let askedOf: PeerId | undefined
  const config = coreConfig({ submit, limits: { ...LIMITS, maxServedAtOnce, ...change } })
  const counter = new StepCounter()
  let monoMs = 0
  let wakeMonoMs: number | undefined
  const announced: PeerId[] = []
  const left: Digest[] = []
  const spoke: PeerId[] = []
  const took: PeerId[] = []
  const serve = new Serve(config, {
    announced: (_step, _release, from) => void announced.push(from),
    asked: () => {},
    left: (_step, digest) => void left.push(digest),
    content: {
      isComing: (digest) => coming.has(digest),
      isAskedOf: (_digest, from) => from === askedOf,
      spoke: (from, _monoMs, takes) => {
        spoke.push(from)
        if (takes) took.push(from)
      },
      duty,
    },
    beaconPage: () => undefined,
    address: () => undefined,
  })
  const cold = new Set<number>()
  const told: Told[] = []
  const run = (act: (step: OpenStep) => void): string[] => {
    const step = new OpenStep({ monoMs, wallMs: 0 }, config, counter, () => {})
    act(step)
    return step.close().flatMap((effect) => {
      if (effect.kind === 'wake') wakeMonoMs = effect.atMonoMs
      if (effect.kind === 'serveBlock') {
        const begins = cold.has(effect.id) ? [] : serving(effect.id)
        return [`serve ${effect.id}`, ...begins]
      }
      if (effect.kind === 'request') {
        const { peer: to, timeoutMs, request } = effect
        told.push({ peer: to, monoMs, timeoutMs, ...request })
      }
      if (effect.kind === 'reply') return [`${effect.reply.message.type} ${effect.id}`]
      return []
    })
  }
  const serving = (id: number) => run((step) => serve.onServed(step, { kind: 'serving', id }))
  const tickAt = (ms: number) => {
    monoMs = ms
    counter.spend()
    wakeMonoMs = undefined
    return run((step) => serve.onTick(step, journey))
  }
  return {
    journey,
    coming,
    duty,
    /** What another has from here, as it is told. */
    left,
    /** Who asked or said anything. */
    spoke,
    /** And for a block. */
    took,
    /** What was said unasked. */
    told,
    /** Whose announcements were looked at. */
    announced,
    holds: (from: string, holding: Holding = { whole: true }) =>
      run((step) => {
        const message = {
          type: 'holds',
          release: hex('e') as never,
          channel: 'app' as Channel,
          ...holding,
        } as const
        const request = { protocol: 'blocks', message } as const
        serve.onRequest(step, journey, { kind: 'request', id: 0, peer: peer(from), request })
      }),
    want: (id: number, from: string, digest = hex('a'), failed = false) =>
      run((step) => {
        const message = { type: 'want', digest, ...(failed ? { failed } : {}) } as const
        const event: EventOf<'request'> = {
          kind: 'request',
          id,
          peer: peer(from),
          request: { protocol: 'blocks', message },
        }
        serve.onRequest(step, journey, event)
      }),
    /** Blocks that are not in memory: those asked for by this are read until `serving`. */
    cold,
    serving,
    served: (id: number, bytes = LIMITS.maxBlockBytes) =>
      run((step) => serve.onServed(step, { kind: 'served', id, bytes })),
    block: (digest: Digest) => {
      journey.here.add(digest)
      return run((step) => serve.onBlock(step, journey, digest))
    },
    ask: (of: PeerId) => {
      askedOf = of
    },
    gone: (from: PeerId) => serve.onDisconnected(from),
    /** When the next tick is, as far as one was asked for since the last. */
    wakeMonoMs: () => wakeMonoMs,
    /** With all ticks that are asked for until then. */
    tick: (ms: number) => {
      const said: string[] = []
      for (let ticks = 0; wakeMonoMs !== undefined && wakeMonoMs < ms; ticks += 1) {
        if (ticks > MAX_TICKS) throw new Error(`${ticks} ticks until ${ms} ms`)
        said.push(...tickAt(wakeMonoMs))
      }
      return [...said, ...tickAt(ms)]
    },
    /** It stands still until then. */
    standStill: tickAt,
  }
}

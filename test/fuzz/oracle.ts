/** What holds for a core whatever it hears: each effect can be carried out, answers what is open, and stays within its bounds. */
import { decodeControlGossip, decodeReleaseGossip } from '../../src/codec/gossip.ts'
import {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  isLast,
  isNotice,
} from '../../src/codec/messages.ts'
import type { Effect, EffectOf } from '../../src/core/effects.ts'
import type { Event, Now } from '../../src/core/events.ts'
import type { CoreView } from '../../src/core/view.ts'
import type { Limits } from '../../src/limits.ts'
import type { PeerId } from '../../src/model/ids.ts'
import type { Protocol } from '../../src/model/messages.ts'
import { comparePlaces, type Place } from '../../src/model/place.ts'
import { MEMBERS } from './fleet.ts'

/** Four members and seven releases: a step that says more than this goes round in a circle. */
const MAX_EFFECTS = 200

export class Oracle {
  /** Kinds of effects and of what was asked and answered, such as `reply sync envelopes`. */
  readonly reached = new Set<string>()
  readonly #limits: Limits
  readonly #connected = new Set<PeerId>()
  readonly #admitted = new Set<PeerId>()
  readonly #toAnswer = new Map<number, Protocol>()
  readonly #asked = new Set<number>()
  readonly #tickets = new Set<number>()
  readonly #durable = new Set([0])
  readonly #serving = new Map<number, number>()
  /** Written and confirmed. */
  readonly #floors = new Map<string, Place>()
  readonly #writing = new Map<number, EffectOf<'persist'>['writes']>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  hears(event: Event, { monoMs }: Now): void {
    if (event.kind === 'connected') this.#connected.add(event.peer)
    if (event.kind === 'disconnected') this.#connected.delete(event.peer)
    if (event.kind === 'connected' || event.kind === 'disconnected') this.#admitted.delete(event.peer)
    if (event.kind === 'request' && !isNotice(event.request))
      this.#toAnswer.set(event.id, event.request.protocol)
    if (event.kind === 'served') this.#serving.delete(event.id)
    if (event.kind === 'tick')
      for (const [id, until] of this.#serving) if (until <= monoMs) this.#serving.delete(id)
    if (event.kind !== 'persisted') return
    this.#durable.add(event.ticket)
    for (const write of this.#writing.get(event.ticket) ?? [])
      if (write.kind === 'floor') this.#floors.set(write.floor.channel, write.floor.top)
  }

  says(event: Event, effects: readonly Effect[], now: Now): void {
    hold(effects.length <= MAX_EFFECTS, `${effects.length} effects of one ${event.kind}`)
    const verdicts = effects.flatMap((effect) => (effect.kind === 'verdict' ? [effect.id] : []))
    const wanted = event.kind === 'gossip' ? [event.id] : []
    hold(verdicts.join() === wanted.join(), `verdicts on ${verdicts.join()} of a ${event.kind}`)
    for (const effect of effects) this.#judge(effect, now)
    hold(this.#serving.size <= this.#limits.maxServedAtOnce, `${this.#serving.size} blocks served at once`)
  }

  shows(view: CoreView): void {
    const { maxChannels, maxRelayedChannels, maxHistory } = this.#limits
    hold(view.sessions.length <= this.#connected.size, 'a session with nobody')
    hold(view.channels.length <= maxChannels, 'more channels than are kept')
    hold(view.relayedChannels <= maxRelayedChannels, 'more channels than are relayed')
    for (const { channel, ids, history } of view.channels)
      hold(ids.length <= 2 && history.length <= maxHistory, `${channel} grows`)
  }

  #judge(effect: Effect, { monoMs }: Now): void {
    this.reached.add(effect.kind)
    switch (effect.kind) {
      case 'request':
        return this.#request(effect)
      case 'reply':
        return this.#reply(effect)
      case 'serveBlock':
        this.#answer(effect.id, 'blocks', true)
        this.#serving.set(effect.id, monoMs + this.#limits.blockDeadlineMs)
        return
      case 'admit': {
        const member = MEMBERS.find(({ id }) => id === effect.peer)
        hold(member?.region === effect.region && member.chain.length > 0, `${effect.peer} is admitted`)
        hold(this.#connected.has(effect.peer), 'nobody is admitted')
        this.#admitted.add(effect.peer)
        return
      }
      case 'publish':
        if (effect.topic === 'control') decodeControlGossip(effect.bytes, this.#limits)
        else hold(!decodeReleaseGossip(effect.bytes, this.#limits).isCut, 'no more is attached than is taken')
        return
      case 'persist':
        return this.#persist(effect)
      case 'activate':
        hold(this.#durable.has(effect.after.ticket), 'activated before it is on disk')
        return
      case 'wake':
        hold(effect.atMonoMs > monoMs && Number.isFinite(effect.atMonoMs), `wake at ${effect.atMonoMs}`)
    }
  }

  #request({ id, peer, request, timeoutMs }: EffectOf<'request'>): void {
    const { protocol, message } = request
    this.reached.add(`request ${protocol} ${message.type}`)
    hold(!this.#asked.has(id), `request ${id} twice`)
    this.#asked.add(id)
    hold(timeoutMs > 0 && Number.isFinite(timeoutMs), `${protocol} ${message.type} within ${timeoutMs} ms`)
    const open = protocol === 'admit' ? this.#connected : this.#admitted
    hold(open.has(peer), `${protocol} ${message.type} to one that is not there or not admitted`)
    decodeRequest(protocol, encodeRequest(protocol, message as never), this.#limits)
  }

  #reply({ id, reply }: EffectOf<'reply'>): void {
    const { protocol, message } = reply
    this.reached.add(`reply ${protocol} ${message.type}`)
    this.#answer(id, protocol, isLast(reply))
    decodeReply(protocol, encodeReply(protocol, message as never), this.#limits)
  }

  #answer(id: number, protocol: Protocol, last: boolean): void {
    hold(this.#toAnswer.get(id) === protocol, `${protocol} answer to ${this.#toAnswer.get(id) ?? 'nothing'}`)
    if (last) this.#toAnswer.delete(id)
  }

  #persist({ ticket, writes }: EffectOf<'persist'>): void {
    hold(!this.#tickets.has(ticket), `ticket ${ticket} twice`)
    this.#tickets.add(ticket)
    this.#writing.set(ticket, writes)
    for (const write of writes) {
      if (write.kind !== 'floor') continue
      const before = this.#floors.get(write.floor.channel)
      const goesBack = before !== undefined && comparePlaces(write.floor.top, before) < 0
      hold(!goesBack, `the floor of ${write.floor.channel} goes back`)
    }
  }
}

function hold(is: boolean, otherwise: string): void {
  if (!is) throw new Error(`a core must not: ${otherwise}`)
}

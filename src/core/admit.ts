/**
 * Admission: what two nodes say before anything else opens. The dialler opens; whoever has the older root catches up first, so
 * that a node thirty roots behind still gets in; then hellos go both ways and each judges the other's certificate. Whatever a
 * stranger does here ends by a deadline that only advancing roots renew.
 */
import type { Code } from '../errors.ts'
import { regionIn, zoneIn } from '../model/certificate.ts'
import type { PeerId } from '../model/ids.ts'
import type { AdmitReply, AdmitRequest, AnyReply, Hello } from '../model/messages.ts'
import type { TrustRoot } from '../model/root.ts'
import { isStillNamed, type Judge, type Judgement } from '../trust/admission.ts'
import type { Admission } from '../trust/certificates.ts'
import {
  type AfterRefusal,
  type Asked,
  afterRefusal,
  codeHeard,
  hasTime,
  JUDGED,
  type Link,
  letGoForMs,
  newLink,
  ownHello,
  ownRoot,
  refusal,
  reply,
  textHeard,
} from './admit/link.ts'
import { OwnCertificate } from './admit/own-certificate.ts'
import { Places } from './admit/places.ts'
import { Publishers } from './admit/publishers.ts'
import { CLONES, Replaced } from './admit/replaced.ts'
import { isCrowded } from './admit/room.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import { hostOf } from './hosts.ts'
import type { Journey } from './journey.ts'
import { createTurns, type Turns } from './rate.ts'
import { RootBudget, RootRun } from './roots/run.ts'
import { isAdmitted, type Session } from './session.ts'
import type { Stage } from './stage.ts'
import type { Step } from './step.ts'

export class Admit implements Stage {
  readonly #config: CoreConfig
  readonly #judge: Judge
  readonly #own: OwnCertificate
  readonly #links = new Map<PeerId, Link>()
  readonly #asked = new Map<RequestId, Link>()
  readonly #budget = new RootBudget()
  readonly #turns: Turns
  readonly #places: Places
  readonly #publishers = new Publishers()
  readonly #replaced: Replaced

  constructor(config: CoreConfig, judge: Judge) {
    this.#config = config
    const { admissionsPerSecond, admissionsBurst, redialMaxMs } = config.limits
    this.#turns = createTurns(admissionsPerSecond, admissionsBurst, redialMaxMs)
    this.#places = new Places(config)
    this.#replaced = new Replaced(config.limits)
    this.#judge = judge
    this.#own = new OwnCertificate(config, judge)
  }

  *sessions(): Iterable<Session> {
    for (const { session } of this.#links.values()) yield session
  }

  session(peer: PeerId): Session | undefined {
    return this.#links.get(peer)?.session
  }

  /** What peers make of this node. */
  own(): Judgement | undefined {
    return this.#own.judgement
  }

  onStarted(step: Step, journey: Journey): void {
    this.#own.look(step, journey)
  }

  onConnected(step: Step, journey: Journey, event: EventOf<'connected'>): void {
    const { peer, direction, address } = event
    const { limits } = this.#config
    this.#forget(peer)
    if (direction === 'inbound' && isCrowded(address, this.#links.values(), limits)) {
      this.#hangUp(step, peer, 'LIMIT_STREAMS', 'too many connections that are not admitted yet')
      return
    }
    const deadlineMonoMs = step.now.monoMs + limits.admitDeadlineMs
    const link = newLink(event, step.now.monoMs, deadlineMonoMs)
    this.#links.set(peer, link)
    step.wakeAt(deadlineMonoMs)
    if (direction === 'outbound') this.#ask(step, link, { type: 'open', ...ownRoot(journey) })
  }

  onDisconnected({ now }: Step, _journey: Journey, event: EventOf<'disconnected'>): void {
    this.#replaced.ended(event, this.session(event.peer), now.monoMs)
    this.#forget(event.peer)
  }

  onRequest(step: Step, journey: Journey, event: EventOf<'request'>): boolean {
    const link = this.#links.get(event.peer)
    if (event.request.protocol === 'publish') {
      if (link !== undefined) this.#keepPublisher(step, link, event.id)
      return false
    }
    if (event.request.protocol !== 'admit') return false
    if (link === undefined) reply(step, event.id, refusal('NET_UNREACHABLE', 'this connection is closing'))
    else this.#answer(step, journey, link, event.id, event.request.message)
    return true
  }

  /** Whatever was asked here has its answer. */
  onAnswered(id: RequestId): void {
    this.#publishers.answered(id)
  }

  onReply(step: Step, journey: Journey, id: RequestId, { protocol, message }: AnyReply): boolean {
    const link = this.#asked.get(id)
    if (link === undefined) return false
    const what = link.asked?.what
    this.#asked.delete(id)
    link.asked = undefined
    if (protocol === 'admit' && what !== undefined) this.#take(step, journey, link, what, message)
    return true
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId, code: Code): boolean {
    const link = this.#asked.get(id)
    if (link === undefined) return false
    const what = link.asked?.what
    this.#asked.delete(id)
    link.asked = undefined
    if (what === 'refuse') this.#refuseHeard(step, link)
    else if (what === 'open' || what === 'hello')
      this.#hangUp(step, link.session.peer, code, `no answer to ${what} of admission`)
    else {
      link.run = 'ended'
      this.#advance(step, journey, link)
    }
    return true
  }

  onTick(step: Step, journey: Journey): void {
    this.#own.onTick(step, journey)
    for (const link of [...this.#links.values()]) {
      if (isAdmitted(link.session)) continue
      if (hasTime(link, step.now.monoMs, this.#config.limits)) {
        step.wakeAt(link.deadlineMonoMs)
        continue
      }
      const late = 'not admitted in time'
      // No judgement: another dial may end otherwise.
      if (link.held !== undefined) reply(step, link.held.id, refusal('NET_TIMEOUT', late))
      link.held = undefined
      this.#hangUp(step, link.session.peer, 'ADMIT_REFUSED', late)
    }
  }

  /** Whoever the new root does not admit any more is cut off: removed, of a removed pool, of a key that admits no more. */
  onRoot(step: Step, journey: Journey, root: TrustRoot): void {
    this.#own.look(step, journey)
    for (const { session, refusing } of [...this.#links.values()]) {
      const { peer, hello, admission } = session
      if (refusing !== undefined || (admission !== undefined && isStillNamed(peer, admission, root))) continue
      // Not admitted yet: its certificate is judged when its hello comes, under this root.
      if (hello === undefined && !root.removed.peers.some(({ id }) => id === peer)) continue
      const judgement = this.#judge(peer, hello?.chain ?? [], root, undefined)
      if (judgement.kind === 'refused') this.#hangUp(step, peer, judgement.code, judgement.text, JUDGED)
    }
  }

  #answer(step: Step, journey: Journey, link: Link, id: RequestId, message: AdmitRequest): void {
    switch (message.type) {
      case 'open':
        reply(step, id, { type: 'opened', ...ownRoot(journey) })
        if (link.theirs !== undefined || isAdmitted(link.session)) return
        link.theirs = { version: message.version, digest: message.digest }
        this.#advance(step, journey, link)
        return
      case 'root':
        reply(step, id, this.#serveRoot(step, journey, link, message.since))
        return
      case 'firstRoot':
        reply(step, id, this.#serveRoot(step, journey, link, 0))
        return
      case 'fork':
        reply(step, id, { type: 'noted' })
        this.#takeFork(step, journey, link, message.root)
        return
      case 'refuse':
        reply(step, id, { type: 'noted' })
        this.#refused(step, link.session, message)
        return
      case 'hello':
        this.#takeHello(step, journey, link, id, message)
    }
  }

  #serveRoot(step: Step, journey: Journey, link: Link, since: number): AdmitReply {
    const root = journey.rootEnvelope(since + 1)
    if (root === undefined) return { type: 'root' }
    const { limits } = this.#config
    if (!this.#budget.spend(hostOf(link.session.address), root.length, step.now.monoMs, limits))
      return refusal('LIMIT_RATE', 'too many root bytes for this address in a minute', 60_000)
    if (since > link.served) this.#renew(step, link)
    link.served = Math.max(link.served, since)
    return { type: 'root', root }
  }

  /** A valid other root of a version we know raises the alarm there; we go on with our own. */
  #takeFork(step: Step, journey: Journey, link: Link, root: Uint8Array): void {
    if (link.forkTaken) return
    link.forkTaken = true
    const { limits } = this.#config
    if (this.#budget.spend(hostOf(link.session.address), root.length, step.now.monoMs, limits))
      journey.adoptRoot(step, root, link.session.peer)
  }

  #takeHello(step: Step, journey: Journey, link: Link, id: RequestId, hello: Hello): void {
    const { direction } = link.session
    const inTurn = direction === 'inbound' && link.theirs !== undefined && link.held === undefined
    if (!inTurn || isAdmitted(link.session)) {
      reply(step, id, refusal('NET_PROTOCOL', 'hello comes once, from the dialler, after open'))
      return
    }
    link.held = { id, hello }
    this.#advance(step, journey, link)
  }

  #take(step: Step, journey: Journey, link: Link, what: Asked, message: AdmitReply): void {
    const { peer } = link.session
    if (what === 'refuse') this.#refuseHeard(step, link)
    else if (what === 'root') this.#takeRoot(step, journey, link, message)
    else if (what === 'fork') this.#advance(step, journey, link)
    else if (what === 'open' && message.type === 'opened') {
      link.theirs = { version: message.version, digest: message.digest }
      this.#advance(step, journey, link)
    } else if (what === 'hello' && message.type === 'hello') {
      const judgement = this.#judge(peer, message.chain, journey.root(), step.now.wallMs)
      if (judgement.kind === 'admitted') this.#admit(step, link, message, judgement.admission)
      else this.#refuse(step, link, judgement)
    } else if (message.type === 'refused') {
      const { code, retryAfterMs } = message
      this.#hangUp(step, peer, codeHeard(code), textHeard(message), afterRefusal(code, retryAfterMs))
    } else this.#hangUp(step, peer, 'NET_PROTOCOL', 'the peer answers out of turn')
  }

  /** The dialler tells the other why before it hangs up; the other has admitted us and would wonder. */
  #refuse(step: Step, link: Link, { code, text }: Extract<Judgement, { kind: 'refused' }>): void {
    link.refusing = { code, text }
    this.#ask(step, link, { type: 'refuse', code, text })
  }

  #refused(step: Step, session: Session, said: Extract<AdmitRequest, { readonly type: 'refuse' }>): void {
    const awayMs = letGoForMs(session, said.code, this.#config)
    this.#hangUp(step, session.peer, codeHeard(said.code), textHeard(said), afterRefusal(said.code, awayMs))
  }

  #refuseHeard(step: Step, { session, refusing }: Link): void {
    if (refusing !== undefined) this.#hangUp(step, session.peer, refusing.code, refusing.text, JUDGED)
  }

  #takeRoot(step: Step, journey: Journey, link: Link, message: AdmitReply): void {
    if (!(link.run instanceof RootRun)) return
    const before = journey.root().version
    const outcome = link.run.take(step, journey, message, this.#budget)
    if (this.#links.get(link.session.peer) !== link) return // the root it brought removes it
    if (journey.root().version > before) this.#renew(step, link)
    if (outcome === 'ended') link.run = 'ended'
    this.#advance(step, journey, link)
  }

  /** The next thing to say, if nothing of ours is out: roots, then the fork, then hello. */
  #advance(step: Step, journey: Journey, link: Link): void {
    if (link.asked !== undefined || link.theirs === undefined || isAdmitted(link.session)) return
    if (link.refusing !== undefined) return
    const { version, digest } = link.theirs
    const own = ownRoot(journey)
    if (version > own.version && link.run !== 'ended') {
      link.run ??= new RootRun(link.session.peer)
      this.#remember(link, link.run.ask(step, journey), 'root')
      return
    }
    const root = journey.rootEnvelope(own.version)
    if (version === own.version && digest !== own.digest && !link.forkSent && root !== undefined) {
      link.forkSent = true
      this.#ask(step, link, { type: 'fork', root })
      return
    }
    if (link.session.direction === 'outbound')
      this.#ask(step, link, ownHello(this.#config, journey, step.now))
    else if (link.held !== undefined) this.#conclude(step, journey, link, link.held)
  }

  /** The listener's part, once its root is as new as the dialler's: judge, make room, answer, admit. */
  #conclude(step: Step, journey: Journey, link: Link, held: NonNullable<Link['held']>): void {
    const { peer } = link.session
    const judgement = this.#judge(peer, held.hello.chain, journey.root(), step.now.wallMs)
    if (judgement.kind === 'refused') return this.#hangUp(step, peer, judgement.code, judgement.text, JUDGED)
    const newcomer = { peer, admission: judgement.admission }
    const room = this.#places.room(step, journey, newcomer, [...this.sessions()])
    if (room.kind === 'none') {
      const text = `this node has its ${this.#places.most(journey)} peers; try another`
      return this.#turnAway(step, link, 'ADMIT_REFUSED', text, this.#places.awayMs(newcomer))
    }
    const awayMs = this.#replaced.awayMs(peer, step.now.monoMs)
    if (awayMs > 0) return this.#turnAway(step, link, 'LIMIT_RATE', CLONES, awayMs)
    const retryAfterMs = this.#turns.take(step.now.monoMs)
    const busy = 'too many nodes ask for admission here at once'
    if (retryAfterMs > 0) return this.#turnAway(step, link, 'LIMIT_RATE', busy, retryAfterMs)
    if (room.kind === 'instead') {
      this.#hangUp(step, room.of, 'ADMIT_REFUSED', 'makes room for another node')
      this.#places.moved(step, peer, room.of)
    }
    reply(step, held.id, ownHello(this.#config, journey, step.now))
    this.#admit(step, link, held.hello, judgement.admission)
  }

  /**
   * Not now. A fleet that restarts at once hears when each turn is, for what follows admission costs more than the
   * handshake; asked last, so that whoever would be refused anyway takes no turn.
   */
  #turnAway(step: Step, link: Link, code: Code, text: string, retryAfterMs: number): void {
    if (link.held !== undefined) reply(step, link.held.id, refusal(code, text, retryAfterMs))
    link.held = undefined
    this.#hangUp(step, link.session.peer, code, text)
  }

  #admit(step: Step, link: Link, said: Hello, admission: Admission): void {
    const { peer } = link.session
    const [region, zone] = [regionIn(admission.labels), zoneIn(admission.labels)]
    if (said.region !== region || said.zone !== zone) {
      const text = `says region ${said.region}, zone ${said.zone}; its certificate says ${region}, ${zone}, which counts`
      step.emit({ kind: 'note', level: 'warn', code: 'ADMIT_LABELS', text, peer })
    }
    link.session = { ...link.session, hello: { ...said, region, zone }, admission }
    link.held = undefined
    link.run = undefined
    step.emit({ kind: 'admit', peer, region })
    const text = `admitted ${peer} of region ${region}`
    step.emit({ kind: 'note', level: 'debug', code: 'PEER_ADMITTED', text, peer })
  }

  #ask(step: Step, link: Link, message: Extract<AdmitRequest, { readonly type: Asked }>): void {
    const id = step.nextRequest()
    this.#remember(link, id, message.type)
    const { admitDeadlineMs, refuseDeadlineMs } = this.#config.limits
    const timeoutMs = message.type === 'refuse' ? refuseDeadlineMs : admitDeadlineMs
    step.emit({
      kind: 'request',
      id,
      peer: link.session.peer,
      request: { protocol: 'admit', message },
      timeoutMs,
    })
  }

  #remember(link: Link, id: RequestId, what: Asked): void {
    link.asked = { id, what }
    this.#asked.set(id, link)
  }

  #renew(step: Step, link: Link): void {
    link.deadlineMonoMs = Math.max(link.deadlineMonoMs, step.now.monoMs + this.#config.limits.admitDeadlineMs)
    step.wakeAt(link.deadlineMonoMs)
  }

  /** Publishing needs no admission where submissions are taken: such a connection lives as long as an idle lease. */
  #keepPublisher(step: Step, link: Link, id: RequestId): void {
    const { session } = link
    const { limits } = this.#config
    if (session.direction !== 'inbound' || !(this.#config.submit || session.ownHost)) return
    link.deadlineMonoMs = Math.max(link.deadlineMonoMs, step.now.monoMs + limits.leaseMs)
    link.publishedMonoMs = step.now.monoMs
    this.#publishers.asked(link, id)
    const least = this.#publishers.tooMany(link, this.#links.values(), limits)
    const text = 'others publish, and this connection was idle longest'
    if (least !== undefined) this.#hangUp(step, least.session.peer, 'LIMIT_STREAMS', text)
  }

  #hangUp(step: Step, peer: PeerId, code: Code, text: string, after: AfterRefusal = {}): void {
    const held = this.#links.get(peer)?.held
    if (held !== undefined) reply(step, held.id, refusal(code, text))
    this.#forget(peer)
    step.emit({ kind: 'note', level: 'warn', code, text, peer })
    step.emit({ kind: 'hangUp', peer, code, ...after })
  }

  #forget(peer: PeerId): void {
    const link = this.#links.get(peer)
    if (link?.asked !== undefined) this.#asked.delete(link.asked.id)
    if (link !== undefined) this.#publishers.gone(link)
    this.#links.delete(peer)
  }
}

export const createAdmit = (config: CoreConfig, judge: Judge): Admit => new Admit(config, judge)

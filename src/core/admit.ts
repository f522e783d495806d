/**
 * Admission: what two nodes say before anything else opens. The dialler opens; whoever has the older root catches up
 * first, so that a node thirty roots behind still gets in; then hellos go both ways. Whatever a stranger does here
 * ends by a deadline that only advancing roots renew.
 */
import type { Code } from '../errors.ts'
import type { PeerId } from '../model/ids.ts'
import type { AdmitReply, AdmitRequest, AnyReply, Hello, Refused } from '../model/messages.ts'
import type { TrustRoot } from '../model/root.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import type { Journey } from './journey.ts'
import { createTurns, type Turns } from './rate.ts'
import { hostOf, RootBudget, RootRun } from './root-run.ts'
import { isAdmitted, type Session } from './session.ts'
import type { Stage } from './stage.ts'
import type { Step } from './step.ts'

interface Link {
  session: Session
  deadlineMonoMs: number
  /** The one request of ours that is out. */
  asked: { readonly id: RequestId; readonly what: AdmitRequest['type'] } | undefined
  /** The other's newest root, once open was exchanged. */
  theirs: { readonly version: number; readonly digest: string } | undefined
  run: RootRun | 'ended' | undefined
  /** Greatest `since` served: roots that go out renew the deadline only while they advance. */
  served: number
  forkSent: boolean
  forkTaken: boolean
  /** The dialler's hello, held while our own run goes on. */
  held: { readonly id: RequestId; readonly hello: Hello } | undefined
}

const isRemoved = (root: TrustRoot, peer: PeerId): boolean => root.removed.peers.some(({ id }) => id === peer)

const refusal = (code: Code, text: string, retryAfterMs?: number): Refused => ({
  type: 'refused',
  code,
  text,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
})

const REMOVED = 'this node is removed by the trust root; ask whoever runs the fleet'

export class Admit implements Stage {
  readonly #config: CoreConfig
  readonly #links = new Map<PeerId, Link>()
  readonly #asked = new Map<RequestId, Link>()
  readonly #budget = new RootBudget()
  readonly #turns: Turns

  constructor(config: CoreConfig) {
    this.#config = config
    const { admissionsPerSecond, admissionsBurst, redialMaxMs } = config.limits
    this.#turns = createTurns(admissionsPerSecond, admissionsBurst, redialMaxMs)
  }

  *sessions(): Iterable<Session> {
    for (const { session } of this.#links.values()) yield session
  }

  session(peer: PeerId): Session | undefined {
    return this.#links.get(peer)?.session
  }

  onConnected(step: Step, journey: Journey, event: EventOf<'connected'>): void {
    const { peer, direction, address, ownHost } = event
    this.#forget(peer)
    if (direction === 'inbound' && this.#isCrowded(event)) {
      this.#hangUp(step, peer, 'LIMIT_STREAMS', 'too many connections that are not admitted yet')
      return
    }
    const sinceMonoMs = step.now.monoMs
    const deadlineMonoMs = sinceMonoMs + this.#config.limits.admitDeadlineMs
    const session: Session = { peer, direction, address, ownHost, sinceMonoMs, hello: undefined }
    const link: Link = {
      session,
      deadlineMonoMs,
      asked: undefined,
      theirs: undefined,
      run: undefined,
      served: 0,
      forkSent: false,
      forkTaken: false,
      held: undefined,
    }
    this.#links.set(peer, link)
    step.wakeAt(deadlineMonoMs)
    if (direction === 'outbound') this.#ask(step, link, { type: 'open', ...ownRoot(journey) })
  }

  onDisconnected(_step: Step, _journey: Journey, event: EventOf<'disconnected'>): void {
    this.#forget(event.peer)
  }

  onRequest(step: Step, journey: Journey, event: EventOf<'request'>): boolean {
    const link = this.#links.get(event.peer)
    if (event.request.protocol === 'publish') {
      if (link !== undefined) this.#keepPublisher(step, link)
      return false
    }
    if (event.request.protocol !== 'admit') return false
    if (link === undefined) reply(step, event.id, refusal('ADMIT_REFUSED', 'this connection is closing'))
    else this.#answer(step, journey, link, event.id, event.request.message)
    return true
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
    if (what === 'open' || what === 'hello')
      this.#hangUp(step, link.session.peer, code, `no answer to ${what} of admission`)
    else {
      link.run = 'ended'
      this.#advance(step, journey, link)
    }
    return true
  }

  onTick(step: Step, _journey: Journey): void {
    for (const link of [...this.#links.values()]) {
      if (isAdmitted(link.session)) continue
      if (step.now.monoMs < link.deadlineMonoMs) {
        step.wakeAt(link.deadlineMonoMs)
        continue
      }
      this.#hangUp(step, link.session.peer, 'ADMIT_REFUSED', 'not admitted in time')
    }
  }

  /** Whoever the new root removes is cut off, admitted or not. */
  onRoot(step: Step, _journey: Journey, root: TrustRoot): void {
    for (const peer of [...this.#links.keys()])
      if (isRemoved(root, peer)) this.#hangUp(step, peer, 'ADMIT_REMOVED', 'removed by the trust root')
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
      case 'fork':
        reply(step, id, { type: 'noted' })
        this.#takeFork(step, journey, link, message.root)
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
    const { peer, direction } = link.session
    const inTurn = direction === 'inbound' && link.theirs !== undefined && link.held === undefined
    if (!inTurn || isAdmitted(link.session)) {
      reply(step, id, refusal('NET_PROTOCOL', 'hello comes once, from the dialler, after open'))
      return
    }
    const refused = this.#refuses(journey, peer) ?? this.#tooMany(step)
    if (refused !== undefined) {
      reply(step, id, refused.message)
      this.#hangUp(step, peer, refused.code, refused.message.text)
      return
    }
    link.held = { id, hello }
    this.#advance(step, journey, link)
  }

  #refuses(journey: Journey, peer: PeerId): { code: Code; message: Refused } | undefined {
    if (isRemoved(journey.root(), peer))
      return { code: 'ADMIT_REMOVED', message: refusal('ADMIT_REMOVED', REMOVED) }
    const { limits, submit } = this.#config
    const stands = journey.gateways(journey.region).includes(this.#config.self)
    const top = submit ? limits.seedDegree : stands ? limits.gatewayDegree : limits.hardDegree
    let admitted = 0
    for (const { session } of this.#links.values()) if (isAdmitted(session)) admitted += 1
    if (admitted < top) return undefined
    const text = `this node has its ${top} peers; try another`
    return { code: 'ADMIT_REFUSED', message: refusal('ADMIT_REFUSED', text, limits.redialIdleMaxMs) }
  }

  /**
   * A fleet that restarts at once: what follows admission costs more than the handshake, so whoever comes too early
   * hears when its turn is. Asked last, so that whoever would be refused anyway takes no turn.
   */
  #tooMany(step: Step): { code: Code; message: Refused } | undefined {
    const retryAfterMs = this.#turns.take(step.now.monoMs)
    if (retryAfterMs === 0) return undefined
    const text = 'too many nodes ask for admission here at once'
    return { code: 'LIMIT_RATE', message: refusal('LIMIT_RATE', text, retryAfterMs) }
  }

  #take(step: Step, journey: Journey, link: Link, what: AdmitRequest['type'], message: AdmitReply): void {
    if (what === 'root') this.#takeRoot(step, journey, link, message)
    else if (what === 'fork') this.#advance(step, journey, link)
    else if (what === 'open' && message.type === 'opened') {
      link.theirs = { version: message.version, digest: message.digest }
      this.#advance(step, journey, link)
    } else if (what === 'hello' && message.type === 'hello') this.#admit(step, link, message)
    else {
      const said =
        message.type === 'refused'
          ? `the peer refuses: ${message.code}: ${message.text}`
          : 'the peer answers out of turn'
      this.#hangUp(
        step,
        link.session.peer,
        message.type === 'refused' ? 'ADMIT_REFUSED' : 'NET_PROTOCOL',
        said,
        message.type === 'refused' ? message.retryAfterMs : undefined,
      )
    }
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
    const dials = link.session.direction === 'outbound'
    if (!dials && link.held === undefined) return
    if (isRemoved(journey.root(), link.session.peer)) {
      this.#hangUp(step, link.session.peer, 'ADMIT_REMOVED', 'removed by the trust root')
    } else if (dials) this.#ask(step, link, ownHello(this.#config, journey))
    else if (link.held !== undefined) {
      reply(step, link.held.id, ownHello(this.#config, journey))
      this.#admit(step, link, link.held.hello)
    }
  }

  #admit(step: Step, link: Link, hello: Hello): void {
    const { peer } = link.session
    link.session = { ...link.session, hello }
    link.held = undefined
    link.run = undefined
    step.emit({ kind: 'admit', peer, region: hello.region })
    const text = `admitted ${peer} of region ${hello.region}`
    step.emit({ kind: 'note', level: 'debug', code: 'PEER_ADMITTED', text, peer })
  }

  #ask(step: Step, link: Link, message: AdmitRequest): void {
    const id = step.nextRequest()
    this.#remember(link, id, message.type)
    const timeoutMs = this.#config.limits.admitDeadlineMs
    step.emit({
      kind: 'request',
      id,
      peer: link.session.peer,
      request: { protocol: 'admit', message },
      timeoutMs,
    })
  }

  #remember(link: Link, id: RequestId, what: AdmitRequest['type']): void {
    link.asked = { id, what }
    this.#asked.set(id, link)
  }

  #renew(step: Step, link: Link): void {
    const later = step.now.monoMs + this.#config.limits.admitDeadlineMs
    link.deadlineMonoMs = Math.max(link.deadlineMonoMs, later)
    step.wakeAt(link.deadlineMonoMs)
  }

  /** Publishing needs no admission where submissions are taken: such a connection lives as long as an idle lease. */
  #keepPublisher(step: Step, link: Link): void {
    const { session } = link
    if (session.direction !== 'inbound' || !(this.#config.submit || session.ownHost)) return
    link.deadlineMonoMs = Math.max(link.deadlineMonoMs, step.now.monoMs + this.#config.limits.leaseMs)
  }

  #isCrowded({ address }: EventOf<'connected'>): boolean {
    const { limits } = this.#config
    const host = hostOf(address)
    let all = 0
    let same = 0
    for (const { session } of this.#links.values()) {
      if (isAdmitted(session) || session.direction === 'outbound') continue
      all += 1
      if (hostOf(session.address) === host) same += 1
    }
    return all >= limits.maxUnadmitted || same >= limits.maxUnadmittedPerAddress
  }

  #hangUp(step: Step, peer: PeerId, code: Code, text: string, retryAfterMs?: number): void {
    const held = this.#links.get(peer)?.held
    if (held !== undefined) reply(step, held.id, refusal(code, text))
    this.#forget(peer)
    step.emit({ kind: 'note', level: 'warn', code, text, peer })
    step.emit({ kind: 'hangUp', peer, code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
  }

  #forget(peer: PeerId): void {
    const link = this.#links.get(peer)
    if (link?.asked !== undefined) this.#asked.delete(link.asked.id)
    this.#links.delete(peer)
  }
}

const ownRoot = (journey: Journey) => ({ version: journey.root().version, digest: journey.rootDigest() })

const ownHello = ({ chain, patterns, region, zone, submit }: CoreConfig, journey: Journey): Hello => ({
  type: 'hello',
  chain,
  patterns,
  region,
  zone,
  submit,
  heartbeats: journey.heartbeats(),
})

function reply(step: Step, id: RequestId, message: AdmitReply): void {
  step.emit({ kind: 'reply', id, reply: { protocol: 'admit', message } })
}

export const createAdmit = (config: CoreConfig): Admit => new Admit(config)

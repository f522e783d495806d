/**
 * Who gets a place at a full node. In a fleet with more nodes than its seeds have places a new one would find nobody,
 * as those that came before stay for good. At a seed whoever has been there for a while makes room, for it has heard of
 * others, and they carry releases to it; a new node has nobody else to hear of them from.
 */
import { regionIn } from '../../model/certificate.ts'
import type { PeerId } from '../../model/ids.ts'
import type { Admission } from '../../trust/certificates.ts'
import type { CoreConfig } from '../config.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import { type AdmittedSession, identityOf, isAdmitted, type Session } from '../session.ts'
import type { Step } from '../step.ts'
import { noRoomMs } from './link.ts'
import { newestOf, type Room, roomFor } from './room.ts'

/** One that asks for a place. */
export interface Newcomer {
  readonly peer: PeerId
  readonly admission: Admission
}

export class Places {
  readonly #config: CoreConfig
  /** Who was let in for another or let go, lately: else those let go and those that come would drive each other out. */
  readonly #moved: LatestMap<PeerId, number>

  constructor(config: CoreConfig) {
    this.#config = config
    const { admissionsPerSecond, admissionsBurst, settledLinkMs } = config.limits
    // Two of each admission of the time for which they are looked for.
    this.#moved = new LatestMap(2 * ((admissionsPerSecond * settledLinkMs) / 1_000 + admissionsBurst))
  }

  /** Connections that this node takes. */
  most(journey: Journey): number {
    const { limits, submit, self } = this.#config
    if (submit) return limits.seedDegree
    return journey.gateways(journey.region).includes(self) ? limits.gatewayDegree : limits.hardDegree
  }

  room(step: Step, journey: Journey, newcomer: Newcomer, sessions: readonly Session[]): Room {
    const room = roomFor(identityOf(newcomer.peer, newcomer.admission), sessions, this.most(journey))
    if (room.kind === 'free' || (room.kind === 'instead' && this.#config.submit)) return room
    const of = this.#config.submit
      ? this.#whoGoes(step, journey, newcomer, sessions)
      : this.#fromElsewhere(journey, newcomer, sessions)
    return of === undefined ? room : { kind: 'instead', of }
  }

  /** When a newcomer without a place may ask again. */
  awayMs({ admission }: Newcomer): number {
    const { submit, region, limits } = this.#config
    return noRoomMs(submit, region, regionIn(admission.labels), limits)
  }

  /** Neither the one that came nor the one that went moves anybody for a while. */
  moved({ now }: Step, ...peers: readonly PeerId[]): void {
    for (const peer of peers) this.#moved.set(peer, now.monoMs + this.#config.limits.settledLinkMs)
  }

  /**
   * The newest from another region goes for one of the own, up to the links wanted there, and for whom the bridge needs. A
   * large region wants more links outside than a small one has places; once they took those of a node that restarts, it would
   * find no neighbours in its own.
   */
  #fromElsewhere(journey: Journey, { peer, admission }: Newcomer, sessions: readonly Session[]) {
    const { region, limits } = this.#config
    const admitted = sessions.filter(isAdmitted)
    const others = admitted.filter(({ hello }) => hello.region !== region)
    const isWanted =
      regionIn(admission.labels) === region && admitted.length - others.length < limits.maxDegree
    if (!isWanted && !journey.keeps(peer)) return undefined
    return newestOf(others.filter((one) => !one.hello.submit && !journey.stands(one.peer)))?.peer
  }

  /**
   * Where the newcomer's pool has places one of those, so that none takes places from others by coming again and again
   * under new names. Any of them: the oldest are this seed's neighbours in gossip.
   */
  #whoGoes({ now }: Step, journey: Journey, { peer, admission }: Newcomer, sessions: readonly Session[]) {
    if ((this.#moved.get(peer) ?? 0) > now.monoMs) return undefined
    const { limits, random } = this.#config
    const mayGo = (session: Session): session is AdmittedSession =>
      isAdmitted(session) &&
      session.direction === 'inbound' &&
      now.monoMs - session.sinceMonoMs >= limits.seedRoomMs &&
      !session.hello.submit &&
      // What this seed has goes into a region by its gateways.
      !journey.gateways(session.hello.region).includes(session.peer)
    const settled = sessions.filter(mayGo)
    const identity = identityOf(peer, admission)
    const own = settled.filter((session) => identityOf(session.peer, session.admission) === identity)
    const some = own.length > 0 ? own : settled
    return some[Math.floor(random() * some.length)]?.peer
  }
}

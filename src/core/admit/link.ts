/** One connection on its way to be admitted, and the words both sides use. */
import { CODES, type Code } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import type { AdmitReply, Hello, Refused } from '../../model/messages.ts'
import type { CoreConfig } from '../config.ts'
import type { EffectOf } from '../effects.ts'
import type { EventOf, Now, RequestId } from '../events.ts'
import type { Journey } from '../journey.ts'
import type { RootRun } from '../roots/run.ts'
import { isAdmitted, type Session } from '../session.ts'
import type { Step } from '../step.ts'

export type AfterRefusal = Pick<EffectOf<'hangUp'>, 'retryAfterMs' | 'judged'>
export const JUDGED: AfterRefusal = { judged: true }

/** Of our own requests at most one is out. */
export type Asked = 'open' | 'root' | 'fork' | 'refuse' | 'hello'

export interface Link {
  session: Session
  deadlineMonoMs: number
  /** It had a moment more, as this host stood still. */
  wasExcused: boolean
  /** When it last asked for something of publishing, by which it is kept. */
  publishedMonoMs: number | undefined
  asked: { readonly id: RequestId; readonly what: Asked } | undefined
  /** The other's newest root, once open was exchanged. */
  theirs: { readonly version: number; readonly digest: string } | undefined
  run: RootRun | 'ended' | undefined
  /** Greatest `since` served: roots that go out renew the deadline only while they advance. */
  served: number
  forkSent: boolean
  forkTaken: boolean
  /** The dialler's hello, held while our own run goes on. */
  held: { readonly id: RequestId; readonly hello: Hello } | undefined
  /** What we refuse the other for, until it has heard so. */
  refusing: { readonly code: Code; readonly text: string } | undefined
}

export function newLink(event: EventOf<'connected'>, sinceMonoMs: number, deadlineMonoMs: number): Link {
  const { peer, direction, address, ownHost } = event
  return {
    session: { peer, direction, address, ownHost, sinceMonoMs, hello: undefined },
    deadlineMonoMs,
    wasExcused: false,
    publishedMonoMs: undefined,
    asked: undefined,
    theirs: undefined,
    run: undefined,
    served: 0,
    forkSent: false,
    forkTaken: false,
    held: undefined,
    refusing: undefined,
  }
}

/**
 * Whether it has time yet. Where this is asked much later than its deadline this host stood still, and what it said lies unread:
 * it has a moment more, once.
 */
export function hasTime(link: Link, monoMs: number, { repairMs }: Limits): boolean {
  if (!link.wasExcused && monoMs - link.deadlineMonoMs > repairMs) {
    link.wasExcused = true
    link.deadlineMonoMs = monoMs + repairMs
  }
  return monoMs < link.deadlineMonoMs
}

export function reply(step: Step, id: RequestId, message: AdmitReply): void {
  step.emit({ kind: 'reply', id, reply: { protocol: 'admit', message } })
}

export const refusal = (code: Code, text: string, retryAfterMs?: number): Refused => ({
  type: 'refused',
  code,
  text,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
})

/** What a peer refuses us for stands in our log under its own code, where that is one of admission. */
export const codeHeard = (code: string): Code =>
  code.startsWith('ADMIT_') && (CODES as readonly string[]).includes(code) ? (code as Code) : 'ADMIT_REFUSED'

/** What its refusal means for the next dial; nothing where it has no time for us now. */
export const afterRefusal = (code: string, retryAfterMs: number | undefined): AfterRefusal => {
  if (retryAfterMs !== undefined) return { retryAfterMs }
  return code.startsWith('ADMIT_') ? JUDGED : {}
}

export const textHeard = ({ code, text }: { readonly code: string; readonly text: string }): string =>
  `the peer refuses this node: ${code}: ${text}`

/**
 * Whoever has links enough needs no seed and few peers outside its region: a large fleet must not ask the few that there are
 * all the time.
 */
export const noRoomMs = (
  isSeed: boolean,
  region: string,
  otherRegion: string,
  { linkSwapMs, redialIdleMaxMs }: Limits,
): number => (isSeed || region !== otherRegion ? linkSwapMs : redialIdleMaxMs)

/** Whom it dialled and was admitted by lets this node go: another has its place there. Undefined: for something else. */
export const letGoForMs = (
  session: Session,
  code: string,
  { region, limits }: CoreConfig,
): number | undefined =>
  code === 'ADMIT_REFUSED' && session.direction === 'outbound' && isAdmitted(session)
    ? noRoomMs(session.hello.submit, region, session.hello.region, limits)
    : undefined

export const ownRoot = (journey: Journey) => ({
  version: journey.root().version,
  digest: journey.rootDigest(),
})

export const ownHello = (
  { chain, patterns, region, zone, submit }: CoreConfig,
  journey: Journey,
  { wallMs }: Now,
): Hello => ({
  type: 'hello',
  chain: chain(wallMs),
  patterns,
  region,
  zone,
  submit,
  heartbeats: journey.heartbeats(),
})

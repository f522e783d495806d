/** What every compared system does: bring each new payload from one origin to every subscriber. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Lab, Said } from './lab.ts'

export interface Running {
  /** Makes the payload of this number the newest: the whole file at `path`. */
  publish(seq: number, path: string): Promise<void>
  /** Everything said by the fleet's side so far. */
  said(): readonly Said[]
}

export interface System {
  readonly name: string
  /** How it was set up, for the reader of the figures. */
  readonly about: string
  /** Why it cannot run on this machine; undefined: it can. */
  missing(): string | undefined
  /** @param quick not until all is calm: what it costs has more of its beginnings in it */
  start(lab: Lab, subscribers: number, quick: boolean): Promise<Running>
}

/** A payload begins with its number in so many digits; the rest is random text, so nothing compresses it. */
export const SEQ_DIGITS = 8

export const seqOf = (payload: Uint8Array): number =>
  Number(Buffer.from(payload.subarray(0, SEQ_DIGITS)).toString('latin1'))

export const nowMs = (): number => performance.timeOrigin + performance.now()

/** The npm packages of bench/peers/package.json. */
export function npmPackage(name: string): string | undefined {
  try {
    import.meta.resolve(name)
    return undefined
  } catch {
    return `no ${name} here (npm ci --prefix bench/peers)`
  }
}

/** @throws Error when the deadline passes */
export async function until<T>(
  what: string,
  deadlineMs: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const endMs = performance.now() + deadlineMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs / 1000} s: ${what}`)
    await delay(20)
  }
}

/** Subscribers spread over a few processes: one process would make itself the bottleneck, one each would be a test of memory. */
export const PER_PROCESS = 25

export function shares(subscribers: number): readonly number[] {
  const processes = Math.ceil(subscribers / PER_PROCESS)
  return Array.from({ length: processes }, (_, at) =>
    at < processes - 1 ? PER_PROCESS : subscribers - PER_PROCESS * (processes - 1),
  )
}

export const readyOf = (said: readonly Said[]): number => Math.max(0, ...said.map(({ ready }) => ready ?? 0))

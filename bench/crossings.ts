/** How many payloads a release brought over each border, with what the fleet says idly and without it. */
import type { Crossings } from './border.ts'
import { type Spread, spread } from './spread.ts'

/** Bytes over each border meanwhile. */
export interface Stretch {
  readonly crossed: Crossings
  readonly tookMs: number
}

/** One release: before it, while nothing happens, and from just before it is made until every node runs it. */
export interface Round {
  readonly idle: Stretch
  readonly release: Stretch
}

export interface Payloads {
  readonly withIdle: Spread
  /** Less what is said idly in the same time. */
  readonly beyondIdle: Spread
}

/** By border, `from→to`. */
export interface OverBorders {
  readonly borders: Readonly<Record<string, Payloads>>
  /** Over all borders of a region into it. */
  readonly into: Readonly<Record<string, Payloads>>
}

const DIGITS = 3

export function since(before: Crossings, now: Crossings): Crossings {
  return new Map([...now].map(([border, bytes]) => [border, bytes - (before.get(border) ?? 0)]))
}

/** Over all borders of a region into it, of what is counted by border. */
export const intoRegion = (
  byBorder: Iterable<readonly [border: string, count: number]>,
  region: string,
): number => [...byBorder].reduce((sum, [border, count]) => (to(border) === region ? sum + count : sum), 0)

const to = (border: string): string => border.slice(border.indexOf('→') + 1)

/** @returns bytes a second over each border, over all these times together */
export function idleRates(stretches: readonly Stretch[]): ReadonlyMap<string, number> {
  const seconds = stretches.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1_000
  const names = new Set(stretches.flatMap(({ crossed }) => [...crossed.keys()]))
  const bytes = (border: string) =>
    stretches.reduce((sum, { crossed }) => sum + (crossed.get(border) ?? 0), 0)
  return new Map([...names].sort().map((border) => [border, bytes(border) / seconds]))
}

/**
 * Idle talk comes in bursts (a beacon, a heartbeat of each gateway), so that what one release has of it is held against
 * the mean before all of them, not against the seconds before this one.
 */
export function overBorders(rounds: readonly Round[], payloadBytes: number): OverBorders {
  const rates = idleRates(rounds.map(({ idle }) => idle))
  const names = [
    ...new Set([...rates.keys(), ...rounds.flatMap(({ release }) => [...release.crossed.keys()])]),
  ]
  const payloads = (borders: readonly string[]): Payloads => {
    const sum = (of: (border: string) => number) => borders.reduce((total, border) => total + of(border), 0)
    const crossed = rounds.map(({ release }) => sum((border) => release.crossed.get(border) ?? 0))
    const idle = rounds.map(({ release }) =>
      sum((border) => ((rates.get(border) ?? 0) * release.tookMs) / 1_000),
    )
    const inPayloads = (bytes: readonly number[]) =>
      spread(
        bytes.map((value) => value / payloadBytes),
        DIGITS,
      )
    return {
      withIdle: inPayloads(crossed),
      beyondIdle: inPayloads(crossed.map((bytes, at) => bytes - (idle[at] ?? 0))),
    }
  }
  const regions = [...new Set(names.map(to))].sort()
  return {
    borders: Object.fromEntries(names.sort().map((border) => [border, payloads([border])])),
    into: Object.fromEntries(
      regions.map((region) => [region, payloads(names.filter((name) => to(name) === region))]),
    ),
  }
}

/** Peers that are admitted, in as few words as a test needs. */
import type { AdmittedSession } from '../../../src/core/session.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { addressOf, type FakeJourney, peer } from '../core-peers/fakes.ts'

export interface LinkOptions {
  readonly submit?: boolean
  readonly region?: string
  readonly patterns?: readonly string[]
}

export function sessionOf(
  name: string,
  { submit = false, region = 'here', patterns = ['**'] }: LinkOptions = {},
) {
  return {
    peer: peer(name),
    direction: 'outbound',
    address: addressOf(peer(name)),
    ownHost: false,
    sinceMonoMs: 0,
    hello: {
      type: 'hello',
      chain: [],
      patterns: patterns as readonly Pattern[],
      region,
      zone: 'a',
      submit,
      heartbeats: [],
    },
  } as const satisfies AdmittedSession
}

export const link = (journey: FakeJourney, name: string, options?: LinkOptions): void =>
  void journey.links.set(peer(name), sessionOf(name, options))

/** Seeds that sign real beacons, and a node that hears what a test lets through. */

import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeBeacon, encodeBeaconPage } from '../../../src/codec/beacon.ts'
import { channelHash, sha256 } from '../../../src/codec/digest.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { createFreshness, type Freshness } from '../../../src/core/freshness.ts'
import type { ChannelFacts } from '../../../src/core/journey.ts'
import type { Beacon, BeaconEntry, Freshness as State } from '../../../src/model/beacon.ts'
import type { Channel, Digest, FleetId, Name, ReleaseId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { asked, Bench, hex, peer, rootOf } from './fakes.ts'

export const CHANNEL = 'shop/prod' as Channel
export const SEED = peer('seed')
export const MAX_AGE_MS = 120_000
export const EVERY_MS = 20_000

/** Two keys are enough for every case and costly to make. */
export const KEYS: readonly [PrivateKey, PrivateKey] = [
  generatePrivateKey('ed25519').key,
  generatePrivateKey('ed25519').key,
]

export const rootWith = (keys: readonly PrivateKey[], version = 1): TrustRoot =>
  rootOf(version, {
    keys: new Map(keys.map((key) => [key.id, key.public])),
    freshness: { keys: keys.map(({ id }) => id).sort(), maxAgeS: MAX_AGE_MS / 1_000, maxSkewS: 60 },
  })

export const factsAt = (counter: number, channel = CHANNEL): ChannelFacts => {
  const release = hex(String(counter % 10)) as string as ReleaseId
  return {
    channel,
    stored: true,
    floor: {
      fleet: hex('f') as FleetId,
      channel,
      top: { epoch: 1, counter, publisher: 'ops' as Name },
      ids: [release],
    },
    epoch: 1,
    held: false,
    target: release,
    heads: [],
    active: undefined,
    durable: true,
  }
}

export const entryAt = (counter: number, channel = CHANNEL): BeaconEntry => ({
  channel: channelHash(channel),
  top: { epoch: 1, counter, publisher: 'ops' as Name },
  target: hex(String(counter % 10)) as string as ReleaseId,
})

export interface Said {
  readonly envelope: Uint8Array
  readonly page: Uint8Array
  readonly digest: Digest
}

/** A beacon with one page. */
export function beaconOf(
  key: PrivateKey,
  at: number,
  entries: readonly BeaconEntry[],
  more: Partial<Beacon> = {},
): Said {
  const page = encodeBeaconPage(entries)
  const digest = sha256(page)
  const fleet = hex('f') as FleetId
  const beacon: Beacon = { v: 1, critical: [], fleet, root: 1, key: key.id, at, pages: [digest], ...more }
  return { envelope: encodeEnvelope(signEnvelope('beacon', encodeBeacon(beacon), [key])), page, digest }
}

/** A node that hears beacons and gets their pages from a seed, while it may. */
export class Listener {
  readonly bench: Bench
  readonly freshness: Freshness
  /** Pages that can be had. */
  readonly pages = new Map<Digest, Uint8Array>()

  constructor(root: TrustRoot, more: ConstructorParameters<typeof Bench>[0] = {}) {
    this.bench = new Bench({ patterns: ['shop/**' as never], ...more })
    this.bench.journey.current = root
    this.bench.link(SEED, {}, { submit: true })
    this.freshness = createFreshness(this.bench.config)
  }

  start(beacons: readonly Uint8Array[] = []): Effect[] {
    const snapshot = {
      roots: [],
      floors: [],
      floorLost: false,
      channels: [],
      envelopes: [],
      whole: [],
      blocks: new Set<Digest>(),
      beacons: beacons.map((envelope) => ({ key: KEYS[0].id, at: 0, envelope })),
      leases: [],
      peers: [],
      corrupt: 0,
    }
    return this.bench.run((step, journey) => {
      this.freshness.onStarted(step, journey, { kind: 'started', snapshot })
    })
  }

  adopt(root: TrustRoot): Effect[] {
    const { journey } = this.bench
    journey.older = [...journey.roots()]
    journey.current = root
    return this.bench.run((step) => this.freshness.onRoot(step, journey, root))
  }

  hear(said: Said): Effect[] {
    this.pages.set(said.digest, said.page)
    return this.bench.run((step, journey) => {
      this.freshness.onControl(step, journey, 'beacon', said.envelope, SEED)
    })
  }

  /** Time passes in steps of a second; requests for pages are answered from those that can be had. */
  pass(ms: number): Effect[] {
    const all: Effect[] = []
    for (let left = ms; left > 0; left -= 1_000) {
      this.bench.pass(Math.min(left, 1_000))
      const effects = this.bench.run((step, journey) => this.freshness.onTick(step, journey))
      all.push(...effects, ...this.#answer(effects))
    }
    return all
  }

  #answer(effects: readonly Effect[]): Effect[] {
    return asked(effects).flatMap(({ id, request }) => {
      if (request.protocol !== 'blocks' || request.message.type !== 'want') return []
      const bytes = this.pages.get(request.message.digest)
      const message = bytes === undefined ? ({ type: 'gone' } as const) : ({ type: 'block', bytes } as const)
      return this.bench.run((step, journey) => {
        this.freshness.onReply(step, journey, id, { protocol: 'blocks', message })
      })
    })
  }

  lacks(): boolean {
    let lacks = false
    this.bench.run((step, journey) => {
      lacks = this.freshness.lacks(step, journey)
    })
    return lacks
  }

  state(channel = CHANNEL): State {
    return this.freshness.state(channel, this.bench.journey, this.bench.now)
  }
}

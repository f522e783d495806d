/** What is asked of a simulated fleet. */
import { LIMITS } from '../../limits.ts'
import { type Regions, SAME_REGION_RTT_MS } from './regions.ts'
import { askedBitsPerSecond } from './store-pace.ts'

/** A share of the nodes with this link; the shares of a fleet add up to 1. */
export interface LinkClass {
  readonly share: number
  readonly upBitsPerSecond: number
  readonly downBitsPerSecond: number
}

export interface Failures {
  /** Share of the nodes that die silently, each at a drawn moment of the transfer. */
  readonly churn: number
  /** The gateway of rank 0 of every region dies silently: before a small release, in the middle of a large one. */
  readonly gateway: boolean
  /** The origin dies silently once it has sent this many payloads (`origin-death.ts`); of a small release once its first copies are out. */
  readonly originAfterPayloads?: number
  /** Chance for each gateway to take itself for one of another rank. */
  readonly wrongRank: number
}

export interface Question {
  /** Nodes beside the origin, spread evenly over the regions. */
  readonly nodes: number
  readonly regions: Regions
  /** Content of the release. */
  readonly bytes: number
  /** As they are: how much of them a slow store leaves unused is `store-pace.ts`'s. */
  readonly links: readonly LinkClass[]
  /** Gateways are any nodes, as the product elects them, or only those with the fastest uplink. */
  readonly gateways: 'any' | 'fastest'
  /** Of each region, in each direction. */
  readonly borderBitsPerSecond: number
  readonly failures: Failures
  /** Chance of a packet of up to 1,460 bytes to be lost. */
  readonly loss: number
  /** Of each node; `HOST` unless said. */
  readonly host?: Host
  /** All nodes are processes of this one; unless said each has a machine of its own. */
  readonly machine?: Machine
  /** What a node's store takes a second; unless said as much as any link brings. */
  readonly storeBytesPerSecond?: number
  readonly seed: number
}

/** What a node's CPU takes. */
export interface Host {
  /** To check and order a message before it is passed on: this, and an exponential part with this mean. */
  readonly hopMs: number
  readonly hopSpreadMs: number
  /** To check a block and write it. */
  readonly blockMs: number
}

/** What processes share, and what of its CPU a delivery takes: of all that senders, receiver and relays do for it. */
export interface Machine {
  readonly cores: number
  /** Of a release in one message. */
  readonly messageMs: number
  /** Of a release in blocks: each of them, the header and the manifest, too. */
  readonly blockMs: number
}

export const HOST: Host = { hopMs: 2, hopSpreadMs: 1, blockMs: 1 }

/** What one payload takes on the slowest link, or at what nodes ask for, or out of home's border for each region that home feeds. */
export function lineMs(payload: Payload): number {
  const { bytes, links, borderBitsPerSecond, regions } = payload
  const rates = links.flatMap(({ upBitsPerSecond, downBitsPerSecond }) => [
    upBitsPerSecond,
    downBitsPerSecond,
  ])
  const border = borderBitsPerSecond / Math.min(regions.names.length - 1, LIMITS.exportRegions)
  return (bytes * 8_000) / Math.min(border, askedBitsPerSecond(payload), ...rates)
}

type Payload = Pick<Question, 'bytes' | 'links' | 'borderBitsPerSecond' | 'regions' | 'storeBytesPerSecond'>

/** About how long a release is on its way, in blocks: what dies meanwhile dies within it. At least a round trip. */
export const transferMs = (question: Payload): number =>
  Math.max(lineMs(question), SAME_REGION_RTT_MS, ...question.regions.rttMs.flat())

const GBIT = 1e9
export const EQUAL_LINKS: readonly LinkClass[] = [
  { share: 1, upBitsPerSecond: GBIT, downBitsPerSecond: GBIT },
]
/** Half at 1 Gbit/s, three tenths at 500 Mbit/s, the rest at 200. */
export const MIXED_LINKS: readonly LinkClass[] = [
  { share: 0.5, upBitsPerSecond: GBIT, downBitsPerSecond: GBIT },
  { share: 0.3, upBitsPerSecond: 0.5 * GBIT, downBitsPerSecond: 0.5 * GBIT },
  { share: 0.2, upBitsPerSecond: 0.2 * GBIT, downBitsPerSecond: 0.2 * GBIT },
]
export const BORDER_BITS_PER_SECOND = 10 * GBIT
export const LOSS = 0.001
export const NO_FAILURES: Failures = { churn: 0, gateway: false, wrongRank: 0 }

/** A simulated fleet before anything happens: who is where, joined to whom, on what link. */
import { gatewaysFor } from '../../core/gateways/standing.ts'
import { LIMITS } from '../../limits.ts'
import { GOSSIP } from '../gossip.ts'
import { below, draw, PURPOSE } from './draw.ts'
import { joinAtRandom } from './graph.ts'
import type { LinkClass, Question } from './question.ts'
import { ZONES } from './regions.ts'
import { askedBitsPerSecond } from './store-pace.ts'

/** Connections of a node inside its region, and how many of them are links of the gossip mesh (gossipsub's D). */
export const CONNECTIONS = LIMITS.minDegree
export const MESH_DEGREE = GOSSIP.degree

/** Places for them, and behind them for a gateway's links to the other gateways of its region. */
export const PLACES = CONNECTIONS + LIMITS.maxGateways - 1

/** The origin hands a release to the first gateway of its own region before anyone else; the next ranks it only tells. */
const PUSHED_GATEWAYS = 1

/** The origin is node 0, in region 0; it stands beside the `nodes` that the question counts. */
export const ORIGIN = 0

export interface Fleet {
  /** The origin included. */
  readonly size: number
  readonly regions: number
  readonly regionOf: Uint8Array
  readonly zoneOf: Uint8Array
  /** Region r holds nodes firstOf[r] … firstOf[r + 1] − 1 (the origin apart). */
  readonly firstOf: Int32Array
  /** `PLACES` a node, −1 where empty; the first `MESH_DEGREE` are its mesh. */
  readonly neighbours: Int32Array
  /** The origin's own mesh, in its region: the first gateway before others. */
  readonly originMesh: Int32Array
  /** By region, in the order of rank. */
  readonly gateways: readonly (readonly number[])[]
  readonly upNsPerByte: Float64Array
  /** Of what comes to a node: its link, or what it asks for where its store is slower. */
  readonly downNsPerByte: Float64Array
  /** Of its link alone. */
  readonly linkDownNsPerByte: Float64Array
}

export function buildFleet(question: Question): Fleet {
  const { nodes, regions, links, gateways: stand, seed } = question
  const size = nodes + 1
  const count = regions.names.length
  const firstOf = Int32Array.from({ length: count + 1 }, (_, r) => 1 + Math.floor((nodes * r) / count))
  const regionOf = new Uint8Array(size)
  const zoneOf = new Uint8Array(size)
  const upNsPerByte = new Float64Array(size)
  const downNsPerByte = new Float64Array(size)
  const linkDownNsPerByte = new Float64Array(size)
  for (let region = 0; region < count; region++) regionOf.fill(region, firstOf[region], firstOf[region + 1])
  const mostDown = askedBitsPerSecond(question)
  const fastest = links.reduce((best, link) => (link.upBitsPerSecond > best.upBitsPerSecond ? link : best))
  for (let node = 0; node < size; node++) {
    zoneOf[node] = below(draw(seed, node, PURPOSE.zone, 0), ZONES)
    // The origin has the best link there is: it is the one that the fleet's owner chose.
    const link = node === ORIGIN ? fastest : classOf(links, draw(seed, node, PURPOSE.link, 0))
    upNsPerByte[node] = 8e9 / link.upBitsPerSecond
    linkDownNsPerByte[node] = 8e9 / link.downBitsPerSecond
    downNsPerByte[node] = 8e9 / Math.min(link.downBitsPerSecond, mostDown)
  }
  const neighbours = new Int32Array(size * PLACES).fill(-1)
  const gateways: number[][] = []
  for (let region = 0; region < count; region++) {
    const first = firstOf[region] as number
    const members = (firstOf[region + 1] as number) - first
    const places = { neighbours, stride: PLACES }
    joinAtRandom({ ...places, from: 0, to: MESH_DEGREE }, first, members, seed)
    joinAtRandom({ ...places, from: MESH_DEGREE, to: CONNECTIONS }, first, members, seed)
    const best = upNsPerByte.subarray(first, first + members).reduce((a, b) => Math.min(a, b), Infinity)
    const mayStand = (node: number): boolean => stand === 'any' || upNsPerByte[node] === best
    const standing = gatewaysFor(members, LIMITS)
    gateways.push(chosen(seed, first, members, standing, PURPOSE.gateway, region, mayStand))
    linkAll(neighbours, gateways.at(-1) ?? [])
  }
  const others = chosen(seed, 1, (firstOf[1] as number) - 1, MESH_DEGREE, PURPOSE.order, -1)
  const pushed = (gateways[0] ?? []).slice(0, PUSHED_GATEWAYS)
  const mesh = [...pushed, ...others.filter((node) => !pushed.includes(node))].slice(0, MESH_DEGREE)
  const originMesh = Int32Array.from(mesh)
  return {
    ...{ size, regions: count, regionOf, zoneOf, firstOf, neighbours, originMesh, gateways },
    ...{ upNsPerByte, downNsPerByte, linkDownNsPerByte },
  }
}

/** Gateways keep links to one another. */
function linkAll(neighbours: Int32Array, gateways: readonly number[]): void {
  for (const gateway of gateways) {
    const places = neighbours.subarray(gateway * PLACES, (gateway + 1) * PLACES)
    const others = gateways.filter((peer) => peer !== gateway && !places.includes(peer))
    places.set(others, CONNECTIONS)
  }
}

function classOf(links: readonly LinkClass[], drawn: number): LinkClass {
  let share = 0
  for (const link of links) {
    share += link.share * 0x1_0000_0000
    if (drawn < share) return link
  }
  return links.at(-1) as LinkClass
}

/** `count` different ones of those of `members` nodes from `first` on that fit, or all of them. */
function chosen(
  seed: number,
  first: number,
  members: number,
  count: number,
  purpose: number,
  of: number,
  fits: (node: number) => boolean = () => true,
): number[] {
  const all: number[] = []
  // Enough draws to meet everyone of a small region.
  for (let n = 0; all.length < Math.min(count, members) && n < members * 20; n++) {
    const node = first + below(draw(seed, of, purpose, n), members)
    if (fits(node) && !all.includes(node)) all.push(node)
  }
  return all
}

/** Where a node keeps this peer among its neighbours; −1 where it does not. */
export function placeOf({ neighbours }: Fleet, node: number, peer: number): number {
  for (let at = node * PLACES; at < (node + 1) * PLACES; at++) if (neighbours[at] === peer) return at
  return -1
}

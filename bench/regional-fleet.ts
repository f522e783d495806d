/** A fleet of real processes: on one network, or in regions, each node behind a border of its own. */
import { freePort } from '../src/cli/demo/free-port.ts'
import type { InitResult, RealFleet, RealNode } from '../test/e2e/real-fleet.ts'
import { Border } from './border.ts'

/** One way between two regions: a round trip of 80 ms, as across an ocean. */
export const BORDER_MS = 40
/** Processes that start at once; more would only wait for the cores. */
const STARTS_AT_ONCE = 3

export interface Shape {
  /** Beside the one seed. */
  readonly nodes: number
  readonly regions: number
}

/** Where a node of several regions is. */
export interface Place {
  readonly region: string
  /** It listens there, and its border counts by it. */
  readonly port: number
}

export interface StartedFleet {
  readonly init: InitResult
  readonly seed: RealNode
  /** The seed first. */
  readonly nodes: readonly RealNode[]
  /** Undefined where there is one region. */
  readonly border: Border | undefined
  /** By the name of the node. */
  readonly places: ReadonlyMap<string, Place>
  /** A node that has ended, with the same data, key and address. */
  again(name: string): Promise<RealNode>
}

export const regionName = (index: number): string => `region-${index + 1}`

export async function start(fleet: RealFleet, shape: Shape): Promise<StartedFleet> {
  const init = await fleet.init('fleet', ['--channel', 'bench/*'])
  const border = shape.regions === 1 ? undefined : new Border(BORDER_MS)
  const places = new Map<string, Place>()
  /** At which its border listens. */
  const before = new Map<string, number>()
  let seedAddress = init.seedAddress
  const again = (name: string): Promise<RealNode> => {
    const isSeed = name === 'seed'
    const config = isSeed ? init.seedConfig : init.nodeConfig
    const place = places.get(name)
    if (place === undefined) return fleet.start(name, config, isSeed ? [] : fleet.own(name))
    const env = { CONFMESH_NODE_ANNOUNCE: `/ip4/127.0.0.1/tcp/${before.get(name)}` }
    const own = isSeed ? [] : fleet.own(name).slice(0, 2)
    const args = [...own, '--listen', `/ip4/127.0.0.1/tcp/${place.port}`, '--label', `region=${place.region}`]
    return fleet.start(name, config, isSeed ? args : [...args, '--seed', seedAddress], { env })
  }
  const launch = async (name: string, index: number): Promise<RealNode> => {
    if (border !== undefined) {
      const place = { region: regionName(index % shape.regions), port: await freePort() }
      places.set(name, place)
      before.set(name, await border.before(place.port, place.region))
    }
    return again(name)
  }
  const seed = await launch('seed', 0)
  seedAddress = seed.address
  const nodes = [seed]
  for (let at = 1; at <= shape.nodes; at += STARTS_AT_ONCE) {
    const count = Math.min(STARTS_AT_ONCE, shape.nodes - at + 1)
    const indices = Array.from({ length: count }, (_, i) => at + i)
    nodes.push(...(await Promise.all(indices.map((index) => launch(`node-${index}`, index)))))
  }
  return { init: { ...init, seedAddress }, seed, nodes, border, places, again }
}

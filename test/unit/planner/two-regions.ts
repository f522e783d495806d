/** Two regions of six nodes each, if not told otherwise, the origin's and one that it feeds, and the parts of the model that gateways go by. */

import { Entry } from '../../../src/sim/planner/entry.ts'
import { buildFleet } from '../../../src/sim/planner/fleet.ts'
import { Holdings } from '../../../src/sim/planner/holdings.ts'
import { FIRST_OF_MODEL, Network } from '../../../src/sim/planner/network.ts'
import { BORDER_BITS_PER_SECOND, EQUAL_LINKS, NO_FAILURES } from '../../../src/sim/planner/question.ts'
import { publishedRegions } from '../../../src/sim/planner/regions.ts'
import { Uploads } from '../../../src/sim/planner/uploads.ts'
import { Wheel } from '../../../src/sim/planner/wheel.ts'

export const KINDS = {
  sent: FIRST_OF_MODEL,
  want: FIRST_OF_MODEL + 1,
  turn: FIRST_OF_MODEL + 2,
  redirect: FIRST_OF_MODEL + 3,
  again: FIRST_OF_MODEL + 4,
  putOff: FIRST_OF_MODEL + 5,
}
export const BLOCK_BYTES = 262_144
const SEED = 1

export interface Said {
  readonly to: number
  readonly from: number
  readonly block: number
  readonly more: number
}

/** @param upBits of each node's uplink, a second */
export function twoRegions(blocks: number, upBits = 1e9, nodes = 12) {
  const question = {
    ...{
      nodes,
      regions: publishedRegions(['us-east-1', 'eu-west-1']),
      bytes: blocks,
      links: EQUAL_LINKS,
    },
    ...{ gateways: 'any' as const, borderBitsPerSecond: BORDER_BITS_PER_SECOND, failures: NO_FAILURES },
    ...{ loss: 0, seed: SEED },
  }
  const fleet = buildFleet(question)
  fleet.upNsPerByte.fill(8e9 / upBits)
  const wheel = new Wheel(1_000)
  const network = new Network(
    fleet,
    question,
    wheel,
    () => BLOCK_BYTES,
    () => {},
  )
  const holdings = new Holdings(fleet, blocks, SEED)
  const uploads = new Uploads(fleet, wheel, network, KINDS.sent)
  const entry = new Entry(fleet, blocks, SEED)
  const [home = [], away = []] = fleet.gateways
  /** What was said so since the last time. */
  const said = (kind: number): readonly Said[] => {
    const all: Said[] = []
    while (wheel.next())
      if (wheel.kind === kind) all.push({ to: wheel.a, from: wheel.b, block: wheel.c, more: wheel.d })
    return all
  }
  const parts = { fleet, wheel, network, holdings, uploads, entry }
  return { ...parts, parts, question, home: home as readonly number[], away: away as readonly number[], said }
}

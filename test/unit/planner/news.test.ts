import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { buildFleet } from '../../../src/sim/planner/fleet.ts'
import { Holdings } from '../../../src/sim/planner/holdings.ts'
import { FIRST_OF_MODEL, Network } from '../../../src/sim/planner/network.ts'
import { News } from '../../../src/sim/planner/news.ts'
import {
  BORDER_BITS_PER_SECOND,
  EQUAL_LINKS,
  NO_FAILURES,
  type Question,
} from '../../../src/sim/planner/question.ts'
import { publishedRegions } from '../../../src/sim/planner/regions.ts'
import { ticksOfMs } from '../../../src/sim/planner/ticks.ts'
import { Wheel } from '../../../src/sim/planner/wheel.ts'

const FLUSH = FIRST_OF_MODEL
const HAVE = FIRST_OF_MODEL + 1
const NODE = 1
const BLOCKS = 20

/** A node among two neighbours that have told it of every block: after how long it tells of each that it gets. */
function newsOf() {
  const question: Question = {
    ...{
      nodes: 3,
      regions: publishedRegions(['us-east-1']),
      bytes: BLOCKS,
      links: EQUAL_LINKS,
      gateways: 'any',
    },
    ...{ borderBitsPerSecond: BORDER_BITS_PER_SECOND, failures: NO_FAILURES, loss: 0, seed: 1 },
  }
  const fleet = buildFleet(question)
  const wheel = new Wheel(16)
  const network = new Network(
    fleet,
    question,
    wheel,
    () => 1,
    () => {},
  )
  const holdings = new Holdings(fleet, BLOCKS, 1)
  for (let block = 0; block < BLOCKS; block++) holdings.tell(NODE, 0, block)
  const news = new News({ fleet, wheel, network, holdings }, BLOCKS, { flush: FLUSH, have: HAVE })
  const toldAfter = (): number => {
    const from = wheel.tick
    while (wheel.next()) if (wheel.kind === FLUSH) break
    news.flush(NODE)
    return wheel.tick - from
  }
  const get = (block: number): void => {
    holdings.acquire(NODE, block)
    news.onBlock(NODE, block)
  }
  return { get, toldAfter }
}

test('a node that has the whole says so after 10 ms, however little is new', () => {
  const { get, toldAfter } = newsOf()
  for (let block = 0; block < BLOCKS - 2; block++) get(block)
  expect(toldAfter()).toBe(ticksOfMs(LIMITS.haveBatchMs))
  get(BLOCKS - 2)
  expect(toldAfter()).toBe(ticksOfMs(LIMITS.havePauseMs))
  get(BLOCKS - 1)
  expect(toldAfter()).toBe(ticksOfMs(LIMITS.haveBatchMs))
})

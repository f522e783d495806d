/** Random graphs of equal degree: the slowest node of a fleet is the one with too few neighbours. */
import { below, draw, PURPOSE } from './draw.ts'

/** Where a node's neighbours stand: `stride` places a node, −1 where empty; this graph fills those from `from` to `to`. */
export interface Places {
  readonly neighbours: Int32Array
  readonly stride: number
  readonly from: number
  readonly to: number
}

/**
 * Joins the nodes `first` … `first + members − 1` into a random graph: the union of random cycles, each of which gives
 * everyone two new neighbours; what a cycle wanted to join twice is made up for at the end among those who lack one.
 * An edge stands in these places at both its ends.
 */
export function joinAtRandom(places: Places, first: number, members: number, seed: number): void {
  const { from, to } = places
  const order = Int32Array.from({ length: members }, (_, at) => first + at)
  shuffle(order, seed, first, from)
  if (members <= to + 1) return joinAll(places, order)
  for (let cycle = from / 2; cycle < to / 2; cycle++) {
    shuffle(order, seed, first, cycle + 1)
    for (let at = 0; at < members; at++)
      join(places, order[at] as number, order[(at + 1) % members] as number)
  }
  joinLacking(places, first, members)
}

/** Too few for a random graph: everyone with those nearest on a ring, until the places are full. */
function joinAll(places: Places, order: Int32Array): void {
  const members = order.length
  for (let distance = 1; distance <= members / 2; distance++)
    for (let at = 0; at < members; at++)
      join(places, order[at] as number, order[(at + distance) % members] as number)
}

/** Two that are joined already, or one with itself, take an edge of others apart and go between. */
function joinLacking(places: Places, first: number, members: number): void {
  const { neighbours, stride, from, to } = places
  const lacking: number[] = []
  for (let node = first; node < first + members; node++)
    for (let at = from; at < to; at++) if (neighbours[node * stride + at] === -1) lacking.push(node)
  while (lacking.length > 1) {
    const a = lacking.shift() as number
    const at = lacking.findIndex((b) => join(places, a, b))
    const b = lacking.splice(Math.max(at, 0), 1)[0] as number
    if (at === -1) goBetween(places, first, members, a, b)
  }
}

function goBetween(places: Places, first: number, members: number, a: number, b: number): void {
  const { neighbours, stride, from, to } = places
  for (let step = 0; step < members; step++) {
    const x = first + ((a - first + 1 + step) % members)
    if (x === a || x === b || freePlace(places, a, x) < 0) continue
    for (let at = x * stride + from; at < x * stride + to; at++) {
      const y = neighbours[at] as number
      if (y === -1 || y === a || y === b || freePlace(places, b, y) < 0) continue
      neighbours[at] = -1
      neighbours[neighbours.indexOf(x, y * stride)] = -1
      join(places, a, x)
      join(places, b, y)
      return
    }
  }
}

/** Fisher–Yates; each cycle goes on from the order of the last. */
function shuffle(order: Int32Array, seed: number, first: number, cycle: number): void {
  for (let at = order.length - 1; at > 0; at--) {
    const other = below(draw(seed, first + at, PURPOSE.order, cycle), at + 1)
    const held = order[at] as number
    order[at] = order[other] as number
    order[other] = held
  }
}

function join(places: Places, a: number, b: number): boolean {
  if (a === b) return false
  const placeAtA = freePlace(places, a, b)
  const placeAtB = freePlace(places, b, a)
  if (placeAtA < 0 || placeAtB < 0) return false
  places.neighbours[placeAtA] = b
  places.neighbours[placeAtB] = a
  return true
}

/** −1 where there is none, or the two are joined, here or in earlier places. */
function freePlace({ neighbours, stride, from, to }: Places, node: number, other: number): number {
  for (let at = node * stride; at < node * stride + to; at++) {
    const there = neighbours[at] as number
    if (there === other) return -1
    if (there === -1 && at >= node * stride + from) return at
  }
  return -1
}

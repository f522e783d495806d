/** Random graphs of equal degree: the slowest node of a fleet is the one with too few neighbours. */
import { below, draw, PURPOSE } from './draw.ts'

/**
 * Joins the nodes `first` … `first + members − 1` into a random graph: the union of degree/2 random cycles, which gives
 * everyone two new neighbours each; what a cycle wanted to join twice is made up for at the end among those who lack one.
 * @param neighbours `degree` places a node, −1 where empty
 */
export function joinAtRandom(
  neighbours: Int32Array,
  first: number,
  members: number,
  degree: number,
  seed: number,
): void {
  if (members <= degree + 1) return joinAll(neighbours, first, members, degree)
  const order = Int32Array.from({ length: members }, (_, at) => first + at)
  for (let cycle = 0; cycle < degree / 2; cycle++) {
    shuffle(order, seed, first, cycle)
    for (let at = 0; at < members; at++)
      join(neighbours, degree, order[at] as number, order[(at + 1) % members] as number)
  }
  joinLacking(neighbours, first, members, degree)
}

function joinAll(neighbours: Int32Array, first: number, members: number, degree: number): void {
  for (let a = first; a < first + members; a++)
    for (let b = a + 1; b < first + members; b++) join(neighbours, degree, a, b)
}

/** Joins what is left over; two that are joined already, or one with itself, take an edge of others apart and go between. */
function joinLacking(neighbours: Int32Array, first: number, members: number, degree: number): void {
  const lacking: number[] = []
  for (let node = first; node < first + members; node++)
    for (let at = 0; at < degree; at++) if (neighbours[node * degree + at] === -1) lacking.push(node)
  while (lacking.length > 1) {
    const a = lacking.shift() as number
    const at = lacking.findIndex((b) => join(neighbours, degree, a, b))
    const b = lacking.splice(Math.max(at, 0), 1)[0] as number
    if (at === -1) goBetween(neighbours, first, members, degree, a, b)
  }
}

/** Only edges in the later half of both ends' places are taken apart: the earlier ones are the mesh. */
function goBetween(
  neighbours: Int32Array,
  first: number,
  members: number,
  degree: number,
  a: number,
  b: number,
): void {
  for (let step = 0; step < members; step++) {
    const x = first + ((a - first + 1 + step * 7) % members)
    if (x === a || x === b || freePlace(neighbours, degree, a, x) < 0) continue
    for (let at = x * degree + degree / 2; at < (x + 1) * degree; at++) {
      const y = neighbours[at] as number
      if (y === -1 || y === a || y === b) continue
      const back = neighbours.indexOf(x, y * degree)
      if (back < y * degree + degree / 2 || freePlace(neighbours, degree, b, y) < 0) continue
      neighbours[at] = -1
      neighbours[back] = -1
      join(neighbours, degree, a, x)
      join(neighbours, degree, b, y)
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

function join(neighbours: Int32Array, degree: number, a: number, b: number): boolean {
  if (a === b) return false
  const placeAtA = freePlace(neighbours, degree, a, b)
  const placeAtB = freePlace(neighbours, degree, b, a)
  if (placeAtA < 0 || placeAtB < 0) return false
  neighbours[placeAtA] = b
  neighbours[placeAtB] = a
  return true
}

/** −1 where there is none, or the two are joined. */
function freePlace(neighbours: Int32Array, degree: number, node: number, other: number): number {
  for (let at = node * degree; at < (node + 1) * degree; at++) {
    const there = neighbours[at] as number
    if (there === -1) return at
    if (there === other) return -1
  }
  return -1
}

/** What a gateway owes its region and others: whom it serves first, and whom it sends to another gateway. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { SELF } from '../core/fleet.ts'
import { hex, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'
import { server } from './server.ts'

const NEAR = ['A', 'B', 'C', 'D', 'E', 'F']
const FAR = { region: 'far' } as const

/** E and F are gateways as well; block a is here, and came from a seed. */
function gateway(submit = false, places = 1) {
  const node = server(submit, places)
  for (const name of NEAR) link(node.journey, name)
  for (const name of ['far', 'farther', 'farthest']) link(node.journey, name, FAR)
  node.journey.gatewaysOf.set('here', [SELF, peer('E'), peer('F')])
  node.journey.here.add(hex('a'))
  node.duty.broughtIn(hex('a'))
  return node
}

/** Blocks leave one each 100 ms, and nine that are here wait for other regions. */
function slow(node = gateway()) {
  for (let at = 0; at <= 10; at += 1) node.journey.here.add(hex(`far${at}`))
  node.want(100, 'far', hex('far0'))
  node.tick(100)
  for (let at = 1; at < 9; at += 1) node.want(100 + at, 'far', hex(`far${at}`))
  node.want(109, 'farther', hex('far9'))
  for (const name of ['x', 'y', 'z']) node.coming.add(hex(name))
  return node
}

test('what it brought in goes first to the gateway that asks for it first, however many wait', () => {
  const node = gateway()
  for (const [at, name] of ['A', 'B', 'C', 'D'].entries()) node.want(at, name)
  expect(node.want(4, 'E')).toEqual([])
  expect(node.want(5, 'F')).toEqual(['busy 5'])
  expect(node.served(0)).toEqual(['serve 4'])
  expect(node.served(4)).toEqual(['serve 1'])
})

test('but behind what other regions wait for', () => {
  const node = gateway()
  node.want(1, 'A')
  node.want(2, 'B')
  node.want(3, 'E')
  node.want(4, 'far')
  expect(node.served(1)).toEqual(['serve 4'])
  expect(node.served(4)).toEqual(['serve 3'])
  expect(node.served(3)).toEqual(['serve 2'])
})

test('nobody is let before the others for what it did not bring in, nor who is no gateway', () => {
  const node = gateway()
  node.journey.here.add(hex('b'))
  for (const [at, name] of ['A', 'B', 'C'].entries()) node.want(at, name, hex('b'))
  node.want(3, 'E', hex('b'))
  expect([1, 2, 3].map((id) => node.served(id - 1))).toEqual([['serve 1'], ['serve 2'], ['serve 3']])
  node.want(4, 'A', hex('b'))
  node.want(5, 'B')
  expect(node.served(3)).toEqual(['serve 4'])
})

test('one that is sent away has not got it: what was brought in is still owed', () => {
  const node = gateway()
  node.journey.here.add(hex('b'))
  for (const at of [0, 1, 2]) node.want(at, 'E', hex('b'))
  expect(node.want(3, 'E')).toEqual(['busy 3'])
  expect(node.duty.isToHandOn(hex('a'))).toBe(true)
})

test('and so is what waited in line for one that is gone, or that did not get it', () => {
  const node = gateway()
  node.want(0, 'A')
  node.want(1, 'E')
  node.gone(peer('E'))
  expect(node.duty.isToHandOn(hex('a'))).toBe(true)
  node.want(2, 'F')
  node.served(0)
  expect(node.duty.isToHandOn(hex('a'))).toBe(false)
  node.served(2, 0)
  expect(node.duty.isToHandOn(hex('a'))).toBe(true)
  node.want(3, 'F')
  expect(node.duty.isToHandOn(hex('a'))).toBe(false)
  node.tick(LIMITS.blockDeadlineMs)
  expect(node.duty.isToHandOn(hex('a'))).toBe(true)
})

test('where more waits for other regions than leaves in time, they ask another for what is not here yet', () => {
  const node = slow()
  expect(node.want(1, 'farther', hex('x'))).toEqual([])
  // The first one has taken 100 ms.
  expect(node.served(100)).toEqual(['serve 101'])
  expect(node.want(2, 'farthest', hex('y'))).toEqual([])
  node.want(110, 'farther', hex('far10'))
  expect(node.want(3, 'farthest', hex('z'))).toEqual(['busy 1', 'busy 2', 'busy 3'])
})

test('so they do where it is too much by what has just come', () => {
  const node = slow()
  node.served(100)
  expect(node.want(1, 'farthest', hex('x'))).toEqual([])
  node.coming.add(hex('w'))
  expect(node.want(2, 'farther', hex('w'))).toEqual([])
  expect(node.block(hex('w'))).toEqual(['busy 1'])
})

test('a pause between two blocks says nothing of how fast they leave', () => {
  const node = gateway()
  for (let at = 0; at <= 10; at += 1) node.journey.here.add(hex(`far${at}`))
  node.want(1, 'far', hex('far0'))
  node.served(1)
  node.tick(60_000)
  for (let at = 0; at < 10; at += 1) node.want(100 + at, at < 8 ? 'far' : 'farther', hex(`far${at}`))
  node.served(100)
  node.want(110, 'farther', hex('far9'))
  node.coming.add(hex('x'))
  expect(node.want(2, 'farthest', hex('x'))).toEqual([])
})

test('until nothing waits any more', () => {
  const node = slow()
  node.served(100)
  node.want(110, 'farther', hex('far10'))
  expect(node.want(1, 'farthest', hex('x'))).toEqual(['busy 1'])
  for (const id of [101, 102, 103, 104, 105, 106, 107, 108, 109]) node.served(id)
  for (const id of [111, 112]) node.want(id, 'far', hex('far1'))
  expect(node.want(2, 'farthest', hex('x'))).toEqual([])
})

test('or until those who waited have gone', () => {
  const node = slow()
  node.served(100)
  node.want(110, 'farther', hex('far10'))
  expect(node.want(1, 'farthest', hex('x'))).toEqual(['busy 1'])
  for (const name of ['far', 'farther']) node.gone(peer(name))
  for (const name of ['far', 'farther']) link(node.journey, name, FAR)
  for (const id of [111, 112]) node.want(id, 'far', hex('far1'))
  expect(node.want(2, 'farthest', hex('x'))).toEqual([])
})

test('nor does it how long another has held a place that reads nothing', () => {
  const node = gateway(false, 4)
  link(node.journey, 'dead', FAR)
  for (let at = 0; at <= 10; at += 1) node.journey.here.add(hex(`far${at}`))
  node.coming.add(hex('x'))
  node.want(1, 'dead', hex('far0'))
  node.tick(6_000)
  node.want(2, 'far', hex('far0'))
  node.served(2)
  for (let at = 0; at < 14; at += 1) node.want(10 + at, at < 8 ? 'far' : 'farther', hex(`far${at % 10}`))
  expect(node.want(99, 'farthest', hex('x'))).toEqual([])
})

test('what was not given says nothing of how fast blocks leave', () => {
  const node = slow()
  node.served(100)
  for (let at = 1; at <= 40; at += 1) {
    node.served(100 + at, 0)
    node.want(109 + at, at % 2 === 0 ? 'far' : 'farther', hex('far1'))
  }
  node.want(150, 'farther', hex('far10'))
  expect(node.want(1, 'farthest', hex('x'))).toEqual(['busy 1'])
})

test('whoever was put off by others already stays, and so does the own region', () => {
  const node = slow()
  node.served(100)
  node.want(110, 'farther', hex('far10'))
  expect(node.want(1, 'A', hex('x'))).toEqual([])
  expect(node.want(2, 'farthest', hex('x'), true)).toEqual([])
  expect(node.want(3, 'farthest', hex('y'))).toEqual(['busy 3'])
})

test('nobody is put off where the region has no other gateway, nor by a seed', () => {
  const alone = slow()
  alone.journey.gatewaysOf.set('here', [SELF])
  for (const node of [alone, slow(gateway(true))]) {
    node.served(100)
    node.want(110, 'farther', hex('far10'))
    expect(node.want(1, 'farthest', hex('x'))).toEqual([])
  }
})

test('what other regions wait for is known to whoever asks for blocks here, as long as they do', () => {
  const node = gateway()
  for (const name of ['x', 'y']) node.coming.add(hex(name))
  node.want(1, 'A', hex('x'))
  expect(node.duty.awaited).toEqual([])
  node.want(2, 'far', hex('x'))
  node.want(3, 'farther', hex('y'))
  expect(node.duty.awaited).toEqual([hex('x'), hex('y')])
  node.block(hex('x'))
  expect(node.duty.awaited).toEqual([hex('y')])
  node.gone(peer('farther'))
  expect(node.duty.awaited).toEqual([])
  node.want(4, 'far', hex('y'))
  node.tick(LIMITS.standMs)
  expect(node.duty.awaited).toEqual([])
})

test('at a seed what its own region waits for as well', () => {
  const node = gateway(true)
  node.coming.add(hex('x'))
  node.want(1, 'A', hex('x'))
  expect(node.duty.awaited).toEqual([hex('x')])
})

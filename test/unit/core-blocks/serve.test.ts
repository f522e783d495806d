import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { hex, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'
import { server } from './server.ts'

describe('serving blocks', () => {
  test('first come first served, one after another, and "busy" where four are queued', () => {
    const node = server()
    for (const name of ['A', 'B', 'C', 'D', 'E']) link(node.journey, name)
    node.journey.here.add(hex('a'))
    expect(node.want(1, 'A')).toEqual(['serve 1'])
    expect(node.want(2, 'B')).toEqual([])
    expect(node.want(3, 'C')).toEqual([])
    expect(node.want(4, 'D')).toEqual([])
    expect(node.want(5, 'E')).toEqual(['busy 5'])
    expect(node.served(1)).toEqual(['serve 2'])
    expect(node.want(6, 'E')).toEqual([])
    expect(node.served(2)).toEqual(['serve 3'])
  })

  test('what has left for another is told, and not what could not be given', () => {
    const node = server()
    for (const name of ['A', 'B']) link(node.journey, name)
    for (const digest of [hex('a'), hex('b')]) node.journey.here.add(digest)
    node.want(1, 'A', hex('a'))
    node.want(2, 'B', hex('b'))
    expect(node.left).toEqual([])
    node.served(1, 0)
    node.served(2)
    expect(node.left).toEqual([hex('b')])
  })

  test('who asks for a block that is here or comes takes it, and nobody who asks for or says anything else', () => {
    const node = server()
    for (const name of ['A', 'B', 'C', 'D']) link(node.journey, name)
    node.journey.here.add(hex('a'))
    node.coming.add(hex('b'))
    node.want(1, 'A', hex('a'))
    node.want(2, 'B', hex('b'))
    // such as a page of a beacon
    node.want(3, 'C', hex('c'))
    node.holds('D')
    expect([node.spoke, node.took].map((peers) => [...new Set(peers)])).toEqual([
      ['A', 'B', 'C', 'D'],
      ['A', 'B'],
    ])
  })

  test('whoever asks over a border goes before the region', () => {
    const node = server()
    for (const name of ['A', 'B']) link(node.journey, name)
    link(node.journey, 'far', { region: 'far' })
    node.journey.here.add(hex('a'))
    node.want(1, 'A')
    node.want(2, 'B')
    node.want(3, 'far')
    expect(node.served(1)).toEqual(['serve 3'])
    expect(node.served(3)).toEqual(['serve 2'])
  })

  test('whoever asks over a border waits in line where the region hears "busy", each with a bounded part of it', () => {
    const node = server()
    for (const name of ['A', 'B', 'C', 'D', 'E']) link(node.journey, name)
    for (const name of ['far', 'farther']) link(node.journey, name, { region: 'far' })
    node.journey.here.add(hex('a'))
    for (const [at, name] of ['A', 'B', 'C', 'D'].entries()) node.want(at, name)
    for (let id = 10; id < 10 + LIMITS.maxWantsPerSeed; id += 1) expect(node.want(id, 'far')).toEqual([])
    expect(node.want(30, 'far')).toEqual(['busy 30'])
    expect(node.want(31, 'farther')).toEqual([])
    expect(node.want(32, 'E')).toEqual(['busy 32'])
    expect(node.served(0)).toEqual(['serve 10'])
  })

  test('a want stands for what is on its way here, is met once that is durable, and is given back in time', () => {
    const node = server()
    link(node.journey, 'A')
    link(node.journey, 'B')
    expect(node.want(1, 'A')).toEqual(['gone 1'])
    node.coming.add(hex('a'))
    expect(node.want(2, 'A')).toEqual([])
    expect(node.block(hex('a'))).toEqual(['serve 2'])
    node.coming.add(hex('b'))
    expect(node.want(3, 'B', hex('b'))).toEqual([])
    expect(node.tick(LIMITS.standMs - 1)).toEqual([])
    expect(node.tick(LIMITS.standMs)).toEqual(['busy 3'])
  })

  test('at a seed one of its own region is given back before the asker takes the seed for silent', () => {
    const node = server(true)
    link(node.journey, 'A')
    link(node.journey, 'far', { region: 'far' })
    node.coming.add(hex('a'))
    expect([node.want(1, 'A'), node.want(2, 'far')]).toEqual([[], []])
    expect(node.tick(LIMITS.blockSilenceMs / 2 - 1)).toEqual([])
    expect(node.tick(LIMITS.blockSilenceMs / 2)).toEqual(['busy 1'])
    expect(node.tick(LIMITS.standMs - 1)).toEqual([])
    expect(node.tick(LIMITS.standMs)).toEqual(['busy 2'])
  })

  test('a want does not stand for what is asked of that very peer: each would wait for the other', () => {
    const node = server()
    for (const name of ['A', 'B']) link(node.journey, name)
    node.coming.add(hex('a'))
    node.ask(peer('A'))
    expect(node.want(1, 'A')).toEqual(['busy 1'])
    expect(node.want(2, 'B')).toEqual([])
    expect(node.block(hex('a'))).toEqual(['serve 2'])
  })

  test('what a peer waits for goes with it', () => {
    const node = server()
    for (const name of ['A', 'B']) link(node.journey, name)
    node.journey.here.add(hex('a'))
    node.want(1, 'A')
    node.want(2, 'B')
    node.gone(peer('B'))
    expect(node.served(1)).toEqual([])
  })

  test('a block whose end is never heard of holds its place for as long as a block may take', () => {
    const node = server()
    for (const name of ['A', 'B']) link(node.journey, name)
    node.journey.here.add(hex('a'))
    node.want(1, 'A')
    node.want(2, 'B')
    expect(node.tick(LIMITS.blockDeadlineMs)).toEqual(['serve 2'])
  })

  test('a seed gives a block once and sends the next one on, unless that was tried', () => {
    const node = server(true)
    for (const name of ['A', 'B']) link(node.journey, name)
    node.journey.here.add(hex('a'))
    expect(node.want(1, 'A')).toEqual(['serve 1'])
    expect(node.want(2, 'B')).toEqual(['redirect 2'])
    node.served(1)
    expect(node.want(3, 'B', hex('a'), true)).toEqual(['serve 3'])
  })

  test('a seed that has yet to get a block gives it once as well, to whoever asked first', () => {
    const node = server(true)
    for (const name of ['A', 'B', 'C']) link(node.journey, name)
    node.coming.add(hex('a'))
    for (const [at, name] of ['A', 'B', 'C'].entries()) expect(node.want(at, name)).toEqual([])
    expect(node.block(hex('a'))).toEqual(['serve 0', 'redirect 1', 'redirect 2'])
  })

  test('what a full line keeps from leaving a seed is not booked: the next to ask gets it', () => {
    const node = server(true)
    const last = hex('last')
    for (const name of ['B', 'C']) link(node.journey, name)
    node.journey.here.add(last)
    for (let at = 0; at < LIMITS.maxServedBySeed; at += 1) {
      link(node.journey, `P${at}`)
      node.journey.here.add(hex(`n${at}`))
      node.want(at, `P${at}`, hex(`n${at}`))
    }
    expect(node.want(100, 'B', last)).toEqual(['busy 100'])
    expect(node.served(0)).toEqual(['serve 1'])
    expect(node.want(101, 'C', last)).toEqual([])
    expect(node.want(102, 'B', last)).toEqual(['redirect 102'])
  })

  test('what waited in line at a seed for who is gone is not booked: the next to ask gets it, as often as that is', () => {
    const node = server(true)
    const last = hex('last')
    for (const name of ['A', 'C', 'D']) link(node.journey, name)
    for (const digest of [hex('a'), last]) node.journey.here.add(digest)
    expect(node.want(1, 'A')).toEqual(['serve 1'])
    for (let id = 10; id < 20; id += 2) {
      link(node.journey, 'B')
      for (const again of [id, id + 1]) expect(node.want(again, 'B', last, true)).toEqual([])
      node.gone(peer('B'))
      node.journey.links.delete(peer('B'))
    }
    link(node.journey, 'B')
    expect(node.want(2, 'C', last)).toEqual([])
    expect(node.want(3, 'D', last)).toEqual(['redirect 3'])
    expect(node.served(1)).toEqual(['serve 2'])
  })

  test('a block of which nothing left a seed is not booked: the next to ask gets it, as often as that is', () => {
    const node = server(true, 1, { seedExtraBytesPerSecond: 0 })
    node.journey.here.add(hex('a'))
    for (const id of [1, 2, 3, 4, 5]) {
      link(node.journey, `P${id}`)
      node.cold.add(id)
      expect(node.want(id, `P${id}`)).toEqual([`serve ${id}`])
      node.served(id, 0)
    }
    link(node.journey, 'A')
    expect(node.want(6, 'A')).toEqual(['serve 6'])
    expect(node.want(7, 'P1')).toEqual(['redirect 7'])
  })

  test.each([
    ['began to leave, which is one copy', false, ['serve 1', 'serve 2', 'busy 3']],
    ['was never read, which is none', true, ['serve 1', 'serve 2', 'serve 3']],
  ])('nor is one that was not taken in time, be it that it %s', (_, isCold, said) => {
    const node = server(true, 1, { seedExtraBytesPerSecond: 0 })
    node.journey.here.add(hex('a'))
    const first = [1, 2, 3].map((id) => {
      link(node.journey, `P${id}`)
      if (isCold) node.cold.add(id)
      const [word] = node.want(id, `P${id}`)
      node.standStill(id * LIMITS.blockDeadlineMs)
      return word
    })
    expect(first).toEqual(said)
  })

  test('of one that ended while it left the next to ask gets it, and the uplink is rationed all the same', () => {
    const node = server(true, 1, { seedExtraBytesPerSecond: 0 })
    node.journey.here.add(hex('a'))
    const said = [1, 2, 3].map((id) => {
      link(node.journey, `P${id}`)
      const [first] = node.want(id, `P${id}`)
      node.served(id, 0)
      return first
    })
    expect(said).toEqual(['serve 1', 'serve 2', 'busy 3'])
  })

  test('a seed that waited in line and is gone takes no booking of others along', () => {
    const given = (seeds: number) => {
      const node = server(true, 1, { seedExtraBytesPerSecond: LIMITS.maxBlockBytes })
      link(node.journey, 'A')
      node.journey.here.add(hex('a'))
      expect(node.want(1, 'A')).toEqual(['serve 1'])
      for (let at = 0; at < seeds; at += 1) {
        link(node.journey, `S${at}`, { submit: true })
        expect(node.want(2 + at, `S${at}`)).toEqual([])
        node.gone(peer(`S${at}`))
      }
      return Array.from({ length: 8 }, (_, at) => {
        link(node.journey, `P${at}`)
        node.tick(at * LIMITS.doubtMs)
        return node.want(100 + at, `P${at}`, hex('a'), true)
      }).filter(({ length }) => length === 0).length
    }
    expect([given(0), given(3)]).toEqual([2, 2])
  })

  test('whoever asks for more than it may, and reads none of it, keeps no neighbour from being served', () => {
    const node = server()
    for (const name of ['A', 'B']) link(node.journey, name)
    for (const digit of ['1', '2', '3', '4']) node.journey.here.add(hex(digit))
    expect(node.want(1, 'A', hex('1'))).toEqual(['serve 1'])
    expect(node.want(2, 'A', hex('2'))).toEqual([])
    expect(node.want(3, 'A', hex('3'))).toEqual(['busy 3'])
    expect(node.want(4, 'B', hex('4'))).toEqual([])
    expect(node.served(1)).toEqual(['serve 2'])
    expect(node.want(5, 'A', hex('3'))).toEqual([])
    expect(node.served(2)).toEqual(['serve 4'])
  })

  test('nor two places at once, at a seed, while others wait', () => {
    const node = server(true, 2)
    for (const name of ['A', 'B']) link(node.journey, name)
    for (const digit of ['1', '2', '3', '4']) node.journey.here.add(hex(digit))
    expect(node.want(1, 'A', hex('1'))).toEqual(['serve 1'])
    expect(node.want(2, 'A', hex('2'))).toEqual(['serve 2'])
    expect(node.want(3, 'A', hex('3'))).toEqual([])
    expect(node.want(4, 'B', hex('4'))).toEqual([])
    expect(node.served(1)).toEqual(['serve 4'])
    expect(node.served(2)).toEqual(['serve 3'])
  })

  test('the only way into a region may have all places but one', () => {
    const node = server(true, 3)
    link(node.journey, 'far', { region: 'far' })
    for (const name of ['A', 'B']) link(node.journey, name)
    for (const digit of ['1', '2', '3', '4', '5']) node.journey.here.add(hex(digit))
    for (const id of [1, 2]) expect(node.want(id, 'far', hex(`${id}`))).toEqual([`serve ${id}`])
    expect(node.want(3, 'A', hex('3'))).toEqual(['serve 3'])
    expect(node.want(4, 'B', hex('4'))).toEqual([])
    expect(node.want(5, 'far', hex('5'))).toEqual([])
    expect(node.served(1)).toEqual(['serve 5'])
    expect(node.served(3)).toEqual(['serve 4'])
  })

  test('strangers get nothing', () => {
    const node = server()
    node.journey.here.add(hex('a'))
    expect(node.want(1, 'nobody')).toEqual(['refused 1'])
  })
})

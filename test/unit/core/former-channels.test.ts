/** Floors outlive their subscription: what was stored before `channels` was changed must not keep out what is stored now. */
import { describe, expect, test } from 'vitest'
import { formerlyActive, inDoubt } from '../../../src/core/restore.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../../../src/core/snapshot.ts'
import type { Write } from '../../../src/core/writes.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Pattern, ReleaseId } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { floorOf, gossip, type Made, make, record } from './fleet.ts'

/** A node that stored so many channels before its subscription was changed. */
function nodeAfter(former: number, limits: Partial<Limits>): BenchNode {
  const node = new BenchNode({ patterns: ['app/now/*'] as Pattern[], limits: { ...LIMITS, ...limits } })
  const floor = floorOf(make({ clock: { alice: 1 } }))
  const channels = Array.from({ length: former }, (_, at) => `app/then/${at}` as Channel)
  node.start({ floors: channels.map((channel) => ({ ...floor, channel })) })
  return node
}

/** What the operator hears of a release for it. */
const full = (node: BenchNode, channel: string, counter = 1): string[] => {
  const effects = node.handle(
    gossip(make({ clock: { alice: counter }, header: { channel: channel as Channel } })),
  )
  return ofKind(effects, 'note').flatMap(({ code, text }) => (code === 'LIMIT_CHANNELS' ? [text] : []))
}
const stored = (node: BenchNode): string[] => node.view().channels.map(({ channel }) => channel)

test('they take no room of channels that have a subscription', () => {
  const node = nodeAfter(9, { maxChannels: 2 })
  expect([...full(node, 'app/now/a'), ...full(node, 'app/now/b')]).toEqual([])
  expect(full(node, 'app/now/c')).toEqual([
    '2 channels are stored here, the most allowed; this one is not (limits.maxChannels)',
  ])
  // The next release of one that is stored takes no further room, nor does one of a former channel give any.
  expect([...full(node, 'app/now/a', 2), ...full(node, 'app/then/0', 2)]).toEqual([])
  expect(full(node, 'app/now/c', 2)).toHaveLength(1)
  expect(stored(node)).toEqual(['app/now/a', 'app/now/b'])
})

test('they have a bound of their own, and the operator hears which', () => {
  const node = nodeAfter(3, { maxChannels: 2, maxFormerChannels: 3 })
  expect(full(node, 'app/now/a')).toEqual([
    '3 channels that were stored here keep their floors, the most allowed; this one is not stored (limits.maxFormerChannels)',
  ])
  expect(stored(node)).toEqual([])
  const room = nodeAfter(2, { maxChannels: 2, maxFormerChannels: 3 })
  expect(full(room, 'app/now/a')).toEqual([])
  expect(stored(room)).toEqual(['app/now/a'])
})

test('those that match again all stay, and the operator hears at start where they are more than may come in', () => {
  const started = (maxChannels: number) => {
    const limits = { ...LIMITS, maxChannels }
    const node = new BenchNode({ patterns: ['app/**'] as Pattern[], limits })
    const floor = floorOf(make({ clock: { alice: 1 } }))
    const channels = ['app/a/1', 'app/b/1', 'app/b/2'] as Channel[]
    const effects = node.start({ floors: channels.map((channel) => ({ ...floor, channel })) })
    expect(stored(node)).toEqual(channels)
    return ofKind(effects, 'note').flatMap(({ code, text }) => (code === 'LIMIT_CHANNELS' ? [text] : []))
  }
  expect(started(3)).toEqual([])
  expect(started(2)).toEqual([
    '3 channels that were stored here match again, more than may come in (limits.maxChannels: 2); all stay',
  ])
})

test('what was active and is not stored any longer is asked of the files, and told of once, where they show it', () => {
  const made = make({ clock: { alice: 1 } })
  const channels = ['app/now/a', 'app/then/a', 'app/then/b', 'app/then/c'] as Channel[]
  const active = { release: made.id, epoch: 1, activatedAt: 5, soaked: true }
  const records = channels.map((channel, at) => ({
    ...record([], at === 3 ? {} : { active }),
    channel,
  })) as never
  const patterns = ['app/now/*'] as Pattern[]
  const asked = formerlyActive({ ...EMPTY_SNAPSHOT, channels: records }, patterns)
  expect(asked).toEqual(['app/then/a', 'app/then/b'])
  const told = (shown: readonly Channel[]) => {
    const started = new BenchNode({ patterns }).start(
      { channels: records },
      new Map(shown.map((channel) => [channel, made.id])),
    )
    return ofKind(started, 'note').filter(({ code }) => code === 'ACTIVATE_LEFTOVER')
  }
  expect(told(channels.slice(0, 3))).toMatchObject([
    {
      level: 'warn',
      channel: 'app/then/a',
      text: expect.stringMatching(/^2 channels .* first app\/then\/a: /),
    },
  ])
  // In doubt, a stored one is asked, too.
  expect(told(channels.slice(0, 1))).toEqual([])
})

describe('what was active when its channel left the subscription', () => {
  const CAME = 'app/came/back' as Channel
  const of = (counter: number) =>
    make({ clock: { alice: counter }, text: `${counter}\n`, header: { channel: CAME } })
  const [then, next, good] = [of(2), of(3), of(1)]
  const left = ['app/now/*'] as Pattern[]
  const floor = { ...floorOf(then), channel: CAME }

  /** One life behind the other, each with what the one before wrote, and what files show by then. */
  class Lives {
    snapshot: Partial<Snapshot> = {
      floors: [floor, floor],
      envelopes: [envelopeOf(then), envelopeOf(good)],
      whole: [then.id, good.id],
      channels: [
        record([then.id], {
          channel: CAME,
          active: { release: then.id, epoch: 1, activatedAt: 5, soaked: true },
          lastGood: good.id,
          lastGoodEpoch: 1,
        }),
      ] as never,
    }

    start(patterns: readonly Pattern[], shown: ReleaseId | undefined, released: readonly Made[] = []) {
      const asked = new Set([...inDoubt({ ...EMPTY_SNAPSHOT, ...this.snapshot }), CAME])
      const files = new Map(shown === undefined ? [] : [...asked].map((channel) => [channel, shown]))
      const node = new BenchNode({ patterns })
      const effects = [...node.start(this.snapshot, files)]
      for (const made of released) effects.push(...node.run(gossip(made)))
      for (const { writes } of ofKind(effects, 'persist')) for (const write of writes) this.#write(write)
      return { node, begun: ofKind(effects, 'activate') }
    }

    #write(write: Write): void {
      const { floors = [], envelopes = [] } = this.snapshot
      if (write.kind === 'channel') this.snapshot = { ...this.snapshot, channels: [write.record] }
      if (write.kind === 'floor') this.snapshot = { ...this.snapshot, floors: floors.map(() => write.floor) }
      if (write.kind === 'envelope') this.snapshot = { ...this.snapshot, envelopes: [...envelopes, write] }
    }
  }
  const envelopeOf = ({ id, envelope }: Made) => ({ release: id, channel: CAME, bytes: envelope })
  const back = ['app/**'] as Pattern[]

  test('is not shown again where its files are gone and a newer one was accepted meanwhile', () => {
    const lives = new Lives()
    lives.start(left, then.id, [next])
    for (const again of [1, 2]) {
      const { node, begun } = lives.start(back, undefined)
      expect([again, begun]).toEqual([again, []])
      const [entry] = node.view().channels
      expect(entry).toMatchObject({ target: next.id, state: 'fetching', lastGood: undefined })
      expect(entry?.active).toBeUndefined()
      expect(entry?.history.map(({ id }) => id)).toEqual([then.id])
    }
    const { node } = lives.start(back, undefined)
    const whole = node.persist(node.persist(node.run(gossip(next, [next.page, next.block]))))
    expect(ofKind(whole, 'activate')).toMatchObject([{ release: next.id, previous: undefined }])
  })

  test('counts on, and its files are looked after, where they still show it', () => {
    const lives = new Lives()
    lives.start(left, then.id, [next])
    for (const shown of [then.id, undefined]) {
      // Once it is back, its files are put right whatever becomes of them.
      const { node, begun } = lives.start(back, shown)
      expect(begun).toMatchObject([{ release: then.id }])
      expect(node.view().channels).toMatchObject([{ active: { id: then.id }, lastGood: good.id }])
      expect(lives.snapshot.channels).toMatchObject([{ active: { left: undefined } }])
    }
  })

  test('comes back without files where nothing came after it', () => {
    const lives = new Lives()
    lives.start(left, then.id)
    lives.start(left, undefined)
    const { begun } = lives.start(back, undefined)
    expect(begun).toMatchObject([{ release: then.id }])
  })

  test('comes back without files where all that is newer was accepted before it left', () => {
    const lives = new Lives()
    lives.start(back, then.id, [next])
    lives.start(left, undefined)
    expect(lives.start(back, undefined).begun).toMatchObject([{ release: then.id }])
  })

  test('comes back without files where its epoch alone was raised meanwhile', () => {
    const lives = new Lives()
    lives.start(left, undefined)
    const raised = { ...floor, top: { epoch: 2, counter: 0, publisher: '' as const }, ids: [] }
    lives.snapshot = { ...lives.snapshot, floors: [raised, raised] }
    expect(lives.start(back, undefined).begun).toMatchObject([{ release: then.id }])
  })

  test('is restored, files or not, where its channel never left', () => {
    const lives = new Lives()
    lives.start(back, then.id, [next])
    expect(lives.start(back, undefined).begun).toMatchObject([{ release: then.id }])
  })
})

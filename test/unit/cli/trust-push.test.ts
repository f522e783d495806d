import { expect, test, vi } from 'vitest'
import { handOver, lineOf, pushToAll } from '../../../src/cli/trust-push.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { alsoRaised, renew } from '../../../src/trust/edit.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { ROOT, raised, rootBytes } from '../core/fleet.ts'
import { FakeSeed } from '../publish/fake-seed.ts'
import { key } from '../trust/fixtures.ts'

/** Beside another of its version. */
const THEIRS = renew(ROOT, ROOT.expires + 1_000)

function seedWith(name: string, ...roots: TrustRoot[]): FakeSeed {
  const seed = new FakeSeed(name)
  for (const root of roots) seed.roots.set(root.version, rootBytes(root))
  return seed
}
const bytes = (...roots: TrustRoot[]) =>
  roots.map((root) => ({ version: root.version, envelope: rootBytes(root) }))

test('A seed that refuses a root is named beside those that took it', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const [taking, refusing] = [new FakeSeed('a'), new FakeSeed('b')]
  refusing.next.set('root', [{ type: 'refused', code: 'LIMIT_RATE', text: 'too many' }])
  const roots = [{ version: 1, envelope: rootBytes(ROOT) }]
  expect(await pushToAll(roots, [taking, refusing])).toEqual({
    seeds: [{ peer: taking.peer, version: 1, adopted: 1 }],
    refused: [{ peer: refusing.peer, code: 'LIMIT_RATE' }],
  })
  expect(said).toHaveBeenCalledWith(expect.stringContaining('LIMIT_RATE'))
  said.mockRestore()
})

test('a root that raises an epoch says which channels it leaves without a release, once', async () => {
  const seed = new FakeSeed('a')
  seed.roots.set(1, rootBytes(ROOT))
  seed.channels = ['app/a', 'app/b'] as Channel[]
  const roots = [ROOT, raised(ROOT)].map((root) => ({ version: root.version, envelope: rootBytes(root) }))
  expect(await handOver(roots, [seed])).toMatchObject({
    seeds: [{ version: 2, adopted: 1 }],
    raised: ['**'],
    channels: ['app/a', 'app/b'],
  })
  expect(await handOver(roots, [seed])).toMatchObject({ seeds: [{ adopted: 0 }], raised: [], channels: [] })
})

test.each([
  ['in force', 'TRUST_ROOT_FORK', []],
  ['replaced', 'TRUST_ROOT_OLD', [renew(THEIRS, ROOT.expires + 2_000)]],
])(
  'where a seed has another root of the version, which is %s there, none is handed this one',
  async (_, code, newer) => {
    const [taking, seed] = [seedWith('a', ROOT), seedWith('b', ROOT, THEIRS, ...newer)]
    await expect(handOver(bytes(ROOT, raised(ROOT)), [taking, seed])).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/12D3KooWb has another root 2.*make the change again/),
    })
    expect([...taking.asked, ...seed.asked]).not.toContain('root')
  },
)

test('a root that one side of a fork would refuse is handed to neither, and the way out is named', async () => {
  const ours = raised(ROOT)
  const next = renew(ours, ROOT.expires + 2_000)
  const [a, b] = [seedWith('a', ROOT, ours), seedWith('b', ROOT, THEIRS)]
  await expect(pushToAll(bytes(ROOT, ours, next), [a, b])).rejects.toMatchObject({
    code: 'TRUST_ROOT_FORK',
    message: expect.stringMatching(/12D3KooWb has another root 2 .* root\.2\.json .* --raise '\*\*'/),
  })
  expect([...a.asked, ...b.asked]).not.toContain('root')
  const both = alsoRaised(next, ['**' as Pattern])
  expect(await pushToAll(bytes(ROOT, ours, both), [a, b])).toMatchObject({
    seeds: [{ version: 3 }, { version: 3, forked: 2 }],
    refused: [],
  })
})

test('a seed that no root can bring back any more keeps the others from none, and nobody is told to make one anew', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const two = raised(ROOT)
  const three = renew(two, ROOT.expires + 2_000)
  const roots = bytes(ROOT, two, three, renew(three, ROOT.expires + 3_000))
  const [a, b] = [seedWith('a', ROOT, THEIRS), seedWith('b', ROOT, two, three)]
  expect(await pushToAll(roots, [a, b])).toEqual({
    seeds: [{ peer: b.peer, version: 4, adopted: 1 }],
    refused: [{ peer: a.peer, code: 'TRUST_ROOT_FORK' }],
  })
  const text = said.mock.calls.join('')
  expect(text).toMatch(/12D3KooWa has another root 2 .* leave it out, and start it on an empty store/)
  expect(text).not.toContain('anew')
  await expect(pushToAll(roots, [a])).rejects.toMatchObject({ code: 'TRUST_ROOT_FORK' })
  expect(a.asked).not.toContain('root')
  said.mockRestore()
})

test('one with a line of its own keeps no other from what others have already, nor from what follows that', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const two = raised(ROOT)
  const three = renew(two, ROOT.expires + 2_000)
  const [theirThree, theirFour] = [renew(THEIRS, THEIRS.expires + 1), renew(THEIRS, THEIRS.expires + 2)]
  const four = renew(theirThree, theirFour.expires)
  const [fork, has, late] = [seedWith('a', ROOT, THEIRS), seedWith('b', ROOT, two), seedWith('c', ROOT)]
  expect(await pushToAll(bytes(ROOT, two), [fork, has, late])).toMatchObject({
    seeds: [
      { peer: has.peer, adopted: 0 },
      { peer: late.peer, adopted: 1 },
    ],
    refused: [{ peer: fork.peer, code: 'TRUST_ROOT_FORK' }],
  })
  const longer = seedWith('d', ROOT, THEIRS, theirThree, four)
  expect(await pushToAll(bytes(ROOT, two, three), [longer, has])).toMatchObject({
    seeds: [{ peer: has.peer, version: 3 }],
    refused: [{ peer: longer.peer }],
  })
  expect(said.mock.calls.join('')).toMatch(
    /12D3KooWd has other roots than the rest since version 1: leave it out/,
  )
  expect([...fork.asked, ...longer.asked]).not.toContain('root')
  said.mockRestore()
})

test('where no seed has what another refuses yet, it is handed to none', async () => {
  const two = raised(ROOT)
  const three = renew(two, ROOT.expires + 2_000)
  const roots = bytes(ROOT, two, three, renew(three, ROOT.expires + 3_000))
  const [a, b] = [seedWith('a', ROOT, THEIRS), seedWith('b', ROOT, two)]
  await expect(pushToAll(roots, [a, b])).rejects.toMatchObject({
    code: 'TRUST_ROOT_FORK',
    message: expect.stringMatching(/make root 3 \(and those after it\) anew with --raise '\*\*'; else leave/),
  })
  expect([...a.asked, ...b.asked]).not.toContain('root')
})

/** Copies the fleet's id, and signs itself. */
function forged(): Uint8Array {
  const stranger = key()
  const root = {
    ...renew(ROOT, ROOT.expires),
    keys: new Map([...ROOT.keys, [stranger.id, stranger.public] as const]),
    root: { keys: [stranger.id], threshold: 1 },
  }
  return encodeEnvelope(signEnvelope('root', encodeRoot(root), [stranger]))
}

test.each([
  ['that nobody of the fleet signed', 'TRUST_ROOT_UNAUTHORISED', new Map([[2, forged()]])],
  [
    'of another version than it was asked for',
    'NET_PROTOCOL',
    new Map([2, 3].map((version) => [version, rootBytes(ROOT)])),
  ],
])('a seed that shows a root %s keeps no other from the newest', async (_, code, shown) => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const [honest, hostile] = [seedWith('a', ROOT), seedWith('b', ROOT)]
  for (const [version, root] of shown) hostile.roots.set(version, root)
  const two = raised(ROOT)
  const three = renew(two, ROOT.expires + 1_000)
  expect(await pushToAll(bytes(ROOT, two, three), [hostile, honest])).toEqual({
    seeds: [{ peer: honest.peer, version: 3, adopted: 2 }],
    refused: [{ peer: hostile.peer, code }],
  })
  said.mockRestore()
})

test('a root that replaces another than the one kept here says so', () => {
  const pushed = { peer: new FakeSeed('a').peer, version: 3, adopted: 1 }
  expect(lineOf(pushed)).not.toContain('another')
  expect(lineOf({ ...pushed, forked: 2 })).toMatch(/is at root 3, 1 new; its root 2 was another/)
})

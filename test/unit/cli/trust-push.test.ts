import { expect, test, vi } from 'vitest'
import { handOver, lineOf, pushToAll } from '../../../src/cli/trust-push.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { alsoRaised, renew } from '../../../src/trust/edit.ts'
import { ROOT, raised, rootBytes } from '../core/fleet.ts'
import { FakeSeed } from '../publish/fake-seed.ts'

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

test('one that has another root of the version is refused, and nothing is said of epochs before', async () => {
  const seed = new FakeSeed('a')
  const theirs = renew(ROOT, ROOT.expires + 1_000)
  for (const root of [ROOT, theirs]) seed.roots.set(root.version, rootBytes(root))
  const roots = [ROOT, raised(ROOT)].map((root) => ({ version: root.version, envelope: rootBytes(root) }))
  await expect(handOver(roots, [seed])).rejects.toMatchObject({ code: 'TRUST_ROOT_FORK' })
  const [taking, said] = [new FakeSeed('b'), vi.spyOn(process.stderr, 'write').mockReturnValue(true)]
  taking.roots.set(1, rootBytes(ROOT))
  expect(await handOver(roots, [seed, taking])).toMatchObject({
    seeds: [{ peer: taking.peer, adopted: 1 }],
    refused: [{ peer: seed.peer, code: 'TRUST_ROOT_FORK' }],
    raised: ['**'],
  })
  said.mockRestore()
})

test('a root that one side of a fork would refuse is handed to neither, and the way out is named', async () => {
  const [ours, theirs] = [raised(ROOT), renew(ROOT, ROOT.expires + 1_000)]
  const next = renew(ours, ROOT.expires + 2_000)
  const seedWith = (name: string, second: TrustRoot) => {
    const seed = new FakeSeed(name)
    for (const root of [ROOT, second]) seed.roots.set(root.version, rootBytes(root))
    return seed
  }
  const bytes = (...roots: TrustRoot[]) =>
    roots.map((root) => ({ version: root.version, envelope: rootBytes(root) }))
  const [a, b] = [seedWith('a', ours), seedWith('b', theirs)]
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

test('a root that replaces another than the one kept here says so', () => {
  const pushed = { peer: new FakeSeed('a').peer, version: 3, adopted: 1 }
  expect(lineOf(pushed)).not.toContain('another')
  expect(lineOf({ ...pushed, forked: 2 })).toMatch(/is at root 3, 1 new; its root 2 was another/)
})

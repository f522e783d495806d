/** Rows 27, 30, 56 and 57: content that is wrong, missing, or promised and not kept. */
import { expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import type { Digest } from '../../src/model/ids.ts'
import type { AnyReply, AnyRequest } from '../../src/model/messages.ts'
import { corruptBlocks } from './kit/attacks.ts'
import type { MadeRelease } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

/** Gives what it is asked for, as `choose` has it. */
const serving =
  (choose: (digest: Digest) => Uint8Array | undefined) =>
  ({ protocol, message }: AnyRequest): AnyReply | undefined => {
    if (protocol !== 'blocks') return undefined
    if (message.type === 'have') return { protocol, message: { type: 'noted' } }
    if (message.type !== 'want') return undefined
    const bytes = choose(message.digest)
    return { protocol, message: bytes === undefined ? { type: 'gone' } : { type: 'block', bytes } }
  }
const honest = ({ content }: MadeRelease) => serving((digest) => content.get(digest))

test.each(['page', 'block'] as const)(
  'the %s of another release in its place is refused, and the right one taken elsewhere',
  async (what) => {
    const fleet = aFleet()
    const victim = await aVictim(fleet)
    const [one, two] = [
      fleet.release({ counter: 1, files: { 'app.yaml': 'one' } }),
      fleet.release({ counter: 2, files: { 'app.yaml': 'two' } }),
    ]
    const other = (what === 'page' ? one.pages[0] : one.blocks[0]) as Uint8Array
    const swapped = sha256((what === 'page' ? two.pages[0] : two.blocks[0]) as Uint8Array)
    const liar = await joined(fleet, victim)
    liar.answers = serving((digest) => (digest === swapped ? other : two.content.get(digest)))
    liar.announceBare(two)
    await victim.refusedAtLeast('BLOCK_DIGEST')
    expect(await victim.active()).toBeUndefined()
    const peer = await joined(fleet, victim)
    peer.answers = honest(two)
    peer.announceBare(two)
    await victim.runs(two)
  },
)

test('of three peers one gives corrupt bytes and one nothing at all: the third is asked', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { limits: { blockDeadlineMs: 1_000 } })
  const release = fleet.release()
  const [corrupt, silent, third] = [
    await joined(fleet, victim),
    await joined(fleet, victim),
    await joined(fleet, victim),
  ]
  corrupt.answers = corruptBlocks
  silent.answers = () => undefined
  third.answers = honest(release)
  const have = { type: 'have', release: release.id, channel: release.header.channel, whole: true } as const
  // first: after half a second in which nobody has it, anybody is asked
  await silent.ask('blocks', have)
  corrupt.announceBare(release)
  await silent.wasAsked('a block', ({ message }) => message.type === 'want')
  await corrupt.ask('blocks', have)
  await corrupt.wasAsked('a block', ({ message }) => message.type === 'want')
  await third.ask('blocks', have)
  await victim.runs(release)
  await victim.refusedAtLeast('BLOCK_DIGEST')
  await victim.refusedAtLeast('BLOCK_TIMEOUT')
})

test('a header whose content nobody has leaves what is active, and is said', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const first = fleet.release({ counter: 1 })
  peer.announce(first)
  await victim.runs(first)
  peer.answers = serving(() => undefined)
  const empty = fleet.release({ counter: 2 })
  peer.announceBare(empty)
  await peer.wasAsked('its content', ({ message }) => message.type === 'want')
  const said = async () => {
    const { state, active } = await victim.client.channel('pay/prod')
    return [state, active?.release]
  }
  expect(await said()).toEqual(['fetching', first.id])
  // half a minute without a single block
  await until('it is said', async () => (await victim.refused('FETCH_UNAVAILABLE')) > 0, 60_000)
  expect(await said()).toEqual(['fetching', first.id])
})

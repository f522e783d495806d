import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, Name } from '../../../src/model/ids.ts'
import { contentAtSeeds } from '../../../src/publish/content.ts'
import { type CounterMemory, noMemory } from '../../../src/publish/counter.ts'
import { type PublishOptions, publish } from '../../../src/publish/publish.ts'
import { commandSigner, keySigner } from '../../../src/publish/signer.ts'
import { make, WALL_MS } from '../core/fleet.ts'
import { ALICE, FakeSeed, headerOf, noUpload, publishing } from './fake-seed.ts'

/** What is to be published; its clock does not count. */
const wanted = make({ clock: { alice: 1 }, text: 'wanted' })
const [pageDigest, blockDigest] = [...wanted.content.keys()] as [Digest, Digest]

const options = (seed: FakeSeed, change: Partial<PublishOptions> = {}): PublishOptions =>
  publishing(wanted, seed, change)

const taken = (envelope?: Uint8Array) =>
  ({ type: 'refused', code: 'ORDER_PLACE_TAKEN', text: 'taken', ...(envelope && { envelope }) }) as const

function empty(): FakeSeed {
  const seed = new FakeSeed('a')
  seed.need = { pages: [pageDigest], blocks: [blockDigest] }
  return seed
}

test('Header first, then exactly what the seed lacks, then its word', async () => {
  const seed = empty()
  const done = await publish(options(seed))
  expect(seed.asked).toEqual(['state', 'channels', 'submit', 'page', 'block', 'await'])
  expect([...seed.blocks]).toEqual([pageDigest, blockDigest])
  expect(done).toMatchObject({ unchanged: false, acknowledgedBy: [seed.peer], files: 1 })
  expect(done.uploadedBytes).toBe(wanted.page.length + wanted.block.length)
  expect([...headerOf(seed.submitted).clock]).toEqual([['alice', 1]])
})

test('The clock counts on from verified releases of every seed reached; what does not verify counts for nothing', async () => {
  const [one, two] = [empty(), empty()]
  one.envelopes = [make({ clock: { alice: 3 } }).envelope]
  two.envelopes = [
    make({ clock: { alice: 4, bob: 5 }, publisher: 'bob' }).envelope,
    make({ clock: { alice: 99 }, signedBy: generatePrivateKey('ed25519').key }).envelope,
  ]
  await publish(options(one, { seeds: [one, two] }))
  expect([...headerOf(one.submitted).clock]).toEqual([
    ['alice', 6],
    ['bob', 5],
  ])
})

test('The same files again are unchanged while a seed holds them whole, unless --again', async () => {
  const seed = empty()
  seed.envelopes = [wanted.envelope]
  expect(await publish(options(seed))).toMatchObject({
    unchanged: true,
    release: wanted.id,
    uploadedBytes: 0,
  })
  expect(seed.submitted).toBeUndefined()
  seed.whole = false
  expect((await publish(options(seed))).unchanged).toBe(false)
  seed.whole = true
  expect((await publish(options(seed, { again: true }))).unchanged).toBe(false)
  expect((await publish(options(seed, { expires: WALL_MS + 1 }))).unchanged).toBe(false)
})

test('The same files of another publisher have to be signed: they count as his word', async () => {
  const seed = empty()
  seed.envelopes = [make({ clock: { bob: 1 }, publisher: 'bob', text: 'wanted' }).envelope]
  const done = await publish(options(seed))
  expect(done.unchanged).toBe(false)
  expect([...done.clock]).toEqual([
    ['alice', 2],
    ['bob', 1],
  ])
  expect(headerOf(seed.submitted)).toMatchObject({ publisher: 'alice', pages: [pageDigest] })
})

test('A manifest that goes on where another ends is another, whichever of them is the target', async () => {
  const one = wanted.release.header.pages
  const longer = [...one, ...make({ clock: { alice: 1 }, text: 'more' }).release.header.pages]
  for (const [target, pages] of [
    [one, longer],
    [longer, one],
  ] as const) {
    const seed = empty()
    seed.envelopes = [make({ clock: { alice: 1 }, text: 'wanted', header: { pages: target } }).envelope]
    const content = { ...options(seed).content, pages }
    expect((await publish(options(seed, { content }))).unchanged).toBe(false)
    expect(headerOf(seed.submitted).pages).toEqual(pages)
  }
})

test('A conflict is published over even by the same files', async () => {
  const seed = empty()
  seed.envelopes = [wanted.envelope, make({ clock: { bob: 1 }, publisher: 'bob', text: 'b' }).envelope]
  const done = await publish(options(seed, { publisher: 'alice' as Name }))
  expect(done.unchanged).toBe(false)
  expect([...done.clock]).toEqual([
    ['alice', 2],
    ['bob', 1],
  ])
})

test('A taken place is left to the other and the next one signed, a few times', async () => {
  const seed = empty()
  const other = make({ clock: { alice: 7 }, text: 'other' })
  seed.next.set('submit', [taken(other.envelope)])
  let asked = 0
  const done = await publish(options(seed, { confirm: async () => ++asked > 0 }))
  expect(done.clock.get('alice' as Name)).toBe(8)
  expect(asked).toBe(2)

  const busy = empty()
  busy.next.set(
    'submit',
    Array.from({ length: 9 }, (_, index) => taken(make({ clock: { alice: index + 1 } }).envelope)),
  )
  await expect(publish(options(busy))).rejects.toMatchObject({
    code: 'PUBLISH_COUNTER',
    message: expect.stringMatching(/^5 places, .*12D3KooWa.*; let the runs of alice wait for each other/),
    details: { seed: busy.peer },
  })
  expect(busy.asked.filter((type) => type === 'submit')).toHaveLength(LIMITS.counterTries)
})

test('A refusal that proves nothing has nothing else signed', async () => {
  const stranger = generatePrivateKey('ed25519').key
  const proofs = [
    undefined,
    make({ clock: { alice: 7 }, signedBy: stranger }).envelope,
    // True, and of a place before the one that was asked for.
    make({ clock: { alice: 6 } }).envelope,
  ]
  for (const proof of proofs) {
    const seed = empty()
    seed.envelopes = [make({ clock: { alice: 6 } }).envelope]
    seed.next.set('submit', [taken(proof)])
    const signed: number[] = []
    const confirm: PublishOptions['confirm'] = async ({ header }) =>
      signed.push(header.clock.get('alice' as Name) ?? 0) > 0
    await expect(publish(options(seed, { confirm }))).rejects.toMatchObject({ code: 'ORDER_PLACE_TAKEN' })
    expect(signed).toEqual([7])
  }

  const seed = empty()
  const { peer } = seed
  const echo: FakeSeed['ask'] = async (request) =>
    request.type === 'submit' ? taken(request.envelope) : seed.ask(request)
  let asked = 0
  const confirm = async () => ++asked > 0
  const echoing = options(seed, {
    seeds: [{ peer, ask: echo, askInOrder: noUpload, close: async () => {} }],
    confirm,
  })
  await expect(publish(echoing)).rejects.toMatchObject({ code: 'ORDER_PLACE_TAKEN' })
  expect(asked).toBe(1)
})

test('With --expect nothing else is signed: a taken place, or another target, is the answer', async () => {
  const seed = empty()
  const target = make({ clock: { alice: 1 }, text: 'target' })
  seed.envelopes = [target.envelope]
  await expect(publish(options(seed, { expect: '0'.repeat(8) }))).rejects.toMatchObject({
    code: 'PUBLISH_EXPECT',
  })
  await expect(publish(options(seed, { expect: 'none' }))).rejects.toMatchObject({ code: 'PUBLISH_EXPECT' })
  seed.next.set('submit', [taken()])
  const expect8 = target.id.slice(0, 8)
  await expect(publish(options(seed, { expect: expect8 }))).rejects.toMatchObject({
    code: 'ORDER_PLACE_TAKEN',
  })
  expect(seed.asked.filter((type) => type === 'submit')).toHaveLength(1)
})

test('What a seed knows to be stale is not signed anew by itself, whatever comes with its refusal', async () => {
  const seed = empty()
  const { envelope } = make({ clock: { alice: 7 }, text: 'newer' })
  seed.next.set('submit', [{ type: 'refused', code: 'ORDER_STALE', text: 'newer', envelope }])
  await expect(publish(options(seed))).rejects.toMatchObject({ code: 'ORDER_STALE' })
  expect(seed.asked.filter((type) => type === 'submit')).toHaveLength(1)
})

/** Every submission to a seed whose connections end `cuts` times before one of them comes through. */
function restarting(cuts: number): { seed: FakeSeed; submissions: Uint8Array[] } {
  const seed = Object.assign(empty(), { redial: async () => undefined })
  const submissions: Uint8Array[] = []
  const ask = seed.ask.bind(seed)
  seed.ask = async (request) => {
    if (request.type === 'submit') submissions.push(request.envelope)
    return ask(request)
  }
  const cut = () => new MeshError('NET_UNREACHABLE', 'cut')
  seed.next.set('submit', Array.from({ length: cuts }, cut))
  return { seed, submissions }
}

const AWAITED = { isAwaited: true, again: true, limits: { ...LIMITS, redialMinMs: 1 } }

test('A seed that restarts before it has a release that is awaited is brought the very same one', async () => {
  const { seed, submissions } = restarting(1)
  const signed: number[] = []
  const memory: CounterMemory = {
    ...noMemory,
    counter: () => signed.at(-1) ?? 0,
    record: async (_at, { counter }) => void signed.push(counter),
  }
  const done = await publish(options(seed, { ...AWAITED, memory }))
  expect(submissions).toHaveLength(2)
  expect(submissions[0]).toEqual(submissions[1])
  expect([signed, done.clock.get('alice' as Name), done.acknowledgedBy]).toEqual([[1], 1, [seed.peer]])
})

test('One that stays away has nothing else signed for it, and one that was handed another meanwhile has', async () => {
  const away = restarting(99)
  await expect(publish(options(away.seed, AWAITED))).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  expect(away.submissions.length).toBeGreaterThan(1)
  expect(new Set(away.submissions.map(String)).size).toBe(1)

  const { seed, submissions } = restarting(1)
  seed.next.get('submit')?.push(taken(make({ clock: { alice: 7 }, text: 'other' }).envelope))
  await publish(options(seed, AWAITED))
  expect(submissions.map((one) => headerOf(one).clock.get('alice' as Name))).toEqual([1, 1, 8])
})

test('A run that was cut off in its upload is gone on with: the same release but for its time is brought as it is', async () => {
  const target = make({ clock: { alice: 4 }, text: 'target' })
  const earlier = (header = {}, text = 'wanted') =>
    make({ clock: { alice: 5 }, text, header: { created: WALL_MS - 60_000, ...header } })
  const cutOff = earlier()
  for (const expected of [target.id.slice(0, 8), undefined]) {
    const seed = empty()
    seed.envelopes = [target.envelope]
    seed.next.set('submit', [taken(cutOff.envelope)])
    const recorded: unknown[] = []
    const record: CounterMemory['record'] = async (_at, { counter, release }) =>
      void recorded.push([counter, release])
    const done = await publish(options(seed, { expect: expected, memory: { ...noMemory, record } }))
    expect(done).toMatchObject({ release: cutOff.id, replaces: target.id, acknowledgedBy: [seed.peer] })
    expect(seed.submitted).toEqual(cutOff.envelope)
    expect([...seed.blocks]).toEqual([pageDigest, blockDigest])
    expect(recorded).toEqual([
      [5, expect.not.stringContaining(cutOff.id)],
      [5, cutOff.id],
    ])
  }
  const others = [
    earlier({}, 'other'),
    earlier({ message: 'other' }),
    earlier({ expires: WALL_MS + 1 }),
    make({ clock: { alice: 6 }, text: 'wanted' }),
  ]
  for (const { envelope } of others) {
    const seed = empty()
    seed.envelopes = [target.envelope]
    seed.next.set('submit', [taken(envelope)])
    await expect(publish(options(seed, { expect: target.id.slice(0, 8) }))).rejects.toMatchObject({
      code: 'ORDER_PLACE_TAKEN',
      message: expect.stringMatching(/with --expect nothing is signed behind it; .* 10 minutes/),
    })
    expect(seed.asked.filter((type) => type === 'submit')).toHaveLength(1)
  }
})

test('A run that was done is run again with the same --expect: nothing is replaced', async () => {
  const seed = empty()
  seed.envelopes = [wanted.envelope]
  for (const expected of ['0'.repeat(8), 'none'])
    expect(await publish(options(seed, { expect: expected }))).toMatchObject({
      unchanged: true,
      release: wanted.id,
    })
  await expect(publish(options(seed, { expect: 'none', again: true }))).rejects.toMatchObject({
    code: 'PUBLISH_EXPECT',
  })
  expect(seed.submitted).toBeUndefined()
})

test('A counter is remembered before its signature leaves; a lie of the memory is not undone by a silent seed', async () => {
  const seed = empty()
  const order: string[] = []
  const memory: CounterMemory = {
    ...noMemory,
    counter: () => 41,
    record: async (_at, { counter }) =>
      void order.push(`recorded ${counter}, submitted: ${seed.submitted !== undefined}`),
  }
  await publish(options(seed, { memory }))
  expect(order).toEqual(['recorded 42, submitted: false'])
})

test('Wrong keys, channels and too few keys are refused before anything is sent', async () => {
  const seed = empty()
  const stranger = keySigner(generatePrivateKey('ed25519').key)
  const refused = { code: 'TRUST_UNAUTHORISED' }
  await expect(publish(options(seed, { signers: [stranger] }))).rejects.toMatchObject(refused)
  await expect(publish(options(seed, { channel: 'else/where' as never }))).rejects.toMatchObject(refused)
  await expect(publish(options(seed, { signers: [], publisher: 'alice' as Name }))).rejects.toMatchObject(
    refused,
  )
  expect(seed.asked).toEqual([])
})

test('Saying no signs and sends nothing', async () => {
  const seed = empty()
  await expect(publish(options(seed, { confirm: async () => false }))).rejects.toMatchObject({
    code: 'PUBLISH_DECLINED',
  })
  expect(seed.submitted).toBeUndefined()
})

test('A release that the seed ordered below that of another publisher says so', async () => {
  for (const verdict of ['NEW', 'CONCURRENT'] as const) {
    const seed = empty()
    seed.next.set('await', [{ type: 'done', verdict, acknowledgedBy: [seed.peer] }])
    expect(await publish(options(seed))).toMatchObject({ verdict, unchanged: false })
  }
  const seed = empty()
  seed.envelopes = [wanted.envelope]
  expect(await publish(options(seed))).not.toHaveProperty('verdict')
})

test('A seed lost on the way is followed by the next one reached', async () => {
  const [gone, here] = [empty(), empty()]
  gone.next.set('page', [new MeshError('NET_UNREACHABLE', 'gone')])
  expect((await publish(options(gone, { seeds: [gone, here] }))).acknowledgedBy).toEqual([here.peer])
  expect(here.submitted).toEqual(gone.submitted)
})

test('A seed that asks for content nobody has any more: CONTENT_GONE', async () => {
  const seed = empty()
  const content = { ...options(seed).content, read: async () => undefined }
  await expect(publish(options(seed, { content }))).rejects.toMatchObject({ code: 'CONTENT_GONE' })
})

test('What only seeds hold goes to one that holds it whole, whichever was reached first', async () => {
  const old = make({ clock: { alice: 1 } })
  for (const answer of [
    { type: 'refused', code: 'FETCH_UNAVAILABLE', text: 'not submitted here' } as const,
    { type: 'noted' } as const,
    new MeshError('NET_TIMEOUT', 'silent'),
  ]) {
    const [lacking, holder] = [empty(), new FakeSeed('b')]
    lacking.next.set('await', [answer])
    const done = await publish(
      options(lacking, { content: contentAtSeeds(old.release), seeds: [lacking, holder], checkName: false }),
    )
    expect(done).toMatchObject({ acknowledgedBy: [holder.peer], uploadedBytes: 0 })
    // A submission there would stay open, and keep it from saying that it has the release from the mesh.
    expect(lacking.asked).toEqual(['state', 'await'])
    expect(holder.asked).toEqual(['state', 'await', 'submit', 'await'])
  }
})

test('A seed that has it, and a twin of it, is a holder: going back to one of two twins ends a hold', async () => {
  const old = make({ clock: { alice: 1 } })
  const [lacking, holder] = [empty(), new FakeSeed('b')]
  lacking.next.set('await', [{ type: 'refused', code: 'FETCH_UNAVAILABLE', text: 'not submitted here' }])
  holder.next.set('await', [{ type: 'refused', code: 'ORDER_EQUIVOCATION', text: 'held' }])
  const content = contentAtSeeds(old.release)
  await publish(options(lacking, { content, seeds: [lacking, holder], checkName: false }))
  expect(lacking.asked).toEqual(['state', 'await'])
  expect(holder.asked).toEqual(['state', 'await', 'submit', 'await'])
})

test('A signing command gets the bytes on stdin and gives the signature as base64; garbage is refused', async () => {
  const data = new TextEncoder().encode('DSSEv1 bytes')
  const sig = Buffer.from(ALICE.sign(data)).toString('base64')
  const signer = commandSigner(`cat >/dev/null; echo ${sig}`, LIMITS)
  expect(await signer.sign(data, [ALICE.public])).toMatchObject({ keyId: ALICE.id })
  for (const command of ['echo nonsense', 'exit 3', 'yes', 'kill $$'])
    await expect(commandSigner(command, LIMITS).sign(data, [ALICE.public])).rejects.toMatchObject({
      code: 'SIGN_FAILED',
    })
})

test('A signing command that does not end, or leaves its output open, is given up in time', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-signer-'))
  const file = join(dir, 'left')
  const endless = "trap '' TERM; while :; do :; done"
  const leaving = `sleep 600 & echo $! >'${file}'`
  try {
    // The second has by then written what is still to be ended.
    for (const [command, signTimeoutMs] of [[endless, 500] as const, [leaving, 3_000] as const])
      await expect(
        commandSigner(command, { ...LIMITS, signTimeoutMs }).sign(new Uint8Array(), [ALICE.public]),
      ).rejects.toMatchObject({
        code: 'SIGN_FAILED',
        message: expect.stringContaining(`had not ended and closed its output after ${signTimeoutMs} ms`),
      })
  } finally {
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
    rmSync(dir, { recursive: true })
  }
})

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { CarWriter } from '@ipld/car/writer'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { toCid } from '../../../src/codec/cid.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodePage } from '../../../src/codec/page.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { carBytes, type OpenedCar, openCar, writeCar } from '../../../src/publish/car.ts'
import { make } from '../core/fleet.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, open: vi.fn(real.open) }
})

let file = ''
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'confmesh-car-')), 'one.car')
})
afterEach(() => {
  vi.mocked(open).mockReset()
  rmSync(join(file, '..'), { recursive: true, force: true })
})

const made = make({ clock: { alice: 1 }, text: 'a=1\n' })

async function* blocks(of: Iterable<readonly [Digest, Uint8Array]> = made.content) {
  for (const [digest, bytes] of of) yield { digest, bytes }
}

async function joined(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}

async function write(of?: Iterable<readonly [Digest, Uint8Array]>): Promise<Buffer> {
  const bytes = await joined(writeCar(made.envelope, blocks(of)))
  writeFileSync(file, bytes)
  return bytes
}

test('A release goes into a CAR file and comes out the same', async () => {
  await write()
  const car = await openCar(file, LIMITS)
  expect(car.envelope).toEqual(made.envelope)
  expect(car.release.id).toBe(made.id)
  for (const [digest, bytes] of made.content) expect(await car.content.read(digest)).toEqual(bytes)
  expect(await car.content.read('0'.repeat(64) as Digest)).toBeUndefined()
  await car.close()
})

test('It is byte for byte what the library writes', async () => {
  const long = Buffer.alloc(LIMITS.maxBlockBytes, 'x')
  const content = [...made.content, [sha256(long), long] as const]
  const root = toCid(sha256(made.envelope))
  const { writer, out } = CarWriter.create([root])
  const put = async () => {
    await writer.put({ cid: root, bytes: made.envelope })
    for (const [digest, bytes] of content) await writer.put({ cid: toCid(digest), bytes })
    await writer.close()
  }
  const [bytes] = await Promise.all([joined(out), put()])
  expect(await write(content)).toEqual(bytes)
})

test('It is as long as is said before, for blocks of every size', async () => {
  // A length takes one byte up to 127, with the CID of 36, and two up to 16,383.
  for (const size of [1, 91, 92, 16_347, 16_348, LIMITS.maxBlockBytes]) {
    const block = Buffer.alloc(size, 'x')
    const content = [...made.content, [sha256(block), block] as const]
    const sizes = content.map(([, { length }]) => length)
    expect(carBytes(made.envelope, sizes)).toBe((await write(content)).length)
  }
})

test('What has been taken is held no longer, while more is written', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const given: WeakRef<Uint8Array>[] = []
  async function* many() {
    for (let at = 0; at < 1_000; at += 1) {
      const bytes = new Uint8Array(1_000).fill(at)
      given.push(new WeakRef(bytes))
      yield { digest: sha256(bytes), bytes }
    }
  }
  const car = writeCar(made.envelope, many())
  while (given.length < 500) await car.next()
  // what was looked at in a turn lives until its end
  await setImmediate()
  collectGarbage()
  expect(given.filter((one) => one.deref() !== undefined).length).toBeLessThan(10)
  expect((await car.next()).done).toBe(false)
})

/** The disk gives so many reads of the file, and then errors. */
async function failsAfter(reads: number): Promise<void> {
  const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  vi.mocked(open).mockImplementation(async (...args) => {
    const handle = await real.open(...args)
    const read = handle.read.bind(handle) as (...all: unknown[]) => Promise<never>
    let left = reads
    const failing = async (...all: unknown[]) => {
      left -= 1
      if (left < 0) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' })
      return read(...all)
    }
    return Object.assign(handle, { read: failing })
  })
}

test.each([0, 1, 2])(
  'A disk that errs after %i reads is no damaged file: the path is named',
  async (reads) => {
    await write()
    await failsAfter(reads)
    const all = async (): Promise<void> => {
      const car = await openCar(file, LIMITS)
      await car.check().finally(() => car.close())
    }
    await expect(all()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: `cannot read ${file}: EIO; look at the disk, or name a file on another`,
    })
  },
)

test('A changed byte anywhere is found, at the latest when it is read, and by the check of it all', async () => {
  const bytes = await write()
  for (let index = 0; index < bytes.length; index++) {
    const damaged = Buffer.from(bytes)
    damaged[index] = (damaged[index] ?? 0) ^ 0x01
    writeFileSync(file, damaged)
    const { read, check } = await judged()
    expect([index, read]).not.toEqual([index, 'same'])
    expect([index, check]).not.toEqual([index, 'whole'])
  }
}, 60_000)

test('The check finds a page or a block that is missing, and nothing in a whole file', async () => {
  await write()
  expect(await judged()).toEqual({ read: 'same', check: 'whole' })
  for (const missing of made.content.keys()) {
    await write([...made.content].filter(([digest]) => digest !== missing))
    expect(await judged()).toEqual({ read: 'missing', check: 'CODEC_MALFORMED' })
  }
})

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code)

/** `same`: everything of the release came out as it went in. `whole`: the check found nothing. */
async function judged(): Promise<{ read: string; check: string }> {
  let car: OpenedCar
  try {
    car = await openCar(file, LIMITS)
  } catch (error) {
    return { read: codeOf(error), check: codeOf(error) }
  }
  try {
    return {
      read: await readAll(car).catch(codeOf),
      check: await car.check().then(() => 'whole', codeOf),
    }
  } finally {
    await car.close()
  }
}

async function readAll({ content }: OpenedCar): Promise<string> {
  for (const digest of made.content.keys()) if ((await content.read(digest)) === undefined) return 'missing'
  return 'same'
}

test('What is no release as CAR says so, whatever its length claims', async () => {
  const whole = await write()
  const bad: [string, Uint8Array][] = [
    ['empty', new Uint8Array()],
    ['text', Buffer.from('not a car file at all, just text')],
    ['a header of 4 GiB', new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f])],
    ['cut', whole.subarray(0, 40)],
  ]
  for (const [name, bytes] of bad) {
    writeFileSync(file, bytes)
    expect([name, (await judged()).read]).toEqual([name, 'CODEC_MALFORMED'])
  }
  expect(readFileSync(file).length).toBe(40)
  for (const none of [`${file}.not-there`, join(file, '..')])
    await expect(openCar(none, LIMITS)).rejects.toMatchObject({ code: 'INPUT_PATH' })
})

/** A varint of 2^34. */
const HUGE = [0x80, 0x80, 0x80, 0x80, 0x40]
const CAR_V2 = Buffer.from('0aa16776657273696f6e02', 'hex')

test('A length in a hostile file has nothing gathered that is longer than what a release may hold', async () => {
  const whole = await write()
  const header = whole.subarray(0, 59)
  const bytes = 64 * 1024 * 1024
  const fixed = Buffer.alloc(40)
  fixed.writeBigUInt64LE(51n, 16)
  fixed.writeBigUInt64LE(BigInt(bytes), 24)
  const bad: [string, Uint8Array[]][] = [
    ['a digest of 16 GiB', [header, Uint8Array.of(0x7f, 0x01, 0x55, 0x12, ...HUGE)]],
    ['a section of 16 GiB', [header, Uint8Array.of(...HUGE), toCid(made.id as string as Digest).bytes]],
    [
      'a section of 128 MiB',
      [whole, Uint8Array.of(0x80, 0x80, 0x80, 0x40), toCid(made.id as string as Digest).bytes],
    ],
    ['a second header, of 16 GiB', [CAR_V2, fixed, Uint8Array.of(...HUGE)]],
  ]
  for (const [name, parts] of bad) {
    writeFileSync(file, Buffer.concat(parts))
    truncateSync(file, bytes)
    const held = await mostHeld(async () =>
      expect([name, (await judged()).read]).toEqual([name, 'CODEC_MALFORMED']),
    )
    expect([name, held < bytes / 4]).toEqual([name, true])
  }
})

async function mostHeld(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers
  let [most, isDone] = [before, false]
  const watching = (async () => {
    for (; !isDone; await setImmediate()) most = Math.max(most, process.memoryUsage().arrayBuffers)
  })()
  await work().finally(() => {
    isDone = true
  })
  await watching
  return most - before
}

test('A section that is shorter than its name is refused', async () => {
  const whole = await write()
  // Where such a section is taken to end, its name's last byte lies: the length of one more.
  const named = toCid(`${'0'.repeat(62)}24` as Digest).bytes
  const parts = [whole, Uint8Array.of(35), named, toCid(sha256(new Uint8Array())).bytes]
  writeFileSync(file, Buffer.concat(parts))
  expect(await judged()).toEqual({ read: 'CODEC_MALFORMED', check: 'CODEC_MALFORMED' })
})

test('Another version of the format is named as such', async () => {
  writeFileSync(file, Buffer.concat([CAR_V2, Buffer.alloc(40), await write()]))
  await expect(openCar(file, LIMITS)).rejects.toMatchObject({
    code: 'CODEC_MALFORMED',
    message: expect.stringContaining('CAR version 1'),
  })
})

test('What is wrong with the release or a page in it is said with the file, and what to name instead', async () => {
  const write = async (envelope: Uint8Array, of: Iterable<readonly [Digest, Uint8Array]> = []) => {
    writeFileSync(file, await joined(writeCar(envelope, blocks(of))))
  }
  const told = (reason: string) => ({
    code: 'CODEC_MALFORMED',
    message: expect.stringMatching(`^${file}: not a release as CAR: ${reason}.*; name a file that`),
  })
  await write(Buffer.from('junk'))
  await expect(openCar(file, LIMITS)).rejects.toMatchObject(told('cbor'))
  const page = Buffer.from('no page')
  const lying = make({ clock: { alice: 1 }, header: { pages: [sha256(page)] } })
  await write(lying.envelope, [[sha256(page), page]])
  const car = await openCar(file, LIMITS)
  await expect(car.check()).rejects.toMatchObject(told('cbor'))
  await car.close()
  // It may be whole: another build, or one with other limits, takes it.
  await expect(openCar(file, { ...LIMITS, maxFiles: 0 })).rejects.toMatchObject({
    code: 'LIMIT_CONTENT',
    message: `${file}: header.files: 1 is above 0`,
  })
})

test('Any block that pages can name has room, however small, and no more than those', async () => {
  const small = Array.from({ length: 20 }, (_, at) => Uint8Array.of(at))
  await write([...made.content, ...small.map((bytes) => [sha256(bytes), bytes] as const)])
  // One block of the largest size would hold it all.
  const limits = { ...LIMITS, maxReleaseBytes: LIMITS.maxBlockBytes, maxFiles: 1, maxPages: 1 }
  await (await openCar(file, limits)).close()
  const [least, page] = [1, 2].map((count) => {
    const digest = sha256(made.block)
    const refs = Array.from({ length: count }, () => ({ digest, size: 1 }))
    return encodePage([{ path: 'a', mode: 0o444, size: count, digest, blocks: refs }]).length
  }) as [number, number]
  const room = (blocks: number) => ({ ...limits, maxPageBytes: blocks * (page - least) })
  // The envelope and the page are no blocks of it.
  await (await openCar(file, room(21))).close()
  await expect(openCar(file, room(20))).rejects.toMatchObject({
    code: 'CODEC_MALFORMED',
    message: expect.stringContaining('too many blocks'),
  })
})

test('A source that fails in the middle fails the export', async () => {
  async function* broken() {
    yield* blocks()
    throw new Error('the disk is gone')
  }
  await expect(
    (async () => {
      for await (const part of writeCar(made.envelope, broken())) void part
    })(),
  ).rejects.toThrow('the disk is gone')
})

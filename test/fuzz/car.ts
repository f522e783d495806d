/** CAR files as an export writes them, read as an import reads them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../../src/codec/digest.ts'
import { LIMITS } from '../../src/limits.ts'
import { openCar, writeCar } from '../../src/publish/car.ts'
import { type Change, changed } from './change.ts'
import { RELEASES } from './fleet.ts'
import { scratch } from './scratch.ts'
import type { Target } from './targets.ts'

async function carOf(envelope: Uint8Array, blocks: readonly Uint8Array[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  const listed = (async function* () {
    for (const bytes of blocks) yield { digest: sha256(bytes), bytes }
  })()
  for await (const part of writeCar(envelope, listed)) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}

const SAMPLES = await Promise.all(
  RELEASES.slice(0, 3).map(({ envelope, content }) => carOf(envelope, [...content.values()])),
)

/** A frame: its length, then a CID of 36 bytes, then what it names; the first frame is the header. */
function framesOf(car: Uint8Array): { readonly length: number; readonly body: Uint8Array }[] {
  const frames = []
  for (let at = 0; at < car.length; ) {
    let [length, factor] = [0, 1]
    for (let byte = 0x80; byte >= 0x80; at += 1, factor *= 128) {
      byte = car[at] ?? 0
      length += (byte & 127) * factor
    }
    frames.push({ length, body: car.subarray(at, at + length) })
    at += length
  }
  return frames
}

function carOfFrames(frames: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      frames.flatMap((body) => {
        const length = []
        for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
          length.push(rest < 128 ? rest : (rest % 128) + 128)
          if (rest < 128) return [Buffer.from(length), body]
        }
      }),
    ),
  )
}

const CID_BYTES = 36

/** One frame is gone, there twice, in another place, or says something else under its own digest or another's. */
const changedCar: Change = (random, samples) => {
  const frames = framesOf(random.pick(samples)).map(({ body }) => body)
  const at = Math.floor(random() * frames.length)
  const body = frames[at] ?? new Uint8Array()
  const edited = changed(random, [at === 0 ? body : body.slice(CID_BYTES)])
  const digest = Buffer.from(sha256(edited), 'hex')
  const renamed = Buffer.concat([body.subarray(0, CID_BYTES - 32), digest, edited])
  return carOfFrames(
    random.pick([
      () => frames.toSpliced(at, 1),
      () => frames.toSpliced(at, 0, body),
      () => [frames[0] ?? body, ...frames.slice(1).toReversed()],
      () => frames.with(at, at === 0 ? edited : renamed),
      () => frames.with(at, at === 0 ? edited : Buffer.concat([body.subarray(0, CID_BYTES), edited])),
      () => withRoot(frames, at === 0 ? body : renamed, at),
    ])(),
  )
}

/** The frame in place, and the header names it: another envelope, or what is none. */
function withRoot(frames: readonly Uint8Array[], frame: Uint8Array, at: number): Uint8Array[] {
  const [header = new Uint8Array()] = frames
  const digest = frame.subarray(CID_BYTES - 32, CID_BYTES)
  // { roots: [CID], version: 1 }: the root's digest lies before the last nine bytes
  const named = Buffer.concat([header.subarray(0, -41), digest, header.subarray(-9)])
  return at === 0 ? [...frames] : [named, ...frames.slice(1).with(at - 1, frame)]
}

const path = join(scratch('car'), 'release.car')

export const CAR_TARGET: Target = {
  name: 'CAR',
  async run(bytes) {
    writeFileSync(path, bytes)
    const { check, close } = await openCar(path, LIMITS)
    try {
      await check()
    } finally {
      await close()
    }
  },
  samples: SAMPLES,
  change: changedCar,
}

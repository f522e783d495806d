/** What is right, with one thing in it changed and in the right form again: what bytes that are broken never get to. */
import * as dagCbor from '@ipld/dag-cbor'
import type { Random } from '../../scripts/chaos/random.ts'
import { encode } from '../../src/codec/cbor.ts'
import { encodeCanonicalJson } from '../../src/codec/json.ts'

export type Change = (random: Random, samples: readonly Uint8Array[]) => Uint8Array

/** In the form that the sample has: dag-cbor, JSON, else words. */
export const changed: Change = (random, samples) => {
  const sample = random.pick(samples)
  const others = random.pick(samples)
  const cbor = decoded(sample)
  if (cbor !== undefined) return encoded(changedValue(random, cbor.value, decoded(others)?.value), sample)
  const text = textOf(sample)
  const json = parsed(text)
  if (json === undefined) return bytesOf(changedText(random, text, textOf(others)))
  return jsonOf(changedValue(random, json.value, parsed(textOf(others))?.value))
}

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** Canonical where it can be: readers that want no more than JSON take that, too. */
function jsonOf(value: unknown): Uint8Array {
  try {
    return encodeCanonicalJson(value)
  } catch {
    // a number with a fraction, or text with half a character: only plain JSON can say it
    return bytesOf(JSON.stringify(value))
  }
}

/** A value that cannot be said leaves the sample as it was. */
function encoded(value: unknown, sample: Uint8Array): Uint8Array {
  try {
    return encode(value)
  } catch {
    return sample
  }
}

function decoded(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: dagCbor.decode(new Uint8Array(bytes)) }
  } catch {
    return undefined
  }
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

type Holder = Record<string | number, unknown>
interface Spot {
  readonly holder: Holder
  readonly key: string | number
}

/** One spot of it, however deep; in part what another sample has under the same name. */
function changedValue(random: Random, value: unknown, other: unknown): unknown {
  const whole: Holder = { value: structuredClone(value) }
  const { holder, key } = random.pick(spotsOf(whole))
  // the other may be of another form, with nothing to take from it
  const likewise = other === undefined ? [] : spotsOf({ value: other }).filter((spot) => spot.key === key)
  if (likewise.length > 0 && random() < 0.3) {
    const spot = random.pick(likewise)
    holder[key] = spot.holder[spot.key]
  } else if (random() < 0.1 && !Array.isArray(holder) && holder !== whole) delete holder[key]
  else holder[key] = near(random, holder[key])
  return whole.value
}

function spotsOf(holder: Holder): Spot[] {
  return Object.entries(holder).flatMap(([key, value]) => [
    { holder, key },
    ...(isHolder(value) ? spotsOf(value) : []),
  ])
}

const isHolder = (value: unknown): value is Holder =>
  typeof value === 'object' && value !== null && !(value instanceof Uint8Array)

function near(random: Random, value: unknown): unknown {
  if (typeof value === 'number')
    return random.pick([value + 1, value - 1, 0, 1, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, 2 * value])
  if (typeof value === 'boolean') return !value
  if (typeof value === 'string') return changedText(random, value, 'other/words-0')
  if (value instanceof Uint8Array) return nearBytes(random, value)
  if (Array.isArray(value)) return nearList(random, value)
  if (isHolder(value))
    return { ...value, [random.pick(['x', '__proto__', 'v', ''])]: random.pick([0, 'x', []]) }
  return random.pick([0, '', []])
}

/** What lies in bytes may be a document of its own. */
function nearBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const inner = decoded(bytes)
  if (isHolder(inner?.value) && random() < 0.6)
    return encoded(changedValue(random, inner.value, undefined), bytes)
  const copy = bytes.slice()
  const at = Math.floor(random() * copy.length)
  if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8))
  return random.pick([copy, copy, bytes.slice(0, at), new Uint8Array()])
}

function nearList(random: Random, list: readonly unknown[]): readonly unknown[] {
  const at = Math.floor(random() * list.length)
  const twice = list.flatMap((item, index) => (index === at ? [item, item] : [item]))
  return random.pick([list.toSpliced(at, 1), twice, list.toReversed(), [], [...list, 0]])
}

const BETWEEN = /([/:=,.?&\s"%-]+)/

/** Its words and what stands between them. */
export function changedText(random: Random, text: string, other: string): string {
  const words = text.split(BETWEEN)
  const at = Math.floor(random() * words.length)
  const word = words[at] ?? ''
  const letter = Math.floor(random() * (word.length + 1))
  const one = random.pick(['0', '9', 'a', 'z', 'A', '-', '.', '/', '*', ' ', 'é', '%', '\\', '\n', ':'])
  const put = random.pick([
    () => word.slice(0, letter) + one + word.slice(letter + 1),
    () => word.slice(0, letter) + one + word.slice(letter),
    () => word.slice(0, letter) + word.slice(letter + 1),
    () => random.pick(other.split(BETWEEN)),
    () => word + word,
    () => `${word}${words[at + 1] ?? ''}${word}`,
    () => '',
    () => String(Math.floor(random() * 70_000)),
  ])
  return words.with(at, put()).join('')
}

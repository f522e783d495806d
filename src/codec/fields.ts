/**
 * Forms: what a field looks like once decoded (from dag-cbor or JSON) and how it is written, declared once, so
 * that reading and writing cannot drift apart. Reading is strict and bounded; it throws `CODEC_MALFORMED` with
 * the place of the fault. Writing trusts the types.
 */
import { type Code, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Extra } from '../model/extra.ts'
import { bytesToHex, hexToBytes } from './digest.ts'
import { asCbor, asJson, type Packing } from './extra.ts'

export interface Form<T> {
  /** @param at where in the document, for the error. */
  read(value: unknown, at: string, limits: Limits): T
  write(value: T): unknown
}
export interface OptionalForm<T> extends Form<T> {
  readonly optional: true
}
export type FormOf<F> = F extends Form<infer T> ? T : never
/** A bound: a number, or one of the limits. */
export type Bound = number | ((limits: Limits) => number)

// biome-ignore lint/suspicious/noExplicitAny: a shape holds forms of all types; `FormOf` gives each back its own.
export type Shape = Readonly<Record<string, Form<any>>>
type OptionalKeys<S extends Shape> = {
  [K in keyof S]: S[K] extends OptionalForm<unknown> ? K : never
}[keyof S]
export type RecordOf<S extends Shape> = {
  readonly [K in Exclude<keyof S, OptionalKeys<S>>]: FormOf<S[K]>
} & { readonly [K in OptionalKeys<S>]?: FormOf<S[K]> }

const bound = (value: Bound, limits: Limits): number => (typeof value === 'number' ? value : value(limits))

export const malformed = (at: string, reason: string, code: Code = 'CODEC_MALFORMED'): MeshError =>
  new MeshError(code, `${at}: ${reason}`)

/** Integer, 0 … 2^53−1 unless told otherwise. Beyond `max` the code is `over`. */
export const int = (min = 0, max: Bound = Number.MAX_SAFE_INTEGER, over?: Code): Form<number> => ({
  read(value, at, limits) {
    if (!Number.isSafeInteger(value)) throw malformed(at, 'expected an integer')
    const number = value as number
    const most = bound(max, limits)
    if (number < min || Object.is(number, -0)) throw malformed(at, `${number} is below ${min}`)
    if (number > most) throw malformed(at, `${number} is above ${most}`, over)
    return number
  },
  write: (value) => value,
})

export const bool: Form<boolean> = {
  read(value, at) {
    if (typeof value !== 'boolean') throw malformed(at, 'expected true or false')
    return value
  },
  write: (value) => value,
}

/** Text of at most `max` UTF-8 bytes. Beyond them the code is `over`. */
export const text = (max: Bound, over?: Code): Form<string> => ({
  read(value, at, limits) {
    if (typeof value !== 'string') throw malformed(at, 'expected text')
    const most = bound(max, limits)
    // A code unit is at least one byte, so the cheap test comes first.
    if (value.length > most || Buffer.byteLength(value) > most)
      throw malformed(at, `longer than ${most} bytes`, over)
    if (!value.isWellFormed()) throw malformed(at, 'not valid Unicode')
    return value
  },
  write(value) {
    // The decoder below drops a leading one, so such text never comes back as it was: nobody may sign it.
    if (value.startsWith('\ufeff')) throw malformed('text', 'begins with a byte order mark; leave it out')
    return value
  },
})

/** One of a few words. */
export const word = <const W extends string>(...words: readonly W[]): Form<W> => ({
  read(value, at) {
    if (!words.includes(value as W)) throw malformed(at, `expected one of ${words.join(', ')}`)
    return value as W
  },
  write: (value) => value,
})

/** As `word`, where a later build may know more of them: another one is no fault of whoever sent it. @throws MeshError CODEC_UNSUPPORTED */
export const knownWord = <const W extends string>(...words: readonly W[]): Form<W> => ({
  read(value, at) {
    if (typeof value !== 'string') throw malformed(at, 'expected text')
    if (!words.includes(value as W))
      throw malformed(
        at,
        `${JSON.stringify(value.slice(0, 64))} is not known to this build; upgrade this node`,
        'CODEC_UNSUPPORTED',
      )
    return value as W
  },
  write: (value) => value,
})

/** Text with its own parser (`parseChannel` and its kin), which gives the branded type. */
export const parsed = <T extends string>(parse: (text: string) => T): Form<T> => ({
  read(value, at) {
    if (typeof value !== 'string') throw malformed(at, 'expected text')
    try {
      return parse(value)
    } catch (error) {
      throw error instanceof MeshError ? malformed(at, error.message, error.code) : error
    }
  },
  write: (value) => value,
})

/** A byte string of `min` … `max` bytes. */
export const bytes = (max: Bound, min = 0): Form<Uint8Array> => ({
  read(value, at, limits) {
    if (!(value instanceof Uint8Array)) throw malformed(at, 'expected bytes')
    const most = bound(max, limits)
    if (value.length < min) throw malformed(at, `shorter than ${min} bytes`)
    if (value.length > most) throw malformed(at, `longer than ${most} bytes`)
    return value
  },
  write: (value) => value,
})

/** A digest or a part of one: exactly `size` bytes on the wire, hex in memory. */
export const hash = <T extends string>(size: number): Form<T> => ({
  read(value, at) {
    if (!(value instanceof Uint8Array) || value.length !== size) throw malformed(at, `expected ${size} bytes`)
    return bytesToHex(value) as T
  },
  write: (value) => hexToBytes(value),
})

/** In dag-cbor: kept, and not looked at. */
export const opaque: Form<Extra> = { read: asCbor.pack, write: asCbor.unpack }

export const list = <T>(form: Form<T>, max: Bound, min = 0, over?: Code): Form<readonly T[]> => ({
  read(value, at, limits) {
    if (!Array.isArray(value)) throw malformed(at, 'expected a list')
    const most = bound(max, limits)
    if (value.length > most) throw malformed(at, `${value.length} entries, at most ${most} are taken`, over)
    if (value.length < min) throw malformed(at, `fewer than ${min} entries`)
    return value.map((entry, index) => form.read(entry, `${at}[${index}]`, limits))
  },
  write: (value) => value.map((entry) => form.write(entry)),
})

/** Own keys and values of a decoded map. */
export function entriesOf(value: unknown, at: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw malformed(at, 'expected a map')
  return Object.entries(value)
}

/** A map with names as keys; entries ascend by key, the one order in memory. */
export const map = <K extends string, V>(
  parse: (text: string) => K,
  form: Form<V>,
  max: Bound,
  over?: Code,
): Form<ReadonlyMap<K, V>> => ({
  read(value, at, limits) {
    const entries = entriesOf(value, at)
    const most = bound(max, limits)
    if (entries.length > most)
      throw malformed(at, `${entries.length} entries, at most ${most} are taken`, over)
    const key = parsed(parse)
    const read = entries.map(([name, entry]): [K, V] => {
      const at2 = `${at}.${name.slice(0, 64)}`
      return [key.read(name, at2, limits), form.read(entry, at2, limits)]
    })
    return new Map(read.sort(([a], [b]) => (a < b ? -1 : 1)))
  },
  write(value) {
    const out: Record<string, unknown> = Object.create(null)
    for (const [key, entry] of value) out[key] = form.write(entry)
    return out
  },
})

export const optional = <T>(form: Form<T>): OptionalForm<T> => ({ ...form, optional: true })

/** A form seen through two functions; `to` may refuse by throwing. */
export const convert = <A, B>(
  form: Form<A>,
  to: (value: A, at: string, limits: Limits) => B,
  from: (value: B) => A,
): Form<B> => ({
  read: (value, at, limits) => to(form.read(value, at, limits), at, limits),
  write: (value) => form.write(from(value)),
})

const isOptional = (form: Form<unknown>): boolean => 'optional' in form

function readKnown(shape: Shape, value: object, at: string, limits: Limits): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [name, form] of Object.entries(shape)) {
    if (Object.hasOwn(value, name))
      out[name] = form.read((value as Record<string, unknown>)[name], `${at}.${name}`, limits)
    else if (!isOptional(form)) throw malformed(`${at}.${name}`, 'missing')
  }
  return out
}

function writeKnown(shape: Shape, value: object, out: Record<string, unknown>): Record<string, unknown> {
  for (const [name, form] of Object.entries(shape)) {
    const field = (value as Record<string, unknown>)[name]
    if (field !== undefined) out[name] = form.write(field)
  }
  return out
}

/** Named fields, read in the shape's order. Unknown names are left out: only for what is never encoded again. */
export const record = <S extends Shape>(shape: S): Form<RecordOf<S>> => ({
  read(value, at, limits) {
    entriesOf(value, at)
    return readKnown(shape, value as object, at, limits) as RecordOf<S>
  },
  write: (value) => writeKnown(shape, value, {}),
})

/** As `record`, but unknown names are refused: for forms that never grow. */
export const closed = <S extends Shape>(shape: S): Form<RecordOf<S>> => ({
  ...record(shape),
  read(value, at, limits) {
    for (const [name] of entriesOf(value, at))
      if (!Object.hasOwn(shape, name))
        throw malformed(at, `unknown name ${JSON.stringify(name.slice(0, 64))}`)
    return readKnown(shape, value as object, at, limits) as RecordOf<S>
  },
})

const keeping =
  ({ pack, unpack }: Packing) =>
  <S extends Shape>(shape: S): Form<RecordOf<S> & { readonly extra?: Extra }> => ({
    read(value, at, limits) {
      const unknown = entriesOf(value, at).filter(([name]) => !Object.hasOwn(shape, name))
      const known = readKnown(shape, value as object, at, limits)
      if (unknown.length > 0) known.extra = pack(Object.fromEntries(unknown))
      return known as RecordOf<S> & { readonly extra?: Extra }
    },
    write: (value) =>
      writeKnown(
        shape,
        value,
        value.extra === undefined ? {} : (unpack(value.extra) as Record<string, unknown>),
      ),
  })

/** As `record`, but unknown names are kept in `extra` and written back. */
export const open = keeping(asCbor)
/** The same in JSON. */
export const openJson = keeping(asJson)

/**
 * The version of a document or message. It comes first in every shape, so that nothing else of a version we do
 * not know is judged. @throws MeshError CODEC_UNSUPPORTED
 */
export const version: Form<1> = {
  read(value, at, limits) {
    const v = int(1).read(value, at, limits)
    if (v !== 1)
      throw new MeshError(
        'CODEC_UNSUPPORTED',
        `${at}: version ${v} is not known to this build; upgrade this node`,
      )
    return 1
  },
  write: (value) => value,
}

/** Names of features a reader must know. */
export const critical: Form<readonly string[]> = list(text(64), (limits) => limits.maxCritical)

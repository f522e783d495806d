/** What the messages of all protocols share: `{v: 1, type, …}`, the refusal, envelopes. */
import { MeshError } from '../errors.ts'
import { LIMITS, type Limits } from '../limits.ts'
import type { Refused } from '../model/messages.ts'
import {
  bytes,
  convert,
  entriesOf,
  type Form,
  int,
  malformed,
  optional,
  type RecordOf,
  record,
  type Shape,
  text,
  version,
} from './fields.ts'

export type UnionOf<M extends Readonly<Record<string, Shape>>> = {
  [K in keyof M & string]: { readonly type: K } & RecordOf<M[K]>
}[keyof M & string]

/**
 * Messages told apart by `type`. Unknown names are left out: they are a newer build's, and a message is never
 * encoded again. An unknown type is `CODEC_UNSUPPORTED`: an answer, no reason to close.
 */
export function union<M extends Readonly<Record<string, Shape>>>(shapes: M): Form<UnionOf<M>> {
  const forms = new Map(Object.entries(shapes).map(([type, shape]) => [type, record(shape)]))
  return {
    read(value, at, limits) {
      const fields = new Map(entriesOf(value, at))
      version.read(fields.get('v'), `${at}.v`, limits)
      const type = fields.get('type')
      if (typeof type !== 'string') throw malformed(`${at}.type`, 'expected text')
      const form = forms.get(type)
      if (form === undefined)
        throw new MeshError(
          'CODEC_UNSUPPORTED',
          `${at}: type ${JSON.stringify(type.slice(0, 32))} is not known to this build`,
        )
      return { type, ...form.read(value, `${at} ${type}`, limits) } as UnionOf<M>
    },
    write(value) {
      const form = forms.get(value.type) as Form<object>
      return { v: 1, type: value.type, ...(form.write(value) as object) }
    },
  }
}

/** Envelopes by what they may hold. */
export const rootEnvelope = bytes((limits) => limits.maxRootBytes, 1)
/** As long as a message may be: what is over a limit that is set lower on this host is no fault of who sends it. The core judges it. */
export const releaseEnvelope = bytes((limits) => limits.maxPublishMessageBytes, 1)
/** Of a release or a beacon. As long as a message may be: of which length one counts is set on each host, and a longer one is no fault of who sends it. */
export const syncEnvelope = bytes((limits) => limits.maxSyncMessageBytes, 1)
export const certificateEnvelope = bytes((limits) => limits.maxCertificateBytes, 1)
/**
 * Of a message with a page or block. The built-in bound at least: nobody can know beforehand how long a page is, so that one
 * over a bound that is set lower on this host is no fault of who sends it. The core judges it, and says which limit it is.
 */
export const blockMessageBytes = ({ maxBlockMessageBytes }: Limits): number =>
  Math.max(maxBlockMessageBytes, LIMITS.maxBlockMessageBytes)
/** A page or block. As long as a message may be: how long one is taken is set on each host. */
export const contentBytes = bytes(blockMessageBytes, 1)

const CONTROL = /\p{Cc}+/gu
export const MAX_TEXT_BYTES = 1024
/** Of what this build says itself: in UTF-8 it is no longer than may be read. */
export const MAX_OWN_TEXT_CHARS = MAX_TEXT_BYTES / 4

/** One line for a log: what a peer says must not be able to forge a second one or steer a terminal. */
const line: Form<string> = convert(
  text(MAX_TEXT_BYTES),
  (said) => said.replace(CONTROL, ' '),
  (own) => own.replace(CONTROL, ' ').slice(0, MAX_OWN_TEXT_CHARS),
)

/** Codes of a newer build pass; they are shown, never used as a metric's label. */
const code: Form<string> = convert(
  text(64),
  (said, at) => {
    if (!/^[A-Z][A-Z_]*$/.test(said)) throw malformed(at, 'expected a code such as LIMIT_RATE')
    return said
  },
  (own) => own,
)

export const refused = {
  code,
  text: line,
  retryAfterMs: optional(int()),
  envelope: optional(releaseEnvelope),
} satisfies { [K in Exclude<keyof Refused, 'type'>]-?: Form<Exclude<Refused[K], undefined>> }

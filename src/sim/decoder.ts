import { decodeReply, decodeRequest } from '../codec/messages.ts'
import { LatestMap } from '../core/latest.ts'
import type { Limits } from '../limits.ts'
import type { AnyReply, AnyRequest } from '../model/messages.ts'

/** Longer ones hardly ever come twice. */
const MAX_KEPT_BYTES = 2_048
const MAX_KEPT = 4_096

/**
 * What travels in one simulated fleet, decoded. Most short messages say what another node has said already, to the
 * byte: these are decoded once, for nobody changes what was decoded.
 */
export class Decoder {
  readonly #limits: Limits
  readonly #requests = new LatestMap<string, AnyRequest>(MAX_KEPT)
  readonly #replies = new LatestMap<string, AnyReply>(MAX_KEPT)

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** @throws MeshError as the codec does */
  request(protocol: AnyRequest['protocol'], bytes: Uint8Array): AnyRequest {
    return once(this.#requests, protocol, bytes, () => decodeRequest(protocol, bytes, this.#limits))
  }

  /** @throws MeshError as the codec does */
  reply(protocol: AnyRequest['protocol'], bytes: Uint8Array): AnyReply {
    return once(this.#replies, protocol, bytes, () => decodeReply(protocol, bytes, this.#limits))
  }
}

function once<T>(known: LatestMap<string, T>, protocol: string, bytes: Uint8Array, decode: () => T): T {
  if (bytes.length > MAX_KEPT_BYTES) return decode()
  const key = `${protocol} ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')}`
  const before = known.get(key)
  if (before !== undefined) return before
  const decoded = decode()
  known.set(key, decoded)
  return decoded
}

import { describe, expect, it } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeHeartbeat } from '../../../src/codec/heartbeat.ts'
import { peerOfRawKey } from '../../../src/codec/peer-id.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Heartbeat } from '../../../src/model/heartbeat.ts'
import type { Address } from '../../../src/model/ids.ts'
import { checkHeartbeat, readHeartbeat, signHeartbeat } from '../../../src/trust/heartbeat.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { codeOf } from '../codec/refusal.ts'
import { key, name } from './fixtures.ts'

const [own, other] = [key(), key()]
const peerOf = (of: PrivateKey) => peerOfRawKey(of.public.spki.subarray(-32))
const said: Heartbeat = {
  v: 1,
  critical: [],
  peer: peerOf(own),
  region: name('eu'),
  addresses: [`/ip4/192.0.2.1/tcp/7400/p2p/${peerOf(own)}` as Address],
  at: 1_700_000_000_000,
}
const read = (bytes: Uint8Array) => readHeartbeat(bytes, LIMITS)

describe('a heartbeat', () => {
  it('counts where the very peer signed it, whose key is known from then on', () => {
    const signed = read(signHeartbeat(said, own))
    expect(signed.heartbeat).toEqual(said)
    const known = checkHeartbeat(signed, undefined, LIMITS)
    expect(known.id).toBe(own.public.id)
    expect(checkHeartbeat(read(signHeartbeat({ ...said, at: said.at + 1 }, own)), known, LIMITS)).toBe(known)
  })

  it('of somebody else does not count, also with the key that is known of the peer', () => {
    const forged = read(signHeartbeat(said, other))
    for (const known of [undefined, own.public])
      expect(codeOf(() => checkHeartbeat(forged, known, LIMITS))).toBe('TRUST_UNAUTHORISED')
  })

  it('is no other kind of document, and no other kind of document is one', () => {
    const asRecord = encodeEnvelope(signEnvelope('peer', encodeHeartbeat(said), [own]))
    expect(codeOf(() => read(asRecord))).toBe('TRUST_TYPE')
  })

  it('that says it cannot be understood without a name unknown here is unsupported', () => {
    const newer = signHeartbeat({ ...said, critical: ['lunar-time'] }, own)
    expect(codeOf(() => read(newer))).toBe('CODEC_UNSUPPORTED')
  })
})

import { describe, expect, it } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { peerOfRawKey, rawKeyOfPeer } from '../../../src/codec/peer-id.ts'
import { decodePeerRecord, encodePeerRecord } from '../../../src/codec/peer-record.ts'
import { sampleFor } from '../../../src/core/peers/sample.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern, PeerId } from '../../../src/model/ids.ts'
import { peerOfKey } from '../../../src/sim/keys.ts'
import { recordOf } from '../../../src/sim/own-records.ts'
import { openPeerRecord, signPeerRecord } from '../../../src/trust/peer-record.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { addressOf, Bench, limitsOf, peer } from './fakes.ts'

const { key } = generatePrivateKey('ed25519')
const id = peerOfKey(key)
const record = recordOf(key, { patterns: ['shop/**' as Pattern], region: 'eu', chain: [new Uint8Array([1])] })

describe('a peer id', () => {
  it('is its Ed25519 key, as libp2p writes it', () => {
    const known = '12D3KooWRm8J3iL796zPFi2EtGGtUJn58AG67gcqzMFHZnnsTzqD' as PeerId
    expect(peerOfRawKey(rawKeyOfPeer(known))).toBe(known)
    expect(id).toMatch(/^12D3KooW/)
  })

  it.each(['', 'Qm', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', '12D3KooW', 'not a peer 0OIl'])(
    'that is no Ed25519 key is refused: %j',
    (text) => {
      expect(() => rawKeyOfPeer(text as PeerId)).toThrow(expect.objectContaining({ code: 'NET_PEER_ID' }))
    },
  )
})

describe('a peer record', () => {
  it('reads back as it was signed', () => {
    expect(openPeerRecord(signPeerRecord(record, key), LIMITS)).toEqual(record)
    const bytes = encodePeerRecord(record)
    expect(encodePeerRecord(decodePeerRecord(bytes, LIMITS))).toEqual(bytes)
  })

  it('with one changed byte does not hold', () => {
    const signed = signPeerRecord(record, key)
    for (let at = 0; at < signed.length; at += 7) {
      const changed = Uint8Array.from(signed)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(() => openPeerRecord(changed, LIMITS)).toThrow()
    }
  })

  it('that names addresses of another peer is malformed', () => {
    const other = addressOf(peerOfKey(generatePrivateKey('ed25519').key))
    const lying = signPeerRecord({ ...record, addresses: [other] }, key)
    expect(() => openPeerRecord(lying, LIMITS)).toThrow(expect.objectContaining({ code: 'CODEC_MALFORMED' }))
  })

  it('signed by another key, or with an id that is no key, is refused', () => {
    const other = generatePrivateKey('ed25519').key
    expect(() => openPeerRecord(signPeerRecord(record, other), LIMITS)).toThrow(
      expect.objectContaining({ code: 'TRUST_UNAUTHORISED' }),
    )
    const nobody = { ...record, peer: peer('Qm'), addresses: [] }
    expect(() => openPeerRecord(signPeerRecord(nobody, key), LIMITS)).toThrow()
  })

  it('that needs what this build does not know says so once its signature holds', () => {
    const later = { ...record, critical: ['waves'] }
    expect(() => openPeerRecord(signPeerRecord(later, key), LIMITS)).toThrow(
      expect.objectContaining({ code: 'CODEC_UNSUPPORTED', message: expect.stringMatching(/needs waves/) }),
    )
    const other = generatePrivateKey('ed25519').key
    expect(() => openPeerRecord(signPeerRecord(later, other), LIMITS)).toThrow(
      expect.objectContaining({ code: 'TRUST_UNAUTHORISED' }),
    )
  })

  it('in an envelope of another kind is not read', () => {
    const envelope = signEnvelope('heartbeat', new Uint8Array([1]), [key])
    expect(() => openPeerRecord(encodeEnvelope(envelope), LIMITS)).toThrow(
      expect.objectContaining({ code: 'TRUST_TYPE' }),
    )
  })

  it('beyond its bounds is refused', () => {
    const many = { ...record, addresses: Array.from({ length: 17 }, () => addressOf(id)) }
    expect(() => openPeerRecord(signPeerRecord(many, key), LIMITS)).toThrow(
      expect.objectContaining({ code: 'CODEC_MALFORMED' }),
    )
    const long = { ...record, chain: [new Uint8Array(LIMITS.maxPeerRecordBytes)] }
    expect(() => openPeerRecord(signPeerRecord(long, key), LIMITS)).toThrow(
      expect.objectContaining({ code: 'LIMIT_BYTES' }),
    )
  })
})

it('those given to a peer are no longer in all than it takes, whatever this node does', () => {
  const { config } = new Bench({ limits: limitsOf({ maxSyncMessageBytes: 1024 * 1024 }) })
  const known = Array.from({ length: 32 }, () => ({ bytes: new Uint8Array(8_000), isLinked: false }))
  const given = sampleFor({ own: undefined, theirs: undefined, given: [], known }, config)
  expect(given).toHaveLength(4)
})

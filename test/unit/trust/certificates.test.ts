import { describe, expect, it } from 'vitest'
import { decodeCertificate, encodeCertificate } from '../../../src/codec/certificate.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { createJudge } from '../../../src/trust/admission.ts'
import {
  grantedLabels,
  issueNodeCertificate,
  issuePool,
  type PoolMemory,
  readChain,
} from '../../../src/trust/certificates.ts'
import { addAdmissionKey, removeAdmissionKey } from '../../../src/trust/edit.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { admissionKey, EXPIRES, key, name, otherKey, publisherKey, rootOne } from './fixtures.ts'

const root = rootOne()
const peer = '12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6Vk' as PeerId
const poolKey = key()
const valid = { notBefore: EXPIRES - 10_000, notAfter: EXPIRES }
const grants = new Map([
  ['region', '*'],
  ['zone', 'eu-1'],
])
const pool = issuePool({ name: name('hosts'), key: poolKey.public, labels: grants, ...valid }, admissionKey)
const labels = new Map([
  ['region', 'eu'],
  ['zone', 'eu-1'],
])
const member = (given = labels, by = poolKey, times = valid) =>
  issueNodeCertificate({ peer, labels: given, ...times }, by)
const read = (...links: Parameters<typeof encodeEnvelope>[0][]) =>
  readChain(links.map(encodeEnvelope), root, LIMITS)
const refusedAs = (code: string) => expect.objectContaining({ code })

describe('a certificate chain', () => {
  it('of one link is signed by an admission key', () => {
    expect(read(member(labels, admissionKey))).toEqual({ peer, labels, issuer: admissionKey.id, ...valid })
    expect(() => read(member(labels, otherKey))).toThrow(refusedAs('ADMIT_REFUSED'))
    expect(() => read(member(labels, publisherKey))).toThrow(refusedAs('ADMIT_REFUSED'))
    expect(() => read(member())).toThrow(refusedAs('ADMIT_REFUSED'))
  })

  it('of two is valid as long as both are', () => {
    const short = member(labels, poolKey, { notBefore: EXPIRES - 5_000, notAfter: EXPIRES + 5_000 })
    expect(read(short, pool)).toEqual({
      peer,
      labels,
      issuer: admissionKey.id,
      pool: { name: 'hosts', key: poolKey.id, notAfter: EXPIRES },
      notBefore: EXPIRES - 5_000,
      notAfter: EXPIRES,
    })
  })

  it('holds only with each signature in its place', () => {
    const stranger = issuePool(
      { name: name('hosts'), key: poolKey.public, labels: grants, ...valid },
      otherKey,
    )
    expect(() => read(member(), stranger)).toThrow(refusedAs('ADMIT_REFUSED'))
    expect(() => read(member(labels, otherKey), pool)).toThrow(refusedAs('ADMIT_REFUSED'))
    expect(() => read(pool)).toThrow(refusedAs('ADMIT_REFUSED'))
    expect(() => read(pool, member())).toThrow(refusedAs('ADMIT_REFUSED'))
    expect(() => read(member(), member(labels, admissionKey))).toThrow(refusedAs('ADMIT_REFUSED'))
    expect(() => read()).toThrow(refusedAs('ADMIT_REFUSED'))
    expect(() => read(member(), pool, pool)).toThrow(refusedAs('ADMIT_REFUSED'))
  })

  it('grants no label that the pool may not give', () => {
    for (const beyond of [[['zone', 'us-1']], [['role', 'db']]] as [string, string][][]) {
      expect(() => read(member(new Map(beyond)), pool)).toThrow(refusedAs('ADMIT_LABELS'))
    }
    const wished = new Map([
      ['region', 'eu'],
      ['zone', 'us-1'],
      ['role', 'db'],
    ])
    const granted = grantedLabels(decodeCertificate(pool.payload, LIMITS), wished)
    expect(granted).toEqual(new Map([['region', 'eu']]))
    expect(read(member(new Map(granted)), pool).labels).toEqual(granted)
  })

  it('ends with its admission key', () => {
    const next = removeAdmissionKey(addAdmissionKey(root, otherKey.public), admissionKey.id)
    const chain = [member(), pool].map(encodeEnvelope)
    expect(() => readChain(chain, { ...next, version: 2 }, LIMITS)).toThrow(refusedAs('ADMIT_REFUSED'))
  })

  it('is not made backwards in time', () => {
    const times = { notBefore: EXPIRES, notAfter: EXPIRES - 1_000 }
    expect(() => member(labels, poolKey, times)).toThrow(refusedAs('ADMIT_REFUSED'))
  })

  it('that needs what this build does not know says so, once its signature holds', () => {
    const later = { ...certificateOf(member(labels, admissionKey)), critical: ['waves'] }
    const signed = (by: typeof admissionKey) => signEnvelope('certificate', encodeCertificate(later), [by])
    expect(() => read(signed(admissionKey))).toThrow(
      expect.objectContaining({ code: 'CODEC_UNSUPPORTED', message: expect.stringMatching(/needs waves/) }),
    )
    expect(() => read(signed(otherKey))).toThrow(refusedAs('ADMIT_REFUSED'))
  })

  it('of another version says so where a key that may issue it signed it, and else is a stranger’s', () => {
    const payload = new TextEncoder().encode('{"v":2}')
    const signed = (...by: (typeof admissionKey)[]) => signEnvelope('certificate', payload, by)
    for (const chain of [[signed(admissionKey)], [signed(poolKey), pool], [member(), signed(admissionKey)]])
      expect(() => read(...chain)).toThrow(refusedAs('CODEC_UNSUPPORTED'))
    for (const by of [[], [otherKey], [publisherKey]])
      for (const chain of [[signed(...by)], [signed(...by), pool], [member(), signed(...by)]])
        expect(() => read(...chain)).toThrow(refusedAs('ADMIT_REFUSED'))
  })

  it('takes no pool that stands under the id of another key', () => {
    const { subject, ...rest } = certificateOf(pool)
    const foreign = { ...rest, subject: { ...subject, key: otherKey.id } }
    const bad = signEnvelope('certificate', encodeCertificate(foreign), [admissionKey])
    expect(() => read(member(), bad)).toThrow(refusedAs('CODEC_MALFORMED'))
  })

  it('remembers 64 pools of one root, and reads the others each time', () => {
    const memory: PoolMemory = new Map()
    for (let at = 0; at < 66; at++) {
      const own = issuePool(
        { name: name(`hosts-${at}`), key: poolKey.public, labels: grants, ...valid },
        admissionKey,
      )
      const chain = [member(), own].map(encodeEnvelope)
      expect(readChain(chain, root, LIMITS, memory).pool?.name).toBe(`hosts-${at}`)
    }
    expect(memory.size).toBe(64)
  })

  it('is refused for what is wrong with it, never for a fault of our own', () => {
    const broken = { ...root, admission: undefined } as unknown as typeof root
    const chain = [encodeEnvelope(member(labels, admissionKey))]
    expect(createJudge(LIMITS)(peer, chain, root, EXPIRES).kind).toBe('admitted')
    expect(() => createJudge(LIMITS)(peer, chain, broken, EXPIRES)).toThrow(TypeError)
  })
})

const certificateOf = ({ payload }: { readonly payload: Uint8Array }) => decodeCertificate(payload, LIMITS)

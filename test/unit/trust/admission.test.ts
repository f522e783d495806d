import { describe, expect, it } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { createJudge, isStillNamed } from '../../../src/trust/admission.ts'
import { issueNodeCertificate, issuePool } from '../../../src/trust/certificates.ts'
import { addAdmissionKey, removeAdmissionKey, removeNode, removePool } from '../../../src/trust/edit.ts'
import { admissionKey, key, name, otherKey, rootOne } from './fixtures.ts'

const root = rootOne()
const peer = '12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6Vk' as PeerId
const other = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' as PeerId
const FROM = Date.UTC(2027, 0, 1)
const TO = Date.UTC(2028, 0, 1)
const HOUR = 3_600_000
const poolKey = key()
const labels = new Map([['region', 'eu']])
const valid = { notBefore: FROM, notAfter: TO }
const pool = encodeEnvelope(
  issuePool(
    { name: name('hosts'), key: poolKey.public, labels: new Map([['region', '*']]), ...valid },
    admissionKey,
  ),
)
const member = encodeEnvelope(issueNodeCertificate({ peer, labels, ...valid }, poolKey))
const single = encodeEnvelope(issueNodeCertificate({ peer, labels, ...valid }, admissionKey))

const judge = createJudge(LIMITS)
const at = (nowMs: number | undefined, chain = [member, pool], under: TrustRoot = root, who = peer) => {
  const judgement = judge(who, chain, under, nowMs)
  return judgement.kind === 'admitted' ? 'admitted' : judgement.code
}

describe('a node', () => {
  it('is admitted by an admission key, or by a pool that one signed', () => {
    expect(at(FROM + 1)).toBe('admitted')
    expect(at(FROM + 1, [single])).toBe('admitted')
    expect(judge(peer, [member, pool], root, FROM)).toMatchObject({
      admission: { labels, pool: { name: 'hosts', key: poolKey.id } },
    })
  })

  it('is refused without a certificate, with three, with another node’s, with another fleet’s', () => {
    expect(at(FROM, [])).toBe('ADMIT_REFUSED')
    expect(at(FROM, [member, pool, pool])).toBe('ADMIT_REFUSED')
    expect(at(FROM, [member, pool], root, other)).toBe('ADMIT_REFUSED')
    const foreign = removeAdmissionKey(addAdmissionKey(root, otherKey.public), admissionKey.id)
    expect(at(FROM, [member, pool], foreign)).toBe('ADMIT_REFUSED')
    expect(at(FROM, [single], foreign)).toBe('ADMIT_REFUSED')
  })

  it('is refused with bytes that are no certificate', () => {
    expect(at(FROM, [new Uint8Array([0xff])])).toBe('CODEC_MALFORMED')
    expect(at(FROM, [new Uint8Array(LIMITS.maxCertificateBytes + 1)])).toBe('LIMIT_BYTES')
  })

  it('may be wrong about the time by 48 hours, and no more', () => {
    expect(at(TO + 48 * HOUR)).toBe('admitted')
    expect(at(TO + 48 * HOUR + 1)).toBe('ADMIT_EXPIRED')
    expect(at(FROM - 48 * HOUR)).toBe('admitted')
    expect(at(FROM - 48 * HOUR - 1)).toBe('ADMIT_EXPIRED')
  })

  it('is told in UTC when its certificate ends or begins', () => {
    const refusal = (nowMs: number) => judge(peer, [single], root, nowMs)
    expect(refusal(TO + 49 * HOUR)).toMatchObject({ text: 'the certificate ended 2028-01-01T00:00:00Z' })
    expect(refusal(FROM - 49 * HOUR)).toMatchObject({ text: 'the certificate begins 2027-01-01T00:00:00Z' })
  })

  it('stays admitted after the end of its certificate: only the root is asked then', () => {
    expect(at(undefined)).toBe('admitted')
  })

  it('is removed by the root, alone or with its pool', () => {
    expect(at(FROM, [member, pool], removeNode(root, peer))).toBe('ADMIT_REMOVED')
    expect(at(undefined, [], removeNode(root, peer))).toBe('ADMIT_REMOVED')
    expect(at(FROM, [member, pool], removeNode(root, other))).toBe('admitted')
    expect(at(FROM, [member, pool], removePool(root, poolKey.id))).toBe('ADMIT_REMOVED')
    expect(at(FROM, [single], removePool(root, poolKey.id))).toBe('admitted')
  })
})

describe('who is admitted already', () => {
  const judgement = judge(peer, [member, pool], root, FROM)
  if (judgement.kind === 'refused') throw new Error(judgement.text)
  const { admission } = judgement

  it('is still named while neither it, its pool nor its admission key is gone', () => {
    const two = addAdmissionKey(root, otherKey.public)
    expect(isStillNamed(peer, admission, root)).toBe(true)
    expect(isStillNamed(peer, admission, two)).toBe(true)
    expect(isStillNamed(peer, admission, removeAdmissionKey(two, admissionKey.id))).toBe(false)
    expect(isStillNamed(peer, admission, removePool(root, poolKey.id))).toBe(false)
    expect(isStillNamed(peer, admission, removeNode(root, peer))).toBe(false)
    expect(isStillNamed(peer, admission, removeNode(root, other))).toBe(true)
  })
})

it('a pool verified under one root is judged anew under the next', () => {
  const gone = removeAdmissionKey(addAdmissionKey(root, otherKey.public), admissionKey.id)
  expect([at(FROM), at(FROM, [member, pool], gone), at(FROM)]).toEqual([
    'admitted',
    'ADMIT_REFUSED',
    'admitted',
  ])
})

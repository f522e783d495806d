/** Admission certificates: RFC 8785 JSON. A node's names its peer id, a pool's its key and what it may grant. */
import type { Limits } from '../limits.ts'
import type { Certificate, Labels } from '../model/certificate.ts'
import type { KeyId } from '../model/ids.ts'
import { parseName, parsePattern } from '../model/names.ts'
import { sha256 } from './digest.ts'
import { closed, critical, type Form, malformed, map, openJson, parsed, version } from './fields.ts'
import { name, peerId } from './ids.ts'
import { decodeCanonicalJson, encodeCanonicalJson } from './json.ts'
import { base64, hex, time } from './json-fields.ts'

/** Labels of one node; more is a mistake. */
export const MAX_LABELS = 32
export const MAX_SPKI_BYTES = 128

/** Patterns include names, so a pool's labels are read by the wider form and a node's are narrowed after. */
const labels: Form<Labels> = map<string, string>(parseName, parsed<string>(parsePattern), MAX_LABELS)

const node = closed({ peer: peerId })
const pool = closed({ pool: name, key: hex<KeyId>(), spki: base64(MAX_SPKI_BYTES, 1) })

const subject: Form<Certificate['subject']> = {
  read(value, at, limits) {
    if (typeof value === 'object' && value !== null && Object.hasOwn(value, 'peer'))
      return node.read(value, at, limits)
    const read = pool.read(value, at, limits)
    if (sha256(read.spki) !== (read.key as string))
      throw malformed(`${at}.key`, "not the digest of the key's SPKI")
    return read
  },
  write: (value) => ('peer' in value ? node.write(value) : pool.write(value)),
}

const certificate: Form<Certificate> = openJson({
  v: version,
  critical,
  subject,
  labels,
  notBefore: time,
  notAfter: time,
})

/**
 * @param payload the envelope's signed bytes, as received
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CODEC_UNSUPPORTED
 */
export function decodeCertificate(payload: Uint8Array, limits: Limits): Certificate {
  const bounds = { maxBytes: limits.maxCertificateBytes, limits, what: 'certificate' }
  const read = certificate.read(decodeCanonicalJson(payload, bounds), 'certificate', limits)
  if (read.notAfter < read.notBefore) throw malformed('certificate.notAfter', 'before notBefore')
  if ('peer' in read.subject)
    for (const [label, value] of read.labels)
      parsed(parseName).read(value, `certificate.labels.${label}`, limits)
  return read
}

export const encodeCertificate = (value: Certificate): Uint8Array =>
  encodeCanonicalJson(certificate.write(value))

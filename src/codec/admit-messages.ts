import type { Name } from '../model/ids.ts'
import type { AdmitReply, AdmitRequest } from '../model/messages.ts'
import { heartbeatEnvelope } from './bridge-messages.ts'
import { bool, type Form, int, list, optional } from './fields.ts'
import { digest, name, pattern } from './ids.ts'
import { certificateEnvelope, refused, rootEnvelope, union } from './message-forms.ts'

export const MAX_CHAIN = 2
/** Eight of each of 64 regions; the message's bytes bound them sooner. */
export const MAX_HEARTBEATS = 512

/** Empty for a node without the label. */
const label: Form<Name | ''> = {
  read: (value, at, limits) => (value === '' ? '' : name.read(value, at, limits)),
  write: (value) => value,
}

const hello = {
  chain: list(certificateEnvelope, MAX_CHAIN),
  patterns: list(pattern, (limits) => limits.maxPatterns),
  region: label as Form<string>,
  zone: label as Form<string>,
  submit: bool,
  heartbeats: list(heartbeatEnvelope, MAX_HEARTBEATS),
}
const newest = { version: int(1), digest }

export const admitRequest: Form<AdmitRequest> = union({
  open: newest,
  root: { since: int(1) },
  firstRoot: {},
  fork: { root: rootEnvelope },
  refuse: { code: refused.code, text: refused.text },
  hello,
})

export const admitReply: Form<AdmitReply> = union({
  opened: newest,
  root: { root: optional(rootEnvelope) },
  noted: {},
  hello,
  refused,
})

/** `confmesh trust` on root keys, admission, freshness, removed nodes and the root's expiry. */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { decodeCertificate } from '../codec/certificate.ts'
import { decodeEnvelopeJson } from '../codec/envelope-json.ts'
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { KeyId } from '../model/ids.ts'
import { isDigest, parsePeerId } from '../model/names.ts'
import type { TrustRoot } from '../model/root.ts'
import { naming } from '../publish/naming.ts'
import {
  addAdmissionKey,
  addRootKey,
  removeAdmissionKey,
  removeNode,
  removePool,
  removeRootKey,
  renew,
  setFreshness,
} from '../trust/edit.ts'
import { checkType } from '../trust/threshold.ts'
import { argument, collect, wholeNumber } from './arguments.ts'
import { readInput } from './files.ts'
import { keyNamed, LOST_KEY, readPublicKey } from './key-files.ts'
import { realTime, timeOf, twoYearsFrom } from './time.ts'
import { type ChangeOptions, changeRoot } from './trust-change.ts'
import { change } from './trust-publishers.ts'

export function registerRoleEdits(trust: Command): void {
  registerKeyEdits(trust)
  registerFreshness(trust)
  registerRemovals(trust)
  change(trust, 'renew', 'the same root, valid for two years from now').action((options: ChangeOptions) =>
    changeRoot(options, renewed(Date.now())),
  )
}

/** @throws MeshError USAGE where it would end earlier: a clock that is far behind would make one that has expired */
export const renewed =
  (nowMs: number) =>
  (root: TrustRoot): TrustRoot => {
    const expires = twoYearsFrom(nowMs)
    if (expires >= root.expires) return renew(root, expires)
    const [until, next, now] = [root.expires, expires, nowMs].map(timeOf)
    throw new MeshError(
      'USAGE',
      `root ${root.version} is valid until ${until}, and renewed now it would be until ${next}; is it ${now}? Set the clock of this host`,
    )
  }

function registerKeyEdits(trust: Command): void {
  const edits = [
    ['add-root-key', 'one more key may sign roots', addRootKey],
    ['add-admission-key', 'one more key may admit nodes and pools', addAdmissionKey],
  ] as const
  for (const [name, description, edit] of edits) {
    change(trust, name, description, '--public-key b.key.pub')
      .requiredOption('--public-key <file>', 'the public key')
      .action((options: KeyOptions) => {
        const key = readPublicKey(options.publicKey)
        return changeRoot(options, (root) => edit(root, key))
      })
  }
  registerKeyRemovals(trust)
}

function registerKeyRemovals(trust: Command): void {
  change(trust, 'remove-root-key', 'a key may no longer sign roots', '--public-key b.key.pub')
    .requiredOption('--public-key <file|id>', `the public key; ${LOST_KEY}`)
    .action((options: KeyOptions) =>
      changeRoot(options, (root) =>
        removeRootKey(root, keyNamed(options.publicKey, root.root.keys, 'the root role')),
      ),
    )
  const description = 'a key may no longer admit; what it admitted is out, too'
  change(trust, 'remove-admission-key', description, '--public-key b.key.pub')
    .requiredOption('--public-key <file|id>', `the public key; ${LOST_KEY}`)
    .action((options: KeyOptions) =>
      changeRoot(options, (root) =>
        removeAdmissionKey(root, keyNamed(options.publicKey, root.admission.keys, 'admission')),
      ),
    )
}

interface KeyOptions extends ChangeOptions {
  readonly publicKey: string
}

interface FreshnessOptions extends ChangeOptions {
  readonly addKey?: readonly string[]
  readonly removeKey?: readonly string[]
  readonly maxAge?: string
  readonly maxSkew?: string
}

/** A day: a fleet that hears nothing for longer should know. */
const MOST_SECONDS = 86_400

function registerFreshness(trust: Command): void {
  change(
    trust,
    'set-freshness',
    'whose word of what is newest counts, and after which silence a node says so',
    '--max-age 120',
  )
    .option('--add-key <file...>', "public key of a seed's freshness key", collect)
    .option('--remove-key <file|id...>', `public key that counts no longer; ${LOST_KEY}`, collect)
    .option('--max-age <seconds>', 'a node that hears nothing new for so long is stale')
    .option('--max-skew <seconds>', 'how far clocks may differ')
    .action((options: FreshnessOptions) => {
      const { maxAge, maxSkew, removeKey = [] } = options
      const edit = {
        add: (options.addKey ?? []).map(readPublicKey),
        ...(maxAge === undefined ? {} : { maxAgeS: wholeNumber('--max-age', maxAge, 1, MOST_SECONDS) }),
        ...(maxSkew === undefined ? {} : { maxSkewS: wholeNumber('--max-skew', maxSkew, 0, MOST_SECONDS) }),
      }
      if (edit.add.length + removeKey.length === 0 && maxAge === undefined && maxSkew === undefined) {
        throw new MeshError(
          'USAGE',
          'set-freshness: name what to change: --add-key, --remove-key, --max-age, --max-skew',
        )
      }
      return changeRoot(options, (root) => {
        const remove = removeKey.map((given) => keyNamed(given, root.freshness.keys, 'freshness'))
        return setFreshness(root, { ...edit, remove })
      })
    })
}

function registerRemovals(trust: Command): void {
  change(trust, 'remove-node', 'shut a node out', '12D3KooW…')
    .argument('<peer>', "the node's peer id")
    .option('--until <date>', `end of its certificate; ${DROPPED}`)
    .action((text: string, options: RemovalOptions) => {
      const peer = argument('PEER', text, parsePeerId)
      const given = options.until === undefined ? undefined : dateOf(options.until)
      return changeRoot(options, (root) => removeNode(root, peer, given, given !== undefined))
    })
  change(trust, 'remove-pool', 'shut a pool out, with all its members', 'pool.json')
    .argument('<certificate|key-digest>', "the pool's certificate, or the digest of its key")
    .option('--until <date>', `instead of the end of the certificate shown; ${DROPPED}`)
    .action((text: string, options: RemovalOptions) => {
      const { key, until } = poolOf(text)
      const given = options.until === undefined ? undefined : dateOf(options.until)
      return changeRoot(options, (root) => removePool(root, key, given ?? until, given !== undefined))
    })
}

interface RemovalOptions extends ChangeOptions {
  readonly until?: string
}

const DROPPED = 'the entry is dropped a week later, also one that is there already'

/** A file of that name counts first: no file is called like a digest by accident. */
function poolOf(text: string): { key: KeyId; until?: number } {
  if (!existsSync(text) && isDigest(text)) return { key: text as string as KeyId }
  const json = readInput(text, 'a pool certificate')
  const { subject, notAfter } = naming(text, () => {
    const envelope = decodeEnvelopeJson(json, LIMITS)
    checkType(envelope, 'certificate')
    return decodeCertificate(envelope.payload, LIMITS)
  })
  if ('pool' in subject) return { key: subject.key, until: notAfter }
  throw new MeshError(
    'USAGE',
    `${text} is the certificate of a node; confmesh trust remove-node ${subject.peer}`,
  )
}

function dateOf(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?$/.test(text) ? realTime(text) : Number.NaN
  if (Number.isSafeInteger(ms)) return ms
  throw new MeshError('USAGE', `--until: "${text}" is no date such as 2027-01-31`, { argument: '--until' })
}

import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { encodeEnvelopeJson } from '../../codec/envelope-json.ts'
import { isMeshError, MeshError } from '../../errors.ts'
import type { Labels } from '../../model/certificate.ts'
import type { Envelope } from '../../model/envelope.ts'
import type { KeyId } from '../../model/ids.ts'
import { parseName, parsePattern, parsePeerId } from '../../model/names.ts'
import { issueNodeCertificate, issuePool, type Validity } from '../../trust/certificates.ts'
import { argument, collect, wholeNumber } from '../arguments.ts'
import { writeNew } from '../files.ts'
import { readPrivateKey, readPublicKey } from '../key-files.ts'
import { out, warn } from '../output.ts'
import { readRoot } from '../root-files.ts'
import { wholeSecond } from '../time.ts'

interface Options {
  readonly admissionKey: string
  readonly label?: readonly string[]
  readonly days: string
  readonly out?: string
  readonly pool?: string
  readonly publicKey?: string
}

const DAY_MS = 86_400_000

export function register(program: Command): void {
  program
    .command('admit')
    .description('make a certificate that admits one node, or a pool: a key that a group of hosts shares')
    .argument('[peer]', "the node's peer id: confmesh identity --data DIR")
    .option(
      '--pool <name>',
      'admit a pool of this name instead of a node; --label says what it may grant, as patterns',
    )
    .option('--public-key <file>', "the pool's public key: confmesh keygen")
    .requiredOption('--admission-key <file>', 'a key that the trust root names for admission')
    .option('--label <k=v...>', 'labels that others may rely on, such as region=eu', collect)
    .option('--days <n>', 'how long it is valid', '365')
    .option('--out <file>', 'write it to a new file instead of stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh admit 12D3KooW... --admission-key admission.key --label region=eu --out node.cert.json\n  confmesh admit --pool hosts --public-key pool2.key.pub --admission-key admission.key --label region=* zone=* --out pool2.json\n',
    )
    .action((peer: string | undefined, options: Options) => admit(peer, options))
}

function admit(peerText: string | undefined, options: Options): void {
  const days = wholeNumber('--days', options.days, 1, 36_500)
  const notBefore = wholeSecond(Date.now())
  const valid = { notBefore, notAfter: notBefore + days * DAY_MS }
  const { subject, facts, envelope } = certificateFor(peerText, options, valid)
  const text = encodeEnvelopeJson(envelope)
  const said = { ...facts, notAfter: new Date(valid.notAfter).toISOString() }
  if (options.out === undefined) {
    out({ ...said, certificate: JSON.parse(text) }, text.trimEnd())
    return
  }
  const certificate = resolve(options.out)
  writeNew(certificate, text, 0o644)
  out({ ...said, certificate }, `${certificate}: admits ${subject} until ${said.notAfter}`)
}

interface Made {
  readonly subject: string
  readonly facts: object
  readonly envelope: Envelope
}

function certificateFor(peerText: string | undefined, options: Options, valid: Validity): Made {
  const { pool, publicKey, label = [] } = options
  const admissionKey = readPrivateKey(options.admissionKey)
  warnUnnamed(options.admissionKey, admissionKey.id)
  if (peerText !== undefined && pool === undefined && publicKey === undefined) {
    const peer = argument('PEER', peerText, parsePeerId)
    const labels = readLabels(label, parseName)
    const envelope = issueNodeCertificate({ peer, labels, ...valid }, admissionKey)
    return { subject: peer, facts: { peer, labels: Object.fromEntries(labels) }, envelope }
  }
  if (pool === undefined || publicKey === undefined || peerText !== undefined)
    throw new MeshError('USAGE', 'admit takes PEER, or else --pool NAME and --public-key FILE')
  const name = argument('--pool', pool, parseName)
  const key = readPublicKey(publicKey)
  const labels = readLabels(label, parsePattern)
  const envelope = issuePool({ name, key, labels, ...valid }, admissionKey)
  return {
    subject: `pool ${name}`,
    facts: { pool: name, key: key.id, labels: Object.fromEntries(labels) },
    envelope,
  }
}

/** Peers refuse what another key signed. Only said: a root that names the key may be on its way. */
function warnUnnamed(keyFile: string, key: KeyId): void {
  const path = join(dirname(resolve(keyFile)), 'root.json')
  if (!existsSync(path)) return
  try {
    const { root } = readRoot(path)
    if (root.admission.keys.includes(key)) return
    warn(
      `${path} (version ${root.version}) does not name ${keyFile} for admission: peers refuse what it signs`,
    )
  } catch (error) {
    // It is not asked for here: commands that need it say what is wrong with it.
    if (!isMeshError(error)) throw error
  }
}

function readLabels(given: readonly string[], parse: (text: string) => string): Labels {
  const labels = new Map<string, string>()
  for (const pair of given) {
    const at = pair.indexOf('=')
    if (at < 1) throw new MeshError('USAGE', `--label: "${pair}" is not NAME=VALUE`, { argument: '--label' })
    const name = argument('--label', pair.slice(0, at), parseName)
    if (labels.has(name))
      throw new MeshError('USAGE', `--label: ${name} is given twice`, { argument: '--label' })
    labels.set(name, argument('--label', pair.slice(at + 1), parse))
  }
  return labels
}

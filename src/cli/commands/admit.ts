import { resolve } from 'node:path'
import type { Command } from 'commander'
import { encodeEnvelopeJson } from '../../codec/envelope-json.ts'
import { MeshError } from '../../errors.ts'
import type { Labels } from '../../model/certificate.ts'
import { parseName, parsePeerId } from '../../model/names.ts'
import { issueNodeCertificate } from '../../trust/certificates.ts'
import { argument, collect, wholeNumber } from '../arguments.ts'
import { writeNew } from '../files.ts'
import { readPrivateKey } from '../key-files.ts'
import { out } from '../output.ts'
import { wholeSecond } from '../time.ts'

interface Options {
  readonly admissionKey: string
  readonly label?: readonly string[]
  readonly days: string
  readonly out?: string
}

const DAY_MS = 86_400_000

export function register(program: Command): void {
  program
    .command('admit')
    .description('make a certificate that admits one node, for fleets that keep no pool on their hosts')
    .argument('<peer>', "the node's peer id: confmesh identity --data DIR")
    .requiredOption('--admission-key <file>', 'a key that the trust root names for admission')
    .option('--label <k=v...>', 'labels that others may rely on, such as region=eu', collect)
    .option('--days <n>', 'how long it is valid', '365')
    .option('--out <file>', 'write it to a new file instead of stdout')
    .addHelpText(
      'after',
      '\nExample:\n  confmesh admit 12D3KooW... --admission-key admission.key --label region=eu --out node.cert.json\n',
    )
    .action((peerText: string, options: Options) => admit(peerText, options))
}

function admit(peerText: string, options: Options): void {
  const peer = argument('PEER', peerText, parsePeerId)
  const labels = readLabels(options.label ?? [])
  const days = wholeNumber('--days', options.days, 1, 36_500)
  const notBefore = wholeSecond(Date.now())
  const notAfter = notBefore + days * DAY_MS
  const key = readPrivateKey(options.admissionKey)
  const text = encodeEnvelopeJson(issueNodeCertificate({ peer, labels, notBefore, notAfter }, key))
  const facts = { peer, labels: Object.fromEntries(labels), notAfter: new Date(notAfter).toISOString() }
  if (options.out === undefined) {
    out({ ...facts, certificate: JSON.parse(text) }, text.trimEnd())
    return
  }
  const certificate = resolve(options.out)
  writeNew(certificate, text, 0o644)
  out({ ...facts, certificate }, `${certificate}: admits ${peer} until ${facts.notAfter}`)
}

function readLabels(given: readonly string[]): Labels {
  const labels = new Map<string, string>()
  for (const pair of given) {
    const at = pair.indexOf('=')
    if (at < 1) throw new MeshError('USAGE', `--label: "${pair}" is not NAME=VALUE`, { argument: '--label' })
    const name = argument('--label', pair.slice(0, at), parseName)
    if (labels.has(name))
      throw new MeshError('USAGE', `--label: ${name} is given twice`, { argument: '--label' })
    labels.set(name, argument('--label', pair.slice(at + 1), parseName))
  }
  return labels
}

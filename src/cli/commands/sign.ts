import { resolve } from 'node:path'
import type { Command } from 'commander'
import { MeshError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import { encodePrepared, readPrepared } from '../../publish/prepared.ts'
import { addSignature } from '../../trust/signing.ts'
import { collect } from '../arguments.ts'
import { replaceFile } from '../files.ts'
import { readPrivateKey } from '../key-files.ts'
import { out, printable } from '../output.ts'
import { amount } from '../publish-text.ts'
import { short } from '../text.ts'

export function register(program: Command): void {
  program
    .command('sign')
    .description('add signatures to a release that waits in a file (publish --prepare)')
    .argument('<file>', 'as publish --prepare wrote it')
    .option('--key <file>', "the publisher's key; again for more", collect)
    .addHelpText('after', '\nExample:\n  confmesh sign release.json --key b.key\n')
    .action((file: string, options: { key?: readonly string[] }) => {
      if (options.key === undefined) throw new MeshError('USAGE', 'name a key: --key FILE')
      const prepared = readPrepared(file, LIMITS)
      const envelope = options.key.map(readPrivateKey).reduce(addSignature, prepared.envelope)
      if (envelope.signatures.length > LIMITS.maxSignatures)
        throw new MeshError('LIMIT_SIGNATURES', `${file}: more than ${LIMITS.maxSignatures} signatures`)
      replaceFile(resolve(file), encodePrepared({ ...prepared, envelope }), 0o644)
      const { id, header } = prepared.release
      const signatures = envelope.signatures.length
      const value = { release: id, channel: header.channel, signatures, prepared: resolve(file) }
      const said = header.message === '' ? '' : `: ${header.message}`
      const what = `${amount(header)}, by ${header.publisher}${said}`
      out(value, [
        `${header.channel} ${short(id)}: ${printable(what)}`,
        `${file} bears ${signatures} signature${signatures === 1 ? '' : 's'}`,
      ])
    })
}

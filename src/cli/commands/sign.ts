import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { MeshError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { Envelope } from '../../model/envelope.ts'
import type { Release } from '../../model/release.ts'
import { claim, openMemory } from '../../publish/counter.ts'
import { requireKnown } from '../../publish/known.ts'
import { encodePrepared, readPrepared } from '../../publish/prepared.ts'
import { epochOf } from '../../trust/epoch.ts'
import type { PrivateKey } from '../../trust/private-key.ts'
import { addSignature } from '../../trust/signing.ts'
import { collect } from '../arguments.ts'
import { replaceFile, whileLocked } from '../files.ts'
import { readPrivateKey } from '../key-files.ts'
import { out, printable, warn } from '../output.ts'
import { distinct, lockAll, readChain } from '../publish-session.ts'
import { amount } from '../publish-text.ts'
import { short } from '../text.ts'
import { timeOf } from '../time.ts'

interface Options {
  readonly key?: readonly string[]
  readonly root?: string
}

/** The key of `sign` is a file. */
const NO_OTHER = ''

export function register(program: Command): void {
  program
    .command('sign')
    .description('add signatures to a release that waits in a file (publish --prepare)')
    .argument('<file>', 'as publish --prepare wrote it')
    .option('--key <file>', "the publisher's key; again for more", collect)
    .option(
      '--root <file>',
      'trust root, for the epoch (default: root.json beside the key, where there is one)',
    )
    .addHelpText('after', '\nExample:\n  confmesh sign release.json --key b.key\n')
    .action(async (file: string, options: Options) => {
      if (options.key === undefined) throw new MeshError('USAGE', 'name a key: --key FILE')
      const prepared = readPrepared(file, LIMITS)
      requireKnown(prepared.release)
      const files = distinct(options.key.map((one) => resolve(one)))
      const keys = files.map(readPrivateKey)
      requireRoom(file, keys.reduce(addSignature, prepared.envelope))
      const remembering = files.filter(canRemember)
      const free = await lockAll(remembering, NO_OTHER)
      let envelope: Envelope
      try {
        // As publish does: no signature is seen before its counter is remembered.
        for (const key of remembering)
          await claim(
            openMemory(key, NO_OTHER),
            prepared.release,
            epochFor(prepared.release, key, options.root),
          )
        envelope = await whileLocked(resolve(file), () => addTo(file, prepared.release, keys))
      } finally {
        await free()
      }
      const { id, header } = prepared.release
      const signatures = envelope.signatures.length
      const ends = header.expires === undefined ? undefined : timeOf(header.expires)
      const value = {
        ...{ release: id, channel: header.channel, signatures, prepared: resolve(file) },
        ...(ends === undefined ? {} : { expires: ends }),
      }
      const said = header.message === '' ? '' : `: ${header.message}`
      const what = `${amount(header)}, by ${header.publisher}${said}`
      out(value, [
        `${header.channel} ${short(id)}: ${printable(what)}`,
        ...(ends === undefined ? [] : [`not newly activated after ${ends}`]),
        `${file} bears ${signatures} signature${signatures === 1 ? '' : 's'}`,
      ])
    })
}

/** To what the file holds now: others may have signed while locks were awaited. @throws MeshError INPUT_EXISTS, LIMIT_SIGNATURES */
function addTo(file: string, release: Release, keys: readonly PrivateKey[]): Envelope {
  const prepared = readPrepared(file, LIMITS)
  if (prepared.release.id !== release.id)
    throw new MeshError('INPUT_EXISTS', `${file} holds another release by now; look at it first`, {
      path: file,
    })
  const envelope = keys.reduce(addSignature, prepared.envelope)
  requireRoom(file, envelope)
  replaceFile(resolve(file), encodePrepared({ ...prepared, envelope }), 0o644)
  return envelope
}

/** @throws MeshError LIMIT_SIGNATURES */
function requireRoom(file: string, { signatures }: Envelope): void {
  if (signatures.length > LIMITS.maxSignatures)
    throw new MeshError('LIMIT_SIGNATURES', `${file}: more than ${LIMITS.maxSignatures} signatures`)
}

/** A key on a medium that takes no writes signs all the same: whoever keeps it so relies on the seeds' word alone. */
function canRemember(key: string): boolean {
  try {
    accessSync(dirname(key), constants.W_OK)
    return true
  } catch {
    warn(`${key}: its folder cannot be written, so that what it signs is not remembered`)
    return false
  }
}

/** Whoever signs needs no trust root; without one of this fleet the key's own memory says which epoch it is. */
function epochFor({ header }: Release, key: string, given: string | undefined): number {
  const path = given ?? join(dirname(key), 'root.json')
  if (given === undefined && !existsSync(path)) return 1
  const { current } = readChain(path)
  return current.fleetId === header.fleet ? epochOf(current, header.channel) : 1
}

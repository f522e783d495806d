/** A release whose time is over is brought to no seed: no node would activate it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { register as registerImport } from '../../../src/cli/commands/import.ts'
import { register as registerPublish } from '../../../src/cli/commands/publish.ts'
import { requireUnexpired } from '../../../src/cli/expiry.ts'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { LIMITS } from '../../../src/limits.ts'
import { writeCar } from '../../../src/publish/car.ts'
import { encodePrepared } from '../../../src/publish/prepared.ts'
import { make } from '../core/fleet.ts'

const over = make({ clock: { alice: 1 }, header: { expires: Date.UTC(2020, 0, 31) } })

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-expiry-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function refused(register: (program: Command) => void, ...words: readonly string[]): Promise<void> {
  const program = new Command()
  register(program)
  await expect(program.parseAsync(words, { from: 'user' })).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('expired at 2020-01-31T00:00:00.000Z, which is in the past'),
  })
}

test('neither where it waited for signatures', async () => {
  const file = join(dir, 'release.json')
  const envelope = decodeEnvelope(over.envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  writeFileSync(file, encodePrepared({ envelope, paths: [] }))
  await refused(registerPublish, 'publish', '--prepared', file)
})

test('nor out of a CAR file', async () => {
  const file = join(dir, 'release.car')
  const blocks = async function* () {
    for (const [digest, bytes] of over.content) yield { digest, bytes }
  }
  const parts: Uint8Array[] = []
  for await (const part of writeCar(over.envelope, blocks())) parts.push(part)
  writeFileSync(file, Buffer.concat(parts))
  await refused(registerImport, 'import', file)
})

test('One that has time left, or no end, is', () => {
  for (const header of [{}, { expires: Date.now() + 60_000 }]) requireUnexpired('release', header)
})

/** What is wrong with a document, or too large, is said with the file that it is, and where there is a way out with that. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { encodePrepared, readPrepared } from '../../../src/publish/prepared.ts'
import { confmesh, json } from '../../e2e/command-line.ts'
import { CHANNEL, FakeNode, type Served, serve, sha } from '../../integration/api/fake-node.ts'
import { make, ROOT, rootBytes } from '../core/fleet.ts'

const dir = mkdtempSync(join(tmpdir(), 'confmesh-named-'))
const at = (name: string): string => join(dir, name)
const node = new FakeNode()
let served: Served
beforeAll(async () => {
  served = await serve(node)
  await json('init', at('fleet'))
})
afterAll(async () => {
  await served.api.stop()
  rmSync(dir, { recursive: true, force: true })
})

const envelopeOf = (bytes: Uint8Array) => decodeEnvelope(bytes, LIMITS.maxEnvelopeBytes, LIMITS)
const expectNamed = (file: string, code: string, what: string) =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(`^${file}: .*${what}`),
    details: expect.objectContaining({ path: file }),
  })

test('a prepared release whose envelope was tampered with, or is no release', () => {
  const file = at('release.json')
  const { envelope } = make({ clock: { alice: 1 } })
  const text = encodePrepared({ envelope: envelopeOf(envelope), paths: [] })
  for (const [tampered, code, what] of [
    [text.replace('"payload":', '"pay":'), 'CODEC_MALFORMED', 'no "payload"'],
    [text.replace(/("payload": ")..../, '$1AAAA'), 'CODEC_MALFORMED', 'cbor'],
    [encodePrepared({ envelope: envelopeOf(rootBytes(ROOT)), paths: [] }), 'TRUST_TYPE', 'release'],
  ] as const) {
    writeFileSync(file, tampered)
    expect(() => readPrepared(file, LIMITS)).toThrow(expectNamed(file, code, what))
  }
})

test('what is named as the certificate of a pool and is none', async () => {
  const remove = (file: string) =>
    confmesh(
      'trust',
      'remove-pool',
      file,
      '--root',
      at('fleet/root.json'),
      '--root-key',
      at('fleet/root.key'),
    )
  writeFileSync(at('notes.json'), '{"a": 1}')
  const run = await remove(at('notes.json'))
  expect([run.code, run.err]).toEqual([
    3,
    expect.stringMatching(`^confmesh: CODEC_MALFORMED: ${at('notes.json')}: .*no "payload"`),
  ])
  writeFileSync(at('root.json'), encodeEnvelopeJson(envelopeOf(rootBytes(ROOT))))
  expect((await remove(at('root.json'))).err).toContain(`TRUST_TYPE: ${at('root.json')}: `)
})

test('a file that fits into no JSON value: before anything of it is asked for', async () => {
  const size = 64 * 1024 * 1024 + 1
  const file = { path: 'model.bin', mode: 0o444, size, digest: sha('') as Digest }
  const { id } = node.activate({ 'model.bin': 'x' })
  node.files = async () => ({ release: id, files: [file] })
  node.read = () => Promise.reject(new Error('asked for'))
  const run = await confmesh('get', CHANNEL, 'model.bin', '--json', '--api', served.api.url)
  expect([run.code, JSON.parse(run.out)]).toMatchObject([
    2,
    { error: { code: 'LIMIT_BYTES', message: expect.stringMatching(`model.bin: ${size} bytes.*--out DIR`) } },
  ])
})

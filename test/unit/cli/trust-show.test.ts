import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { setOutput } from '../../../src/cli/output.ts'
import { saveEnvelope } from '../../../src/cli/root-files.ts'
import { showRoot } from '../../../src/cli/trust-show.ts'
import { asJson } from '../../../src/codec/extra.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { pattern, rootKeys, rootOne } from '../trust/fixtures.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-trust-show-'))
  setOutput({ json: true, verbose: false })
})
afterEach(() => {
  setOutput({ json: false, verbose: false })
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

test('what a newer build says in a part is not printed as numbers of its bytes', () => {
  const root = rootOne()
  const extra = asJson.pack({ waves: 1 })
  const epoch = { pattern: pattern('pay/*'), value: 1 }
  const newer = { ...root, freshness: { ...root.freshness, extra }, epochs: [{ ...epoch, extra }] }
  const path = join(dir, 'root.json')
  saveEnvelope(path, signEnvelope('root', encodeRoot(newer), rootKeys))
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  showRoot(path)
  const shown = JSON.parse(String(write.mock.calls[0]?.[0]))
  expect(shown).toMatchObject({ freshness: root.freshness, epochs: [epoch] })
  expect(JSON.stringify(shown)).not.toContain('extra')
})

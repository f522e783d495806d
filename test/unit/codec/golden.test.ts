import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hexToBytes } from '../../../src/codec/digest.ts'
import { golden, samples } from './samples.ts'

/**
 * The bytes of each document as version 1 has them. A difference here is a change that a running fleet would
 * not understand: it needs a new `v`, not new golden files.
 */
const folder = join(import.meta.dirname, '../../golden')
const read = (name: string): { sha256: string; bytes: string } =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))

describe('golden documents', () => {
  for (const { name, value, encode, decode } of samples) {
    test(`${name} encodes to the recorded bytes and digest`, () => {
      expect(golden(encode(value))).toEqual(read(name))
    })
    test(`${name}: the recorded bytes decode to the document, and back`, () => {
      const bytes = hexToBytes(read(name).bytes)
      expect(decode(bytes)).toEqual(value)
      expect(encode(decode(bytes))).toEqual(bytes)
    })
  }

  test('there is one file for each document and none besides', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
    expect(files.sort()).toEqual(samples.map(({ name }) => `${name}.json`).sort())
  })
})

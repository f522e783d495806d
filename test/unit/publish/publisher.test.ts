/** Keys that speak for no publisher: what is said leads to no change of the root but the one that is wanted. */
import { expect, test } from 'vitest'
import type { KeyId } from '../../../src/model/ids.ts'
import { type By, ownersOf, requireThreshold, speakerFor } from '../../../src/publish/publisher.ts'
import { channel, name, otherKey, pattern, publisherKey, rootOne, spec, thirdKey } from '../trust/fixtures.ts'

const [CI, WEB] = [name('ci'), name('web')]
const ROOT = rootOne([
  spec({ name: CI }),
  spec({ name: WEB, keys: [otherKey.public], patterns: [pattern('web/*')] }),
])
const brief = ({ id }: { readonly id: KeyId }): string => id.slice(0, 12)
const [own, other, third] = [publisherKey, otherKey, thirdKey].map(brief)

const why = (by: Partial<By>, root = ROOT): unknown => {
  try {
    return ownersOf(root, { keys: [], name: undefined, ...by })
  } catch (error) {
    return error
  }
}

test.each<[string, Partial<By>, string]>([
  ['a name that is misspelt', { name: name('ic') }, 'root 1 has no publisher ic, but ci, web'],
  [
    'a key of another',
    { name: CI, keys: [publisherKey.id, otherKey.id] },
    `publisher ci has no key ${other} in root 1; use one that it has, or add a new one with: confmesh trust rotate ci --add-key FILE`,
  ],
  [
    'keys of two',
    { keys: [publisherKey.id, otherKey.id] },
    `no publisher has all of these keys in root 1 (${own} of ci; ${other} of web); name those of one`,
  ],
  [
    'a key that was rotated out, or is new',
    { keys: [publisherKey.id, thirdKey.id] },
    `no publisher has the key ${third} in root 1; use the publisher's present key, or add a new one with: confmesh trust rotate PUBLISHER --add-key FILE (a new publisher: confmesh trust add-publisher)`,
  ],
])('%s', (_, by, message) => {
  expect(why(by)).toMatchObject({ code: 'TRUST_UNAUTHORISED', message })
})

test('a root without publishers has none to use', () => {
  const message = 'root 1 has no publisher; add one with: confmesh trust add-publisher'
  for (const by of [{}, { name: CI }, { keys: [thirdKey.id] }])
    expect(why(by, rootOne([]))).toMatchObject({ code: 'TRUST_UNAUTHORISED', message })
})

test('whoever has too few keys, at whichever command, is told another command, and no option of this one', () => {
  const two = rootOne([spec({ name: CI, keys: [publisherKey.public, otherKey.public], threshold: 2 })])
  const speaker = speakerFor(two, channel('pay/prod'), { keys: [publisherKey.id], name: undefined })
  const message =
    'publisher ci needs 2 signatures, 1 at hand; name more keys, or publish the files by: confmesh publish --prepare, then confmesh sign'
  expect(() => requireThreshold(speaker, 1)).toThrow(expect.objectContaining({ message }))
  requireThreshold(speaker, 2)
})

import { expect, it } from 'vitest'
import type { Name } from '../../../src/model/ids.ts'
import { comparePlaces } from '../../../src/model/place.ts'

it('at equal counters names rank by their bytes, as on every host, not as some language sorts them', () => {
  const names = ['p', 'p-a', 'p.a', 'p0', 'p_a'] as Name[]
  const byBytes = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const places = names.toReversed().map((publisher) => ({ epoch: 1, counter: 1, publisher }))
  expect(places.sort(comparePlaces).map(({ publisher }) => publisher)).toEqual(byBytes)
})

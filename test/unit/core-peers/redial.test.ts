import { expect, it } from 'vitest'
import { Redial } from '../../../src/core/redial.ts'
import { limitsOf, peer } from './fakes.ts'

it('remembers so many peers: whoever came and went with new identities leaves nothing for ever', () => {
  const redial = new Redial(limitsOf({ maxKnownPeers: 2 }), () => 0)
  for (const name of ['a', 'b', 'c']) redial.failed(peer(name), 0, true)
  expect(['a', 'b', 'c'].map((name) => redial.failures(peer(name)))).toEqual([0, 1, 1])
})

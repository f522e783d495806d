/** A connection that breaks while its peer is asked for a block: the transport tells of the end first, of the question later. */
import { expect, test } from 'vitest'
import { hex } from '../core-peers/fakes.ts'
import { fetcher, OTHER } from './fetcher.ts'

test('it is no silence: linked anew, the peer is asked for what it announces', () => {
  const { started, announce, give, others, digests, relinked } = fetcher()
  for (const page of started.length > 0 ? started : announce(OTHER, [0])) give(page)
  const last = others.at(-1) ?? hex('0')
  const place = digests.indexOf(last) + 1
  const asked = announce(OTHER, [place])
  expect(asked).toEqual([expect.objectContaining({ to: OTHER, digest: last })])
  expect(relinked(OTHER, asked).map(({ digest }) => digest)).not.toContain(last)
  expect(announce(OTHER, [place])).toEqual([expect.objectContaining({ to: OTHER, digest: last })])
})

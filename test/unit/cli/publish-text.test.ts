import { expect, test } from 'vitest'
import { changeLines } from '../../../src/cli/publish-text.ts'
import { CHANNEL, make } from '../core/fleet.ts'

const { header } = make({ clock: { alice: 1 } }).release
const standing = { epoch: 2, releases: [], target: undefined, held: false, conflict: false, holders: [] }
const first = (isNew: Parameters<typeof changeLines>[0]['isNew']) =>
  changeLines({ standing, header, isNew })[0]

test('an empty channel is new, or known and of an epoch that has ended, or nobody was asked', () => {
  expect(first({ channel: CHANNEL, nearest: undefined, known: [] })).toBe(
    `${CHANNEL} is empty; this is its first release`,
  )
  expect(changeLines({ standing: { ...standing, epoch: 1 }, header, isNew: undefined })[0]).toBe(
    `no release of ${CHANNEL} is known here`,
  )
  expect(first(undefined)).toBe(
    `nothing counts in ${CHANNEL} under epoch 2; what is active stays until this release`,
  )
})

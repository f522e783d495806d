import { afterEach, expect, test, vi } from 'vitest'
import { setOutput } from '../../../src/cli/output.ts'
import { changeLines, outPublished } from '../../../src/cli/publish-text.ts'
import { CHANNEL, make } from '../core/fleet.ts'

const { header } = make({ clock: { alice: 1 } }).release
afterEach(() => {
  vi.restoreAllMocks()
  setOutput({ json: false, verbose: false })
})

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

test.each([true, false])(
  'a release that no node activates, another’s being above it, says so; --json: %s',
  (json) => {
    setOutput({ json, verbose: false })
    const { id, header: facts } = make({ clock: { alice: 1 } }).release
    const done = { ...facts, release: id, uploadedBytes: 0, unchanged: false, acknowledgedBy: [] }
    const streams = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, 'write').mockReturnValue(true),
    )
    const [said, warned] = streams.map(
      ({ mock }) =>
        () =>
          String(mock.calls.at(-1)?.[0] ?? ''),
    )
    outPublished(CHANNEL, { ...done, verdict: 'NEW' })
    expect(warned?.()).toBe('')
    outPublished(CHANNEL, { ...done, verdict: 'CONCURRENT' })
    expect(warned?.()).toMatch(
      new RegExp(`no node activates ${id.slice(0, 12)}: .* beside it in ${CHANNEL} .* publish again`),
    )
    if (json) expect(JSON.parse(said?.() ?? '')).toMatchObject({ release: id, verdict: 'CONCURRENT' })
    outPublished(CHANNEL, done)
    if (json) expect(JSON.parse(said?.() ?? '')).not.toHaveProperty('verdict')
  },
)

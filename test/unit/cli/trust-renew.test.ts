import { expect, test, vi } from 'vitest'
import { warnOfExpiry } from '../../../src/cli/publish-session.ts'
import { twoYearsFrom } from '../../../src/cli/time.ts'
import { renewed } from '../../../src/cli/trust-roles.ts'
import { ROOT, WALL_MS } from '../core/fleet.ts'

const YEAR_MS = 365 * 24 * 3_600_000

test('a root is renewed for two years from now', () => {
  const renewedOnce = renewed(WALL_MS)(ROOT)
  expect(renewedOnce).toMatchObject({ version: 2, expires: twoYearsFrom(WALL_MS) })
  // in the same second, as scripts do
  expect(renewed(WALL_MS)(renewedOnce)).toMatchObject({ version: 3, expires: twoYearsFrom(WALL_MS) })
})

test('one that would end earlier is not made: the clock of this host is far behind', () => {
  for (const now of [WALL_MS - 16 * YEAR_MS, WALL_MS - 1_000])
    expect(() => renewed(now)({ ...ROOT, expires: twoYearsFrom(WALL_MS) })).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('Set the clock') }),
    )
})

test('an expired root is warned of wherever it is handed out', () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  warnOfExpiry({ ...ROOT, expires: Date.now() + YEAR_MS })
  expect(said).not.toHaveBeenCalled()
  warnOfExpiry({ ...ROOT, expires: Date.now() - 1 })
  expect(said).toHaveBeenCalledWith(expect.stringContaining('root 1 expired at '))
  said.mockRestore()
})

import type { Logger } from 'pino'
import { expect, test } from 'vitest'
import { logPort } from '../../../src/daemon/log.ts'

function collecting(enabled = true) {
  const lines: { code: string; leftOut?: number }[] = []
  const refused: string[] = []
  const take = (fields: { code: string }): number => lines.push(fields)
  const levels = { debug: take, info: take, warn: take, error: take }
  const logger = { ...levels, isLevelEnabled: () => enabled } as unknown as Logger
  const port = logPort(logger, (code) => refused.push(code), { logLinesPerSecond: 50, logLinesBurst: 10 })
  const note = (code: 'CODEC_MALFORMED' | 'LIMIT_RATE') =>
    port.note({ kind: 'note', level: 'warn', code, text: 'x' })
  return { lines, refused, note }
}

test('a flood of one refusal is counted whole and written in part; others are written beside it', () => {
  const { lines, refused, note } = collecting()
  for (let at = 0; at < 10_000; at += 1) note('CODEC_MALFORMED')
  note('LIMIT_RATE')
  expect(refused).toHaveLength(10_001)
  expect(lines.length).toBeLessThan(200)
  expect(lines.at(-1)?.code).toBe('LIMIT_RATE')
})

test('the next line says how many were left out', async () => {
  const { lines, note } = collecting()
  for (let at = 0; at < 30; at += 1) note('CODEC_MALFORMED')
  const before = lines.length
  while (lines.length === before) {
    await new Promise((resolve) => setImmediate(resolve))
    note('CODEC_MALFORMED')
  }
  expect(lines.at(-1)?.leftOut).toBeGreaterThanOrEqual(20)
})

test('a level that is off costs no line and is counted all the same', () => {
  const { lines, refused, note } = collecting(false)
  for (let at = 0; at < 20; at += 1) note('CODEC_MALFORMED')
  expect([lines.length, refused.length]).toEqual([0, 20])
})

/** The table of protocols in docs/protocol.md says what the node allows. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { PROTOCOLS, protocolRules } from '../../../src/net/protocols.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/protocol.md'), 'utf8')
const rules = protocolRules(LIMITS)

/** Cells of the protocol's row, its name left out. */
function cellsOf(id: string): readonly string[] {
  const row = page.split('\n').find((line) => line.startsWith(`| \`${id}\` |`)) ?? ''
  return row.split('|').slice(2, -1)
}

/** The greatest size, in bytes, or time, in milliseconds, that a cell names. */
function greatestIn(cell: string | undefined, units: Readonly<Record<string, number>>): number {
  const found = [...(cell ?? '').matchAll(/(\d+) (KiB|MiB|s|min)/g)]
  return Math.max(...found.map(([, amount, unit]) => Number(amount) * (units[unit ?? ''] ?? Number.NaN)))
}
const BYTES = { KiB: 1_024, MiB: 1_024 ** 2 }
const MS = { s: 1_000, min: 60_000 }

test.each(PROTOCOLS)('%s', (protocol) => {
  const {
    id,
    maxRequestBytes,
    maxReplyBytes,
    messageDeadlineMs,
    answerDeadlineMs,
    maxStreams,
    admittedOnly,
  } = rules[protocol]
  const [who, request, reply, , message, answer, streams] = cellsOf(id)
  expect({
    who: who?.trim(),
    request: greatestIn(request, BYTES),
    reply: greatestIn(reply, BYTES),
    message: greatestIn(message, MS),
    answer: greatestIn(answer, MS),
    streams: Number(streams),
  }).toEqual({
    who: admittedOnly ? 'admitted peers' : 'everybody',
    request: maxRequestBytes,
    reply: maxReplyBytes,
    message: messageDeadlineMs,
    answer: answerDeadlineMs,
    streams: maxStreams,
  })
})

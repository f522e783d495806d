import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { serverSentEvents } from '../../../src/client/events.ts'

/** Of at most 100 characters each, from a stream that comes in such parts. */
function eventsOf(...said: string[]) {
  const response = Readable.from(said.map((part) => Buffer.from(part))) as IncomingMessage
  return serverSentEvents(response, 1_000, 100, () => undefined)
}

test.each([
  ['one line', Array.from({ length: 50 }, () => 'xxxx')],
  ['many lines', Array.from({ length: 50 }, () => 'x\ndata: ')],
])('an event without an end is given up: %s', async (_, parts) => {
  const events = eventsOf('event: release\ndata: short\n\n', 'event: release\ndata: ', ...parts)
  expect((await events.next()).value).toMatchObject({ data: 'short' })
  await expect(events.next()).rejects.toMatchObject({ code: 'LIMIT_BYTES' })
})

test('events that are not longer may be any number', async () => {
  const said = `event: release\ndata: ${'x'.repeat(60)}\n\n`
  let heard = 0
  for await (const _ of eventsOf(...Array.from({ length: 20 }, () => said))) heard++
  expect(heard).toBe(20)
})

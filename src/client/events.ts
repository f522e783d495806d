import type { IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { MeshError } from '../errors.ts'

/** Server-sent events of one response, until it ends. @throws MeshError NET_TIMEOUT where the node falls silent */
export async function* serverSentEvents(
  response: IncomingMessage,
  silenceMs: number,
): AsyncGenerator<EventSourceMessage> {
  const ready: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => ready.push(event) })
  response.setEncoding('utf8')
  response.setTimeout(silenceMs, () => response.destroy(new MeshError('NET_TIMEOUT', 'the node went silent')))
  for await (const chunk of response) {
    parser.feed(chunk as string)
    yield* ready.splice(0)
  }
}

import type { IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { MeshError } from '../errors.ts'
import { parts } from './transport.ts'

/** Server-sent events of one response, until it ends. @throws MeshError NET_TIMEOUT where the node falls silent, NET_UNREACHABLE */
export async function* serverSentEvents(
  response: IncomingMessage,
  silenceMs: number,
): AsyncGenerator<EventSourceMessage> {
  const ready: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => ready.push(event) })
  response.setEncoding('utf8')
  response.setTimeout(silenceMs, () => response.destroy(new MeshError('NET_TIMEOUT', 'the node went silent')))
  for await (const chunk of parts<string>(response)) {
    parser.feed(chunk)
    yield* ready.splice(0)
  }
}

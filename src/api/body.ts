import type { Context } from 'hono'
import { outgoingOf } from './answers.ts'

/** A long answer that comes in parts, of so many bytes; refused where there is no room for it. */
export type Send = (
  c: Context,
  parts: AsyncIterable<Uint8Array>,
  bytes: number,
  init: { readonly status: number; readonly headers: Record<string, string> },
) => Promise<Response>

/**
 * The body of an answer, once its first part is here: what fails before has a status to say so. What fails later ends the
 * connection, so that nobody takes for whole what was cut off.
 * @param onCut told why
 */
export async function bodyOf(
  c: Context,
  parts: AsyncIterable<Uint8Array>,
  onCut: (error: unknown) => void,
): Promise<ReadableStream<Uint8Array>> {
  const iterator = parts[Symbol.asyncIterator]()
  let first: IteratorResult<Uint8Array> | undefined = await iterator.next()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const part = first ?? (await iterator.next())
          first = undefined
          if (part.done === true) controller.close()
          else controller.enqueue(part.value)
        } catch (error) {
          onCut(error)
          const outgoing = outgoingOf(c)
          if (outgoing === undefined) return controller.error(error)
          outgoing.req.socket.destroy()
          // Nothing goes out any more, and an error here would be written to the process's own output.
          controller.close()
        }
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    // Read when the connection takes it: what is read ahead is held.
    { highWaterMark: 0 },
  )
}

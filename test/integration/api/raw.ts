import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
  /** Of problem+json. */
  readonly code: string | undefined
}

/** Bytes over a socket of our own: no client normalises, completes or refuses what the test sends. */
export function raw(url: string, text: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => socket.write(text))
    socket.setEncoding('latin1').setTimeout(30_000, () => socket.destroy(new Error('no answer within 30 s')))
    socket.on('data', (part: string) => {
      answer += part
    })
    socket.once('error', reject)
    socket.once('close', () => {
      const end = answer.indexOf('\r\n\r\n')
      const [head, body] = [answer.slice(0, end), answer.slice(end + 4)]
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]),
        head,
        body,
        code: /"code":"([A-Z_]+)"/.exec(body)?.[1],
      })
    })
  })
}

/** One request, closed after the answer. */
export const ask = (
  url: string,
  target: string,
  { method = 'GET', host = '127.0.0.1', headers = [] as string[] } = {},
): Promise<RawAnswer> =>
  raw(
    url,
    [`${method} ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...headers, '', ''].join('\r\n'),
  )

/** What a client may put into a request to the HTTP interface, beside the path. */
import { Answers } from '../../src/api/answers.ts'
import { createApp } from '../../src/api/app.ts'
import { MeshError } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'
import { CHANNEL, FakeNode } from '../integration/api/fake-node.ts'
import { bytesOf } from './change.ts'
import type { Target } from './targets.ts'

const node = new FakeNode()
const [before, now] = ['a: 1\n', 'a: 2\nb: 3\n'].map((text) => node.activate({ 'app.yaml': text }))
const broken: string[] = []
const onProblem = (code: string, text: string): void => {
  if (code === 'INTERNAL') broken.push(text)
}
const options = { hosts: [], token: undefined, version: '1.0.0', limits: LIMITS, onProblem }
const app = createApp(node, options, new Answers(LIMITS))
const folder = `http://127.0.0.1/v1/channels/${encodeURIComponent(CHANNEL)}`

/** As Node's HTTP parser hands them on: bytes, each a character. */
const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

async function answer(url: string, headers: Record<string, string>): Promise<Response> {
  let request: Request
  try {
    request = new Request(url, { headers })
  } catch (error) {
    // none that HTTP can carry: Node's own parser refuses it
    throw new MeshError('API_BAD_REQUEST', 'no request', {}, { cause: error })
  }
  const response = await app.fetch(request)
  const [problem] = broken.splice(0)
  if (problem !== undefined || response.status === 500) throw new Error(problem ?? 'status 500')
  if (response.status >= 400) throw new MeshError('API_BAD_REQUEST', `status ${response.status}`)
  return response
}

/** What is said of a part is what comes. */
async function ranged(bytes: Uint8Array): Promise<void> {
  const response = await answer(`${folder}/files/app.yaml`, { range: latin(bytes) })
  const body = await response.text()
  const whole = now?.files['app.yaml'] ?? ''
  const said = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get('content-range') ?? '')
  const [from, to] = said === null ? [0, whole.length - 1] : [Number(said[1]), Number(said[2])]
  if (to >= whole.length || (said !== null && Number(said[3]) !== whole.length))
    throw new Error(`${said?.[0]} of ${whole.length}`)
  if (body !== whole.slice(from, to + 1)) throw new Error(`${JSON.stringify(body)} as ${from} to ${to}`)
}

/** The first of what comes: the state, unless it is what was seen last. */
async function watched(bytes: Uint8Array): Promise<void> {
  const seen = latin(bytes)
  const response = await answer(`${folder}/watch`, { 'last-event-id': seen })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const first = Buffer.from((await reader.read()).value ?? []).toString()
  await reader.cancel()
  const isNews = first.startsWith('event: release\n')
  if (isNews === (seen.trim() === now?.id)) throw new Error(`${seen}: ${first}`)
}

export const HTTP_TARGETS: readonly Target[] = [
  {
    name: 'HTTP range',
    run: ranged,
    samples: ['bytes=0-3', 'bytes=-2', 'bytes=3-', 'bytes=0-0', 'BYTES=1-100', 'lines=1-2'].map(bytesOf),
  },
  {
    name: 'HTTP Last-Event-ID',
    run: watched,
    samples: [before?.id ?? '', now?.id ?? '', 'x'].map(bytesOf),
  },
  {
    name: 'HTTP query',
    run: async (bytes) => void (await answer(`${folder}/files?${latin(bytes)}`, {})),
    samples: [`release=${before?.id}`, `release=${now?.id}&wait=1`, 'a=b&a=c&%61=1', ''].map(bytesOf),
  },
]

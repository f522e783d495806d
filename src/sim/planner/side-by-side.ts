/** Several releases at once, a worker thread each: one run is never split, so that it stays the same run. */
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { Question } from './question.ts'
import { runOne } from './run-one.ts'
import type { RunResult } from './run-result.ts'

/** What a worker needs for a million nodes is a third of a GiB; two of those beside each other are enough. */
const ALONE_FROM_NODES = 500_000

interface Order {
  readonly planner: true
  readonly question: Question
}
type Message = { readonly done: number } | { readonly result: RunResult }

if (!isMainThread && (workerData as Partial<Order> | null)?.planner === true) work(workerData as Order)

function work({ question }: Order): void {
  const say = (message: Message): void => parentPort?.postMessage(message)
  say({ result: runOne(question, (done) => say({ done })) })
}

/** Results in the order of the questions. @param onProgress share of all that is done */
export async function runSideBySide(
  questions: readonly Question[],
  onProgress: (done: number) => void,
): Promise<readonly RunResult[]> {
  const [first] = questions
  if (questions.length === 1 && first !== undefined) return [runOne(first, onProgress)]
  const shares = questions.map(() => 0)
  const results: RunResult[] = []
  const waiting = [...questions.keys()]
  const lane = async (): Promise<void> => {
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
      const place = at
      results[place] = await inWorker(questions[place] as Question, (done) => {
        shares[place] = done
        onProgress(shares.reduce((sum, share) => sum + share, 0) / shares.length)
      })
    }
  }
  const lanes = (first?.nodes ?? 0) >= ALONE_FROM_NODES ? 1 : availableParallelism()
  await Promise.all(Array.from({ length: Math.min(lanes, questions.length) }, lane))
  return results
}

function inWorker(question: Question, onProgress: (done: number) => void): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const order: Order = { planner: true, question }
    const worker = new Worker(new URL(import.meta.url), { workerData: order })
    worker.on('message', (message: Message) => {
      if ('done' in message) onProgress(message.done)
      else {
        onProgress(1)
        resolve(message.result)
      }
    })
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`a simulation ended early, code ${code}`)))
  })
}

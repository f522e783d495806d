/** A fleet that stands, and files beside it, for what people get wrong. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll } from 'vitest'
import { at, type Fleet, inScratch, json } from './command-line.ts'
import { type InitResult, RealFleet, type RealNode } from './real-fleet.ts'

export const STRANGER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const real = new RealFleet()
export let fleet: Fleet
export let running: InitResult
export let seed: RealNode
let taken: Server
/** Somebody listens there. */
export let port: number

/** For the whole of a test file. */
export function standing(): void {
  inScratch()
  beforeAll(async () => {
    fleet = await json<Fleet>('init', 'fleet')
    running = await real.init()
    seed = await real.start('seed', running.seedConfig)
    taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    port = (taken.address() as { port: number }).port
    mkdirSync(at('app'))
    writeFileSync(at('app/app.yaml'), 'a: 1\n')
  })
  afterAll(async () => {
    taken.close()
    await real.end()
  })
}

export const write = (name: string, text: string, mode = 0o600): string => {
  writeFileSync(at(name), text)
  chmodSync(at(name), mode)
  return at(name)
}
export const config = (name: string, more: string): string =>
  write(name, `root: ${fleet.root}\ndata: ${at('data')}\napi: { listen: 127.0.0.1:0 }\n${more}`)
export const publishing = (path: string, ...more: string[]): string[] => [
  ...['publish', 'pay/prod', path, '--yes', '--key', fleet.publisherKey, '--root', fleet.root],
  ...more,
]
export const nowhere = (peer: string, at = 1): string => `/ip4/127.0.0.1/tcp/${at}/p2p/${peer}`

/** Exit code, code, what the line names, the command line (made late: files and ports come first). */
export type Row = [what: string, exit: number, code: string, names: string, args: () => string[]]

// The shortest use of the built program: a fleet of a seed and a node, one release, its file read from the node.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../src/cli/demo/free-port.ts'

const deadlineMs = 60_000
const channel = 'smoke/test'

type Init = { seedConfig: string; nodeConfig: string; publisherKey: string }
type Ready = { addresses: string[]; api: string }

/** Runs one command to its end and gives the JSON value it answers with. */
function ask<Answer>(bin: string, ...args: string[]): Answer {
  const options = { encoding: 'utf8', timeout: deadlineMs } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args, '--json'], options)
  if (status !== 0) throw new Error(`confmesh ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`)
  return JSON.parse(stdout) as Answer
}

/** Starts a node and waits for its line `{event: "ready"}`. */
function startNode(bin: string, started: ChildProcess[], ...args: string[]): Promise<Ready> {
  const child = spawn(process.execPath, [bin, 'node', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  return new Promise((done, fail) => {
    let out = ''
    let err = ''
    const late = setTimeout(() => fail(new Error(`the node is not ready: ${out}${err}`)), deadlineMs)
    child.stderr.on('data', (data) => {
      err += data
    })
    child.stdout.on('data', (data) => {
      out += data
      const ready = out.split('\n').find((line) => line.includes('"ready"') && line.endsWith('}'))
      if (ready === undefined) return
      clearTimeout(late)
      done(JSON.parse(ready) as Ready)
    })
    child.once('exit', (code) => fail(new Error(`the node ended with ${code}: ${out}${err}`)))
  })
}

async function fetchUntil(url: string, wanted: string): Promise<void> {
  const deadline = performance.now() + deadlineMs
  let last = ''
  while (performance.now() < deadline) {
    const answer = await fetch(url)
    last = `${answer.status} ${await answer.text()}`
    if (last === `200 ${wanted}`) return
    await pause(100)
  }
  throw new Error(`${url} still answers ${last}`)
}

const stop = (child: ChildProcess): Promise<number | null> =>
  new Promise((done) => {
    if (child.exitCode !== null) return done(child.exitCode)
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
    child.removeAllListeners('exit').once('exit', (code) => {
      clearTimeout(late)
      done(code)
    })
    child.kill('SIGTERM')
  })

/** @throws Error saying what did not work; nothing is left running. */
export async function publishAndRead(bin: string, folder: string): Promise<void> {
  const started: ChildProcess[] = []
  const codes: (number | null)[] = []
  try {
    const made = ask<Init>(bin, 'init', folder, '--channel', 'smoke/*', '--port', String(await freePort()))
    const api = async () => `127.0.0.1:${await freePort()}`
    const seed = await startNode(bin, started, '--config', made.seedConfig, '--api', await api())
    const data = join(folder, 'first-node')
    const node = await startNode(
      bin,
      started,
      '--config',
      made.nodeConfig,
      '--data',
      data,
      '--api',
      await api(),
    )
    const content = join(folder, 'content')
    mkdirSync(content)
    writeFileSync(join(content, 'hello.txt'), 'hello\n')
    const [address] = seed.addresses
    if (address === undefined) throw new Error('the seed tells no address')
    ask(bin, 'publish', channel, content, '--key', made.publisherKey, '--seed', address, '--yes')
    const base = node.api.startsWith('http') ? node.api : `http://${node.api}`
    await fetchUntil(`${base}/v1/channels/${encodeURIComponent(channel)}/files/hello.txt`, 'hello\n')
  } finally {
    for (const child of started) codes.push(await stop(child))
  }
  if (codes.some((code) => code !== 0)) throw new Error(`nodes ended with ${codes.join(', ')} after SIGTERM`)
}

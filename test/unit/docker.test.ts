import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { validate } from 'dockerfile-utils'
import { afterEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CONFIG_SCHEMA } from '../../src/daemon/config-schema.ts'
import { FakeNode, serve } from '../integration/api/fake-node.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const version = read('.nvmrc').trim()

describe('docker/Dockerfile', () => {
  const text = read('docker/Dockerfile')
  const instructions = text
    .replaceAll('\\\n', '')
    .split('\n')
    .filter((line) => /^[A-Z]+ /.test(line))
  const finalStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')))

  test('has nothing that the linter objects to', () => {
    expect(validate(text)).toEqual([])
    expect(validate('FROM node\nRUM true\n')).not.toEqual([])
  })

  test('stands on the very Node that everything is tested with', () => {
    const bases = instructions.filter((line) => line.startsWith('FROM '))
    expect(bases).toEqual([`FROM node:${version}-slim AS build`, `FROM node:${version}-slim`])
    const manifest = JSON.parse(read('package.json'))
    expect(manifest.devDependencies.node).toBe(version)
  })

  test('runs as a user that is not root, without development packages and install scripts', () => {
    expect(finalStage.filter((line) => line.startsWith('USER '))).toEqual(['USER 10001'])
    expect(finalStage.find((line) => line.includes('npm ci'))).toMatch(/--omit=dev --ignore-scripts/)
  })

  test('runs under an init, which it has installed', () => {
    expect(finalStage.filter((line) => line.startsWith('ENTRYPOINT '))).toEqual([
      'ENTRYPOINT ["tini", "--", "confmesh"]',
    ])
    expect(finalStage.find((line) => line.includes('apt-get install'))).toMatch(/ tini /)
    // A second one would complain that it is not PID 1.
    expect(read('docker/compose.yaml')).not.toMatch(/^ *init:/m)
  })

  test('has a group of a fixed number, which a volume can be given to', () => {
    const made = finalStage.find((line) => line.includes('useradd '))
    expect(made).toMatch(
      / groupadd --system --gid 10001 confmesh .* useradd --system --uid 10001 --gid 10001 /,
    )
  })

  test('has the versions of the lock file, and so has a host by docs/operations.md', () => {
    const [, install] = /^## Install$.+?^```sh$(.+?)^```$/ms.exec(read('docs/operations.md')) ?? []
    const [command = ''] = install?.match(/^npm ci .+$/m) ?? []
    expect(finalStage.find((line) => line.includes('npm ci'))).toContain(` && ${command} `)
    expect(install).toContain('\ncp package-lock.json ')
  })

  test('sets the allocator as the service file does, whose settings the memory under attack is measured with', () => {
    const set = finalStage.find((line) => line.startsWith('ENV MALLOC_'))?.slice('ENV '.length)
    expect(set).toMatch(/^MALLOC_ARENA_MAX=1 /)
    expect(read('docker/confmesh.service').split('\n')).toContain(`Environment=${set}`)
  })

  test('takes only the packed files from the build', () => {
    expect(finalStage.filter((line) => /^(COPY|ADD) /.test(line))).toEqual([
      'COPY --from=build /packed/confmesh.tgz /build/package-lock.json /opt/confmesh/',
    ])
  })
})

describe('the health check of the image', () => {
  const check = read('docker/Dockerfile')
    .replaceAll('\\\n', '')
    .match(/^HEALTHCHECK .*CMD (\[.*\])$/m)
  const command: string[] = JSON.parse(check?.[1] ?? '[]')
  /** The image has Node, and below /opt/confmesh what is built here. */
  const here = (word: string) =>
    word === 'node'
      ? process.execPath
      : word.replace(/^\/opt\/confmesh\/dist\/(.+)\.js$/, (_, name) => join(root, 'src', `${name}.ts`))
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
  })

  /** What answers /healthz with a status, and 404 to all else. */
  async function answering(status: number, at: { port: 0 } | { path: string }) {
    const server = createServer(({ url }, response) => {
      response.writeHead(url === '/healthz' ? status : 404).end()
    }).listen('port' in at ? { ...at, host: '127.0.0.1' } : at)
    ends.push(() => new Promise((done) => server.close(done)))
    await once(server, 'listening')
    return server.address()
  }

  async function exitCode(api: string, [program = '', ...args] = command): Promise<unknown> {
    const env = { CONFMESH_API: api }
    const asking = spawn(here(program), args.map(here), { env, stdio: 'inherit' })
    ends.push(() => asking.kill('SIGKILL'))
    const [code] = await once(asking, 'exit')
    return code
  }

  test('leaves a node half an hour to open a store that is damaged', () => {
    expect(read('docker/Dockerfile')).toMatch(/^HEALTHCHECK .*--start-period=30m /m)
  })

  test('asks at the address that a node has without being told', () => {
    const least = CONFIG_SCHEMA.parse({ root: 'root.json', data: 'data' })
    expect(readFileSync(here(command[1] ?? ''), 'utf8')).toContain(
      `process.env.CONFMESH_API || 'http://${least.api.listen}'`,
    )
  })

  test.each([
    [200, 0],
    [503, 1],
  ])('an answer of %i is exit code %i', async (status, code) => {
    const { port } = (await answering(status, { port: 0 })) as AddressInfo
    expect(await exitCode(`http://127.0.0.1:${port}`)).toBe(code)
  })

  test('asks at a socket that CONFMESH_API names; where nobody listens is exit code 1', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'confmesh-health-'))
    ends.push(() => rmSync(dir, { recursive: true }))
    const path = join(dir, 'api.sock')
    expect(await exitCode(`unix:${path}`)).toBe(1)
    await answering(200, { path })
    expect(await exitCode(`unix:${path}`)).toBe(0)
  })

  test('is what starts the pod of docs/operations.md: a node with a token answers it, too', async () => {
    const [, pod = ''] = /^## In Kubernetes$.+?^```yaml$(.+?)^```$/ms.exec(read('docs/operations.md')) ?? []
    const [{ startupProbe }] = parse(pod).spec.containers
    const { api } = await serve(new FakeNode(), { token: 'a token of the API' })
    ends.push(() => api.stop())
    expect((await fetch(`${api.url}/v1/status`)).status).toBe(401)
    expect(await exitCode(api.url, startupProbe.exec.command)).toBe(0)
  })
})

describe('docker/compose.yaml', () => {
  type Service = {
    command?: string[]
    cap_drop?: string[]
    read_only?: boolean
    ulimits?: { core?: number }
    image: string
  }
  const services: Record<string, Service> = parse(read('docker/compose.yaml'), { merge: true }).services
  const members = Object.entries(services).filter(([, { command }]) => command?.[0] === 'node')
  const region = ({ command }: Service) => command?.find((word) => word.startsWith('region='))

  test('has 2 seeds and 6 nodes in 3 regions', () => {
    expect(members.filter(([name]) => name.startsWith('seed-'))).toHaveLength(2)
    expect(members.filter(([name]) => name.startsWith('node-'))).toHaveLength(6)
    expect(new Set(members.map(([, service]) => region(service))).size).toBe(3)
  })

  test('every member runs with no more rights than it needs', () => {
    for (const [name, { cap_drop, read_only }] of members) {
      expect({ name, cap_drop, read_only }).toEqual({ name, cap_drop: ['ALL'], read_only: true })
    }
  })

  test('neither member nor service leaves a core dump, in which its keys would be', () => {
    for (const [name, { ulimits }] of members)
      expect({ name, ulimits }).toEqual({ name, ulimits: { core: 0 } })
    expect(read('docker/confmesh.service').split('\n')).toContain('LimitCORE=0')
  })
})

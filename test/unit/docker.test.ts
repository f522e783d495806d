import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { validate } from 'dockerfile-utils'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

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

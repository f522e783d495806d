import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const json = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'))

type Locked = {
  name?: string
  version: string
  dev?: boolean
  integrity?: string
  resolved?: string
  link?: boolean
  hasInstallScript?: boolean
}
const packages: [string, Locked][] = Object.entries<Locked>(json('package-lock.json').packages).filter(
  ([path]) => path !== '',
)
const nameOf = ([path, { name }]: [string, Locked]): string => name ?? path.replace(/^.*node_modules\//, '')
const sorted = (names: string[]): string[] => [...new Set(names)].sort()
const allowed = json('test/attack/packages.allowed.json')
const manifest = json('package.json')

test('exactly the allowed packages are installed, in production and beside it (npm run packages:allow)', () => {
  const product = sorted(packages.filter(([, { dev }]) => dev !== true).map(nameOf))
  expect(product).toEqual(allowed.product)
  expect(sorted(packages.map(nameOf)).filter((name) => !product.includes(name))).toEqual(allowed.development)
})

test('exactly two packages may run a script when they are installed', () => {
  const wanting = sorted(packages.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(nameOf))
  expect(wanting).toEqual(['classic-level', 'node'])
  expect(allowed.installScripts).toEqual(wanting)
  expect(manifest.allowScripts).toEqual({ 'classic-level': true, node: true })
  expect(readFileSync(join(root, '.npmrc'), 'utf8')).toMatch(/^strict-allow-scripts=true$/m)
})

test('every locked package is held by its digest, comes from the registry and from no address of its own', () => {
  for (const [path, { integrity, resolved, link }] of packages) {
    expect(integrity, path).toMatch(/^sha512-/)
    expect(resolved, path).toBeUndefined()
    expect(link, path).toBeUndefined()
  }
})

test('every version asked for is exact', () => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    expect(version, name).toMatch(/^(npm:@libp2p\/\w+@)?\d+\.\d+\.\d+$/)
  }
})

test('LevelDB is built into its package, so an installation needs no script and no compiler', () => {
  const built = readdirSync(join(root, 'node_modules/classic-level/prebuilds'))
  expect(built).toEqual(expect.arrayContaining(['linux-x64', 'linux-arm64', 'darwin-x64+arm64']))
})

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

/** The table once more, by hand and independent of the rules: who may import whom (whole folders, or one file). */
const allowed: Record<string, string> = {
  model: '',
  codec: 'model',
  trust: 'model codec',
  core: 'model codec trust',
  runtime: 'model codec core',
  net: 'model codec trust runtime/ports runtime/make-folder runtime/pool-threads',
  store: 'model codec runtime/ports',
  activate: 'model codec runtime/ports runtime/make-folder runtime/pool-threads',
  publish: 'model codec trust net/dial net/submit',
  api: 'model activate/changed-paths',
  client: 'api/contract',
  daemon:
    'model codec trust core runtime runtime/ports runtime/make-folder runtime/pool-threads net net/dial net/submit store store/memory activate activate/changed-paths publish api api/contract client',
  cli: 'model codec trust daemon publish client sim api/contract',
  sim: 'model codec trust core runtime runtime/ports runtime/make-folder runtime/pool-threads store/memory',
}
const folders = Object.keys(allowed)
const files = [
  'runtime/ports',
  'runtime/make-folder',
  'runtime/pool-threads',
  'net/dial',
  'net/submit',
  'store/memory',
  'activate/changed-paths',
  'api/contract',
]
const targets = [...folders, ...files]

/** Imports that are wrong, or right, whatever the table says of the folders. */
const singles: [from: string, specifier: string, rule: string | null][] = [
  ['model/a', '../errors.ts', null],
  ['model/b', '../limits.ts', null],
  ['model/c', 'node:fs', 'model-is-pure'],
  ['codec/a', 'node:crypto', null],
  ['codec/b', '@ipld/dag-cbor', null],
  ['codec/c', 'multiformats/cid', null],
  ['codec/d', 'node:fs', 'codec-is-pure'],
  ['codec/e', 'zod', 'codec-is-pure'],
  ['trust/a', 'node:crypto', null],
  ['trust/b', '@ipld/dag-cbor', 'trust-is-pure'],
  ['core/a', 'node:crypto', 'core-is-pure'],
  ['core/b', 'pure-rand/generator/xoroshiro128plus', 'core-is-pure'],
  ['core/order', './verify.ts', 'stages-apart'],
  ['core/admit', './verify.ts', 'stages-apart'],
  ['core/peers', './verify.ts', 'stages-apart'],
  ['core/gateways', './verify.ts', 'stages-apart'],
  ['core/freshness', './verify.ts', 'stages-apart'],
  ['core/submit', './verify.ts', 'stages-apart'],
  ['core/bridge', './verify.ts', 'stages-apart'],
  ['core/fetch/chooser', '../verify.ts', 'stages-apart'],
  ['core/sync', './fetch/chooser.ts', 'stages-apart'],
  ['core/fetch', './fetch/chooser.ts', null],
  ['core/node', './verify.ts', null],
  ['core/verify', './state.ts', null],
  ['daemon/a', 'libp2p', 'libp2p-only-in-net'],
  ['daemon/b', '@chainsafe/libp2p-gossipsub', 'libp2p-only-in-net'],
  ['net/a', '@libp2p/tcp', null],
  ['net/b', 'level', 'level-only-in-store'],
  ['store/a', 'level', null],
  ['cli/a', '@ipld/car', 'car-only-in-publish'],
  ['publish/a', '@ipld/car', null],
  ['api/a', '../index.ts', 'index-is-for-others'],
  ['api/b', 'fast-check', 'only-what-is-installed-with-it'],
  ['api/c', 'hono', null],
  ['api/d', '../../test/unit/x.ts', 'product-apart-from-its-tests'],
  ['api/e', './nowhere.ts', 'found'],
  ['client/circle', './elcric.ts', 'no-circle'],
]

let dir: string
/** "src/a.ts -> specifier or file" to the names of the rules that it breaks. */
let broken: Map<string, string[]>

function lay(path: string, text: string): void {
  const file = join(dir, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

type Cruised = {
  modules: { source: string; dependencies: { module: string; rules?: { name: string }[] }[] }[]
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-imports-'))
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  for (const file of ['package.json', 'tsconfig.json']) symlinkSync(join(root, file), join(dir, file))
  for (const file of ['errors', 'limits', 'index', ...files, 'core/state'])
    lay(`src/${file}.ts`, 'export const x = 1\n')
  for (const folder of folders) lay(`src/${folder}/thing.ts`, 'export const x = 1\n')
  lay('test/unit/x.ts', 'export const x = 1\n')
  lay('src/client/elcric.ts', "export { x } from './circle.ts'\n")
  for (const from of folders) {
    for (const to of targets) {
      const file = to.includes('/') ? to : `${to}/thing`
      // Types count as well: a folder that knows another's types depends on it.
      lay(
        `src/${from}/to-${to.replace('/', '-')}.ts`,
        `import type { x } from '../${file}.ts'\nexport type X = typeof x\n`,
      )
    }
  }
  for (const [from, specifier] of singles) lay(`src/${from}.ts`, `export * as x from '${specifier}'\n`)

  const cli = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs')
  const options = ['--config', join(root, '.dependency-cruiser.mjs'), '--output-type', 'json', 'src']
  const { stdout } = spawnSync(process.execPath, [cli, ...options], {
    cwd: dir,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  broken = new Map()
  for (const module of (JSON.parse(stdout) as Cruised).modules) {
    for (const dependency of module.dependencies) {
      const names = (dependency.rules ?? []).map(({ name }) => name)
      broken.set(`${module.source} -> ${dependency.module}`, names)
    }
  }
}, 120_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test.each(folders)('%s imports what the table allows, and nothing else is let through', (from) => {
  const seen = targets.filter((to) => {
    const file = to.includes('/') ? to : `${to}/thing`
    const names = broken.get(`src/${from}/to-${to.replace('/', '-')}.ts -> ../${file}.ts`)
    if (names === undefined) throw new Error(`the import of ${to} in ${from} was not looked at`)
    return !names.includes(`${from}-imports`)
  })
  const own = targets.filter((to) => to === from || to.startsWith(`${from}/`))
  const parents = (allowed[from] ?? '').split(' ').filter((name) => name !== '')
  const inside = targets.filter((to) => parents.includes(to.split('/')[0] ?? ''))
  expect(new Set(seen)).toEqual(new Set([...own, ...parents, ...inside]))
})

test.each(singles)('src/%s importing %s: %s', (from, specifier, rule) => {
  const names = broken.get(`src/${from}.ts -> ${specifier.replace('node:', '')}`)
  expect(names, 'looked at').toBeDefined()
  if (rule === null) expect(names).toEqual([])
  else expect(names).toContain(rule)
})

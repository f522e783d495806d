/** Deliberate faults rot unseen, as they are tried by hand: each still finds its line, and names tests that are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

interface Mutant {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly test: string | readonly string[]
}

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'scripts/mutants')
const lists = readdirSync(folder).filter((name) => name.endsWith('.json'))

test.each(lists)('%s: each fault finds the one line that it breaks, and its tests', (list) => {
  const mutants = JSON.parse(readFileSync(join(folder, list), 'utf8')) as readonly Mutant[]
  expect(mutants).not.toEqual([])
  const rotten = mutants.filter(({ file, find, test }) => {
    const times = readFileSync(join(root, file), 'utf8').split(find).length - 1
    return times !== 1 || ![test].flat().every((path) => existsSync(join(root, path)))
  })
  expect(rotten.map(({ name }) => name)).toEqual([])
})

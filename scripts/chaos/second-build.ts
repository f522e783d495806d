/** What a rolling upgrade goes to. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

/** The program again, under another version, in a new folder. @returns its launcher */
export function secondBuild(folder: string, version: string): string {
  mkdirSync(folder)
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true })
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as object
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, version }))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'dist/cli/launcher.js')
}

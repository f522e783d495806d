import { spawnSync } from 'node:child_process'

/** What is written from figures: a bench that keeps its own changes nothing that the next one measures. */
const WRITTEN = ['bench/results', 'docs']

/** Of the sources that a figure was made with: a short commit, and what differs from it. Outside a clone: unknown. */
export function revision(): string {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).stdout?.trim() ?? ''
  const commit = git('rev-parse', '--short=10', 'HEAD')
  if (commit === '') return 'unknown'
  const sources = [':(top)', ...WRITTEN.map((path) => `:(top,exclude)${path}`)]
  const changes = git('status', '--porcelain', '--untracked-files=no', '--', ...sources)
  return changes === '' ? commit : `${commit} and changes`
}

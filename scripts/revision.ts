import { spawnSync } from 'node:child_process'

/** Of the sources that a figure was made with: a short commit, and what differs from it. Outside a clone: unknown. */
export function revision(): string {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).stdout?.trim() ?? ''
  const commit = git('rev-parse', '--short=10', 'HEAD')
  if (commit === '') return 'unknown'
  return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit} and changes`
}

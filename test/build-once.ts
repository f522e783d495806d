import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'

/** Global set-up of the layers that run the built program: they must never judge an older build. */
export function setup(): void {
  const root = resolve(import.meta.dirname, '..')
  const built = spawnSync(process.execPath, [join(root, 'scripts/build.ts'), '--no-check'], {
    stdio: 'inherit',
  })
  if (built.status !== 0) throw new Error('the build failed, so the built program cannot be tested')
}

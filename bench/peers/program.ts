import { execFileSync } from 'node:child_process'

/** @returns why it cannot be run */
export function program(name: string, debian: string): string | undefined {
  try {
    execFileSync('which', [name], { stdio: 'ignore' })
    return undefined
  } catch {
    return `no ${name} here (Debian's ${debian})`
  }
}

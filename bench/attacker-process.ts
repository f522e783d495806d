/** The attacker as a process of its own: what it says, and how it ended. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Orders, Said } from './attacker.ts'

const SCRIPT = join(import.meta.dirname, 'attacker.ts')

export interface Ended {
  /** The last word that came from it. */
  readonly said: Said | undefined
  /** Undefined: it attacked until its time was over. */
  readonly problem: string | undefined
}

/** @returns once it has ended, whatever ended it */
export function attackWith(orders: Orders, script: string = SCRIPT): Promise<Ended> {
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  let said: Said | undefined
  createInterface(child.stdout).on('line', (text) => {
    try {
      said = JSON.parse(text) as Said
    } catch {
      // a word that its end has cut off
    }
  })
  // how it ended is what the code says, not that it read no orders
  child.stdin.on('error', () => undefined)
  child.stdin.write(`${JSON.stringify(orders)}\n`)
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ said, problem: problemOf(said, code, signal) }))
  })
}

function problemOf(
  said: Said | undefined,
  code: number | null,
  signal: NodeJS.Signals | null,
): string | undefined {
  if (code !== 0) return `the attacker ended with ${signal ?? `code ${code}`}`
  return said?.done === true ? undefined : 'the attacker ended before its time'
}

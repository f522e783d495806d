/** What Linux counts of a process. */
import { readFileSync } from 'node:fs'
import type { RealNode } from '../test/e2e/real-fleet.ts'

/** Clock ticks of /proc/PID/stat. */
const TICKS_PER_SECOND = 100

export const pidOf = ({ process: { pid } }: RealNode): number => pid ?? 0

/** Seconds of CPU, user and system. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in brackets may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

export function rssMiB(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kib) / 1024)
}

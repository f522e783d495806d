#!/usr/bin/env node
// The program's first lines, the only ones that any Node from 18 on must be able to read: on a Node that is new
// enough the program itself follows in this process; on an older one it follows under the package's own Node.

import { boundHeapGrowth } from './heap-growth.ts'
import { oldestNode, ownNode, runUnder } from './own-node.ts'
import { PARENT_FD_VARIABLE, watchParent } from './parent-watch.ts'

/**
 * What is done with files and in LevelDB, and names that are looked up, hold a thread each for as long as they take; four,
 * as Node has by itself, are soon held by one slow disk. The files of releases take 16 at most, names half of all, and
 * eight are left. One takes 28 KiB of a node that is idle.
 */
const THREADS = '48'

/** Says in the command line's form of an error (one line, or one JSON value) that no fitting Node is to be had. */
function refuse(details: { found: string; needs: string }): void {
  const message = `Node ${details.found} is too old for confmesh; install Node ${details.needs} or newer, or run it where its package "node" is installed`
  const rest = process.argv.slice(2)
  const options = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
  if (options.includes('--json')) {
    process.stdout.write(`${JSON.stringify({ error: { code: 'RUNTIME_VERSION', message, details } })}\n`)
  } else {
    process.stderr.write(`confmesh: RUNTIME_VERSION: ${message}\n`)
  }
  process.exitCode = 2
}

const isOwn = process.env[PARENT_FD_VARIABLE] !== undefined
if (Number.parseInt(process.versions.node, 10) >= oldestNode) {
  if (isOwn) watchParent()
  // The one command that stays: it shares its host with what it serves.
  if (process.argv.slice(2).find((word) => !word.startsWith('-')) === 'node') {
    // Threads begin with the first work for them, which nothing has had yet.
    process.env.UV_THREADPOOL_SIZE ??= THREADS
    boundHeapGrowth()
  }
  await import('./main.ts')
} else {
  // A Node that was started as the new one and is not must not start another: that would never end.
  const node = isOwn ? undefined : ownNode()
  if (node === undefined) refuse({ found: process.versions.node, needs: String(oldestNode) })
  else runUnder(node, () => refuse({ found: process.versions.node, needs: String(oldestNode) }))
}

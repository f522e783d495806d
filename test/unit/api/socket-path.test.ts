import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freeSocketPath } from '../../../src/api/socket-path.ts'
import { leaveSocket } from '../../integration/api/dead-socket.ts'
import { FakeNode, serve } from '../../integration/api/fake-node.ts'

const NOBODY = 65_534
const MOST_BYTES = process.platform === 'linux' ? 108 : 104

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-socket-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Of so many bytes, but of fewer characters. */
function pathOf(bytes: number): string {
  const left = bytes - Buffer.byteLength(join(dir, '/'))
  return join(dir, `${'ü'.repeat(Math.floor(left / 2))}${left % 2 === 1 ? 'x' : ''}`)
}

test('a path that is longer than a socket may have is refused with its length and what it may have', async () => {
  const listen = `unix:${pathOf(MOST_BYTES + 1)}`
  await expect(serve(new FakeNode(), { listen })).rejects.toMatchObject({
    code: 'NET_LISTEN',
    message: `api.listen: ${listen} cannot be listened on (EINVAL): the path has ${MOST_BYTES + 1} bytes, and a socket's at most ${MOST_BYTES}; name a shorter one`,
  })
  expect(readdirSync(dir)).toEqual([])
  const { api } = await serve(new FakeNode(), { listen: `unix:${pathOf(MOST_BYTES)}` })
  await api.stop()
})

test('a socket of another user is not said to be in use: it may be dead', async () => {
  const path = join(dir, 'api.sock')
  await leaveSocket(path)
  chmodSync(dir, 0o755)
  chmodSync(path, 0)
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    await expect(freeSocketPath(path)).rejects.toMatchObject({
      code: 'NET_LISTEN',
      message: `api.listen: unix:${path} is a socket that this user may not connect to (EACCES); remove it if nothing serves it, or set api.listen`,
    })
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
  expect(readdirSync(dir)).toEqual(['api.sock'])
})

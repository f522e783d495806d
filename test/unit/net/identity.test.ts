import { spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { beforeEach, expect, test } from 'vitest'
import { libp2pKey, loadOrCreateIdentity, newIdentityPem, peerIdOf } from '../../../src/net/identity.ts'

const SOURCE = new URL('../../../src/net/identity.ts', import.meta.url)

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-identity-'))
})

test('made once with mode 0600, then the same for ever', async () => {
  const data = join(dir, 'data')
  const first = await loadOrCreateIdentity(data)
  expect((await stat(join(data, 'identity.key'))).mode & 0o777).toBe(0o600)
  expect(await readFile(join(data, 'identity.key'), 'utf8')).toBe(first.pem)
  expect(await loadOrCreateIdentity(data)).toEqual(first)
})

test('the peer id is the one libp2p derives', async () => {
  const pem = newIdentityPem()
  expect(peerIdOf(pem)).toBe(peerIdFromPrivateKey(await libp2pKey(pem)).toString())
  // seed and public key of RFC 8032 §7.1, test 1; the id worked out by hand, so that no library changes it
  const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'
  const der = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex').toString('base64')
  const known = `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`
  expect(peerIdOf(known)).toBe('12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV')
})

test('a key that others may read is refused with the command that helps', async () => {
  await loadOrCreateIdentity(dir)
  const path = join(dir, 'identity.key')
  await chmod(path, 0o640)
  await expect(loadOrCreateIdentity(dir)).rejects.toMatchObject({
    code: 'CONFIG_KEY_MODE',
    message: `${path} has mode 0640; run: chmod 600 ${path}; where that changes nothing its file system keeps no modes: copy it to one that does, and run chmod there`,
  })
})

test('what is no Ed25519 key is refused by file and reason', async () => {
  const path = join(dir, 'identity.key')
  await writeFile(path, 'nonsense', { mode: 0o600 })
  await expect(loadOrCreateIdentity(dir)).rejects.toMatchObject({ code: 'CONFIG_KEY' })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  const error = await loadOrCreateIdentity(dir).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'CONFIG_KEY' })
  expect((error as Error).message).toContain(path)
  expect((error as Error).message).toContain('must be Ed25519')
})

test('an empty or shortened key stops the node, which says what to do, and stays as it is', async () => {
  const path = join(dir, 'identity.key')
  const { pem } = await loadOrCreateIdentity(dir)
  for (const text of ['', '\n', pem.slice(0, 60)]) {
    await writeFile(path, text)
    await expect(loadOrCreateIdentity(dir)).rejects.toMatchObject({
      code: 'CONFIG_KEY',
      message: expect.stringMatching(
        /identity\.key: (is empty|the node identity is no .*); put its copy back, or remove it: .* new peer id/,
      ),
    })
    expect(await readFile(path, 'utf8')).toBe(text)
  }
})

test('a first start that dies while it writes leaves no key that is none', async () => {
  const script = `import { loadOrCreateIdentity } from '${SOURCE}'
await loadOrCreateIdentity(${JSON.stringify(dir)})`
  // No file may have a byte: the first write ends the process.
  const child = spawn(
    'sh',
    ['-c', 'ulimit -f 0; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script],
    { stdio: 'ignore' },
  )
  expect(await once(child, 'exit')).not.toEqual([0, null])
  expect(await readdir(dir)).not.toContain('identity.key')
}, 60_000)

test('two that start at once have one identity, and nothing else stays', async () => {
  const [one, other] = await Promise.all([loadOrCreateIdentity(dir), loadOrCreateIdentity(dir)])
  expect(one).toEqual(other)
  expect(await readFile(join(dir, 'identity.key'), 'utf8')).toBe(one.pem)
  expect(await readdir(dir)).toEqual(['identity.key'])
})

test('a data directory that cannot be used', async () => {
  await writeFile(join(dir, 'file'), '')
  await expect(loadOrCreateIdentity(join(dir, 'file'))).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE' })
})

// As a process: what never ends there takes the event loop with it.
test.runIf(process.platform === 'linux').each(['confmesh', 'confmesh/below', 'self/confmesh'])(
  'a data folder that nobody can make ends with the reason: /proc/%s',
  (name) => {
    const script = `import { loadOrCreateIdentity } from '${SOURCE}'
await loadOrCreateIdentity('/proc/${name}').catch(({ code, message }) => console.log(code, message))`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(stdout).toMatch(
      new RegExp(
        `^CONFIG_UNREADABLE cannot make the folder /proc/${name}: ENOENT; name a data folder where .+\n$`,
      ),
    )
  },
  60_000,
)

import { generateKeyPairSync } from 'node:crypto'
import { chmod, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { beforeEach, expect, test } from 'vitest'
import { libp2pKey, loadOrCreateIdentity, newIdentityPem, peerIdOf } from '../../../src/net/identity.ts'

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
    message: `${path} has mode 0640; run: chmod 600 ${path}`,
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

test('a data directory that cannot be used', async () => {
  await writeFile(join(dir, 'file'), '')
  await expect(loadOrCreateIdentity(join(dir, 'file'))).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE' })
})

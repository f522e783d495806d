/** Row 74: keys planted in a node are in nothing that it says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { privateKeyFromPem } from '../../src/trust/private-key.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim } = stage()

test('not in status, metrics, openapi, errors, nor in a key that is printed', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const pems = ['freshness.key', 'data/identity.key'].map((name) =>
    readFileSync(join(victim.dir, name), 'utf8'),
  )
  const secrets = pems.flatMap((pem) => {
    const base64 = pem.replace(/-----[^-]+-----|\s/g, '')
    // the raw key is the tail of the PKCS#8 form
    const raw = Buffer.from(base64, 'base64').subarray(-32)
    return [base64.slice(-40), raw.toString('hex'), raw.toString('base64').slice(0, 40)]
  })
  const routes = [
    '/v1/status',
    '/metrics',
    '/openapi.json',
    '/healthz',
    '/readyz',
    '/v1/channels/none',
    '/%zz',
  ]
  const said = await Promise.all(routes.map(async (route) => (await fetch(`${victim.api}${route}`)).text()))
  const keys = pems.map(privateKeyFromPem)
  said.push(
    ...keys.flatMap((key) => [
      inspect(key, { depth: 9, showHidden: true }),
      JSON.stringify(key),
      String(key),
    ]),
  )
  for (const text of said) for (const secret of secrets) expect(text.includes(secret)).toBe(false)
  expect(said.join('').length).toBeGreaterThan(1_000)
})

import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { at, confmesh, type Fleet, inScratch, json, refused, show, twoFleets } from './command-line.ts'

inScratch()

interface Change {
  root: string
  draft?: string
  previous?: string
  version: number
  complete: boolean
  changes: string[]
  notes: string[]
  signatures: { old: { have: number; need: number }; next: { have: number; need: number } }
}

let fleet: Fleet
let single: Fleet
beforeAll(async () => {
  ;({ fleet, single } = await twoFleets())
})

const KEYS = ['add-root-key', 'remove-root-key', 'add-admission-key', 'remove-admission-key', 'set-freshness']
const PUBLISHERS = ['add-publisher', 'remove-publisher', 'set-threshold', 'raise-epoch', 'rotate']
const OTHERS = ['show', 'verify', 'sign', 'fetch', 'push', 'renew', 'remove-node', 'remove-pool']
test.each([...KEYS, ...PUBLISHERS, ...OTHERS])('trust %s --help ends with an example of it', async (name) => {
  const { code, out } = await confmesh('trust', name, '--help')
  expect(code).toBe(0)
  expect(out).toMatch(new RegExp(`\nExample:\n  confmesh trust ${name} [^\n]*--root[^\n]*\n\n?$`))
})

describe('trust', () => {
  const key = async (name: string): Promise<string> => {
    if (!existsSync(at(`${name}.key`))) await confmesh('keygen', '--out', `${name}.key`)
    return at(`${name}.key`)
  }

  test('shows and verifies a root', async () => {
    expect(await show(fleet.root)).toMatchObject({
      version: 1,
      fleetId: fleet.fleetId,
      publishers: { publisher: { patterns: ['pay/*', 'web'] } },
    })
    expect(await json('trust', 'verify', '--root', fleet.root)).toMatchObject({ valid: true, version: 1 })
  })

  test('changes FILE only once both thresholds hold, and says first what changes', async () => {
    const before = readFileSync(fleet.root, 'utf8')
    const args = ['trust', 'remove-publisher', 'publisher', '--root', fleet.root]
    const one = await json<Change>(...args, '--root-key', fleet.rootKeys[0] as string)
    expect(one).toMatchObject({
      complete: false,
      draft: at('fleet/root.2.draft.json'),
      version: 2,
      signatures: { old: { have: 1, need: 2 } },
    })
    expect(one.changes.join('\n')).toMatch(
      /publisher is removed[\s\S]*new epoch 2 for every channel that pay\/\*[\s\S]*new epoch 2 for every channel that web/,
    )
    expect(readFileSync(fleet.root, 'utf8')).toBe(before)
    // Another change of the same version would overwrite what others are about to sign.
    await refused(
      2,
      'INPUT_EXISTS',
      'root.2.draft.json',
      'trust',
      'raise-epoch',
      '**',
      '--root',
      fleet.root,
      '--root-key',
      fleet.rootKeys[1] as string,
    )
    // The same key again is no second signature.
    const again = await json<Change>(
      'trust',
      'sign',
      at('fleet/root.2.draft.json'),
      '--root-key',
      fleet.rootKeys[0] as string,
    )
    expect(again.complete).toBe(false)
    await refused(
      2,
      'CONFIG_KEY',
      'publisher.key',
      'trust',
      'sign',
      at('fleet/root.2.draft.json'),
      '--root-key',
      fleet.publisherKey,
    )
    const two = await json<Change>(
      'trust',
      'sign',
      at('fleet/root.2.draft.json'),
      '--root-key',
      fleet.rootKeys[2] as string,
    )
    expect(two).toMatchObject({
      complete: true,
      version: 2,
      previous: at('fleet/root.1.json'),
      root: fleet.root,
    })
    expect(readFileSync(at('fleet/root.1.json'), 'utf8')).toBe(before)
    expect(existsSync(at('fleet/root.2.draft.json'))).toBe(false)
    expect(await show(fleet.root)).toMatchObject({
      version: 2,
      publishers: {},
      epochs: [
        { pattern: 'pay/*', value: 2 },
        { pattern: 'web', value: 2 },
      ],
    })
    expect(await json('trust', 'verify', '--root', fleet.root)).toMatchObject({ version: 2, verifiedFrom: 1 })
  })

  test('says what a change leads to, and says it to whoever signs another’s change, too', async () => {
    const [first, second] = fleet.rootKeys as [string, string]
    const to = ['--root', fleet.root, '--root-key', first]
    const key = ['--public-key', `${fleet.admissionKey}.pub`]
    const mine = await json<Change>('trust', 'remove-admission-key', ...key, ...to)
    expect(mine.notes).toEqual([expect.stringContaining('THE WHOLE FLEET IS SHUT OUT')])
    const { out } = await confmesh('trust', 'sign', mine.draft as string, '--root-key', second)
    expect(out).toContain(`note: ${mine.notes[0]}\n`)
  })

  test('makes every change, each a root that follows', async () => {
    const change = (...args: string[]): Promise<Change> =>
      json<Change>('trust', ...args, '--root', single.root, '--root-key', single.rootKeys[0] as string)
    const second = `${await key('second')}.pub`
    const peer = (await json<{ peerId: string }>('identity', '--data', 'other')).peerId
    await change(
      'add-publisher',
      'ci',
      '--public-key',
      second,
      `${await key('third')}.pub`,
      '--threshold',
      '2',
      '--channel',
      'ci/**',
    )
    await change('set-threshold', '1', '--publisher', 'ci')
    await change('add-root-key', '--public-key', second)
    await change('remove-root-key', '--public-key', second)
    await change('add-admission-key', '--public-key', second)
    await change('remove-admission-key', '--public-key', second)
    await change('set-freshness', '--add-key', second, '--max-age', '90', '--max-skew', '10')
    expect((await change('remove-node', peer)).changes).toContain(`node ${peer} is shut out`)
    await change('remove-pool', single.pool)
    await change('raise-epoch', 'ci/prod')
    expect(await change('renew')).toMatchObject({ version: 12, complete: true })
    const root = await show(single.root)
    expect(root.publishers.ci).toMatchObject({ threshold: 1, patterns: ['ci/**'] })
    expect(root.freshness).toMatchObject({ maxAgeS: 90, maxSkewS: 10 })
    expect(root.freshness.keys.length).toBe(2)
    expect(root.removed.peers).toEqual([{ id: peer }])
    expect(root.removed.pools[0]?.until).toMatch(/^20\d\d-/)
    expect(root.epochs).toEqual([{ pattern: 'ci/prod', value: 11 }])
    expect(await json('trust', 'verify', '--root', single.root)).toMatchObject({
      version: 12,
      verifiedFrom: 1,
    })
  })

  test('shuts a pool out until the last of its certificates ends, whichever is shown first', async () => {
    const made = await json<Fleet>('init', 'renewed')
    const signed = ['--root', made.root, '--root-key', made.rootKeys[0] as string]
    const change = (...args: string[]): Promise<Change> => json<Change>('trust', ...args, ...signed)
    const admits = ['--public-key', `${await key('pool')}.pub`, '--admission-key', made.admissionKey]
    const issue = (days: string) =>
      confmesh('admit', '--pool', 'hosts', ...admits, '--days', days, '--out', `pool-${days}.json`)
    for (const days of ['30', '300']) expect((await issue(days)).code).toBe(0)
    const first = await change('remove-pool', 'pool-30.json')
    expect(first.notes).toEqual([expect.stringContaining('another certificate of its key')])
    const second = await change('remove-pool', 'pool-300.json')
    expect(second.changes).toContainEqual(
      expect.stringMatching(/^pool .* is shut out .*: until .* -> until /),
    )
    await refused(2, 'USAGE', 'is removed already', 'trust', 'remove-pool', 'pool-30.json', ...signed)
    await change('remove-pool', 'pool-30.json', '--until', '2099-01-31')
    expect((await show(made.root)).removed.pools).toMatchObject([{ until: '2099-01-31T00:00:00Z' }])
    const peer = (await json<{ peerId: string }>('identity', '--data', 'removed')).peerId
    await change('remove-node', peer)
    await change('remove-node', peer, '--until', '2099-01-31')
    expect((await show(made.root)).removed.peers).toEqual([{ id: peer, until: '2099-01-31T00:00:00Z' }])
    const before = readFileSync(made.root)
    const other = (await json<{ peerId: string }>('identity', '--data', 'other')).peerId
    const ended = ['--until', '2020-01-31', ...signed]
    for (const [command, who] of [
      ['remove-node', other],
      ['remove-pool', made.pool],
    ] as const)
      await refused(2, 'USAGE', 'would not be shut out', 'trust', command, who, ...ended)
    expect(readFileSync(made.root)).toEqual(before)
  })

  test('takes a key out by its id or a beginning of that, for its file may be lost', async () => {
    const made = await json<Fleet>('init', 'lost')
    const change = (...args: string[]): Promise<Change> =>
      json<Change>('trust', ...args, '--root', made.root, '--root-key', made.rootKeys[0] as string)
    const idOf = async (name: string): Promise<string> =>
      (await json<{ keyId: string }>('keygen', '--out', at(`lost/${name}.key`))).keyId
    const [root, admission, freshness, rotated] = [
      await idOf('root'),
      await idOf('admit'),
      await idOf('fresh'),
      await idOf('rotated'),
    ]
    await change('add-root-key', '--public-key', at('lost/root.key.pub'))
    await change('add-admission-key', '--public-key', at('lost/admit.key.pub'))
    await change('set-freshness', '--add-key', at('lost/fresh.key.pub'))
    await change('rotate', 'publisher', '--add-key', at('lost/rotated.key.pub'))

    const gone = async (id: string, ...args: string[]): Promise<void> => {
      expect((await change(...args)).changes.join('\n')).toContain(`key ${id.slice(0, 12)} is removed`)
    }
    await gone(root, 'remove-root-key', '--public-key', root)
    await gone(admission, 'remove-admission-key', '--public-key', admission.slice(0, 12))
    await gone(freshness, 'set-freshness', '--remove-key', freshness.slice(0, 8))
    await gone(rotated, 'rotate', 'publisher', '--remove-key', rotated.slice(0, 12))
    for (const name of ['remove-root-key', 'remove-admission-key', 'set-freshness', 'rotate'])
      expect((await confmesh('trust', name, '--help')).out.replace(/\s+/g, ' ')).toContain(
        'its id, as trust show prints it, or 8 digits of it or more',
      )

    const to = ['--root', made.root, '--root-key', made.rootKeys[0] as string]
    const take = (id: string) => ['trust', 'remove-root-key', '--public-key', id, ...to]
    await refused(2, 'USAGE', 'none of the root role', ...take(root))
    await refused(2, 'CONFIG_KEY', 'its id', ...take('root-9.key.pub'))
  })

  test('--out leaves the current root alone', async () => {
    const before = readFileSync(single.root, 'utf8')
    const made = await json<Change>(
      'trust',
      'renew',
      '--root',
      single.root,
      '--root-key',
      single.rootKeys[0] as string,
      '--out',
      'next.json',
    )
    expect(made).toMatchObject({ root: at('next.json'), complete: true })
    expect(readFileSync(single.root, 'utf8')).toBe(before)
    expect((await show(at('next.json'))).version).toBe(made.version)
  })

  test('a key file that others may read is refused, and a wrong one', async () => {
    const loose = await key('loose')
    chmodSync(loose, 0o640)
    const args = ['trust', 'renew', '--root', single.root, '--root-key']
    await refused(2, 'CONFIG_KEY_MODE', `chmod 600 ${loose}`, ...args, loose)
    await refused(2, 'CONFIG_KEY', 'nowhere.key', ...args, 'nowhere.key')
    await refused(2, 'CONFIG_KEY', 'is no root key of version', ...args, await key('stranger'))
    writeFileSync(at('junk.key'), 'junk', { mode: 0o600 })
    await refused(2, 'CONFIG_KEY', 'junk.key', ...args, 'junk.key')
    await refused(
      2,
      'CONFIG_KEY',
      '.pub',
      'trust',
      'add-root-key',
      '--public-key',
      await key('second'),
      '--root',
      single.root,
      '--root-key',
      single.rootKeys[0] as string,
    )
  })

  test('a root that was tampered with is refused with exit code 3', async () => {
    const text = readFileSync(single.root, 'utf8')
    const document = JSON.parse(text) as { payload: string; signatures: { sig: string }[] }
    const payload = Buffer.from(document.payload, 'base64').toString().replace('"maxAgeS":90', '"maxAgeS":91')
    writeFileSync(
      at('changed.json'),
      JSON.stringify({ ...document, payload: Buffer.from(payload).toString('base64') }),
    )
    await refused(3, 'TRUST_ROOT_UNAUTHORISED', 'changed.json', 'trust', 'verify', '--root', 'changed.json')
    writeFileSync(at('bare.json'), JSON.stringify({ ...document, signatures: [] }))
    await refused(3, 'TRUST_ROOT_UNAUTHORISED', 'bare.json', 'trust', 'verify', '--root', 'bare.json')
    writeFileSync(at('text.json'), 'hello')
    await refused(2, 'INPUT_PATH', 'text.json', 'trust', 'verify', '--root', 'text.json')
    await refused(3, 'TRUST_TYPE', 'pool.json', 'trust', 'show', '--root', single.pool)
    await refused(2, 'INPUT_PATH', 'none.json', 'trust', 'verify', '--root', 'none.json')
  })
})

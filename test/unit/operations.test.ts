import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { METRIC_ROWS, metricsDocument } from '../../scripts/metrics-text.ts'
import { COMMANDS } from '../../src/cli/registry.ts'
import { CONFIG_SCHEMA } from '../../src/daemon/config-schema.ts'
import { CODES } from '../../src/errors.ts'
import { GATES } from '../../src/model/channel-state.ts'

const read = (path: string): string =>
  readFileSync(join(resolve(import.meta.dirname, '../..'), 'docs', path), 'utf8')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly annotations: { readonly summary: string; readonly runbook: string }
}
const { groups } = parse(read('alerts.yaml')) as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const operations = read('operations.md')

/** As Markdown viewers make them from headings. */
const anchorsOf = (text: string): Set<string> =>
  new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
/** `up` is what Prometheus itself says of a node that it scrapes. */
const namesIn = (expr: string): string[] => expr.match(/\bconfmesh_\w+|^up\b/g) ?? []
/** Without its heading. */
const sectionOf = (title: string): string => {
  const [, after = ''] = operations.split(new RegExp(`^#+ ${title}$`, 'm'))
  return after.split(/^#+ /m)[0] ?? ''
}

test('docs/metrics.md is what the table says; npm run docs:metrics writes it', () => {
  expect(read('metrics.md')).toBe(metricsDocument())
})

describe('alerts', () => {
  const known = new Set(['up', 'confmesh_process_start_time_seconds', ...METRIC_ROWS.map(({ name }) => name)])
  const anchors = anchorsOf(operations)

  test.each(rules)('$alert asks for metrics that there are', ({ expr }) => {
    expect(namesIn(expr)).not.toEqual([])
    expect(namesIn(expr).filter((name) => !known.has(name))).toEqual([])
  })

  test.each(rules)('$alert names error codes that there are', ({ expr }) => {
    const patterns = [...expr.matchAll(/code=~?"([^"]+)"/g)].flatMap(([, text = '']) => text.split('|'))
    for (const pattern of patterns)
      expect(CODES.some((code) => new RegExp(`^${pattern}$`).test(code))).toBe(true)
  })

  test.each(rules)('$alert leads to a section of operations.md', ({ annotations }) => {
    const [file, anchor = ''] = annotations.runbook.split('#')
    expect(file).toBe('docs/operations.md')
    expect([...anchors]).toContain(anchor)
  })

  test('each gate that needs a person, and each activation that comes to nothing, is one of them', () => {
    const [gated, failing] = ['confmesh_channels_gated', 'confmesh_activations_total'].map(
      (name) => rules.find(({ expr }) => expr.includes(name))?.expr,
    )
    const named = /gate=~"([^"]+)"/.exec(gated ?? '')?.[1]?.split('|')
    // The others open by themselves, or have an alert of their own.
    expect(GATES.filter((gate) => !named?.includes(gate))).toEqual([
      'content',
      'rollout',
      'root-expired',
      'read-only',
    ])
    expect(failing).toContain('outcome!="healthy"')
  })

  test('whatever a disk says that fails is one of them', () => {
    const asked = rules.flatMap(({ expr }) => /code=~?"([^"]+)"/.exec(expr)?.[1] ?? [])
    for (const code of ['STORE_FULL', 'STORE_FAILED', 'STORE_CORRUPT'])
      expect(asked.filter((pattern) => new RegExp(`^(?:${pattern})$`).test(code))).toHaveLength(1)
  })

  test('a fetch that takes long is one only while what is missing does not get less', () => {
    const slow = rules.find(({ alert }) => alert === 'ConfmeshFetchSlow')?.expr ?? ''
    expect(namesIn(slow)).toEqual(['confmesh_fetch_age_seconds', 'confmesh_fetch_blocks_missing'])
    expect(slow).toMatch(/ and delta\(confmesh_fetch_blocks_missing\[5m\]\) >= 0$/)
  })

  test('a node that is gone is one of them: of it there is no series of its own', () => {
    const down = rules.find(({ expr }) => expr === 'up{job="confmesh"} == 0')
    expect(down?.annotations.runbook).toBe('docs/operations.md#down')
    const listed = [...sectionOf('down').matchAll(/`([A-Z]+_[A-Z_]*)\*?`/g)].map(([, code = '']) => code)
    expect(listed.filter((code) => !CODES.some((one) => one.startsWith(code)))).toEqual([])
    for (const code of ['CONFIG_', 'STORE_LOCKED', 'STORE_VERSION', 'NET_LISTEN', 'ACTIVATE_UNSAFE_DIR'])
      expect(listed).toContain(code)
  })

  test('so is what is active and cannot be read here, which is fetching without a fetch', () => {
    const [unreadable] = rules.filter(({ expr }) => expr.includes('state="fetching"'))
    expect(unreadable?.expr).toMatch(/ > 0 and ignoring \(state\) confmesh_fetch_age_seconds == 0$/)
    expect(sectionOf('fetching')).toContain(`\`${unreadable?.alert}\``)
  })

  test('so is a second process with the identity of a node', () => {
    expect(rules.filter(({ expr }) => expr.includes('code="NET_DUPLICATE_ID"'))).toHaveLength(1)
  })

  const counted = rules.filter(({ expr }) => expr.includes('increase('))
  test.each(counted)('$alert sees what was counted before the first scrape, too', ({ expr }) => {
    const [, counter = ''] = /^increase\((.+)\[15m\]\) > 0 or /.exec(expr) ?? []
    const isYoung = 'on (instance, job) time() - confmesh_process_start_time_seconds < 900'
    expect(expr).toBe(`increase(${counter}[15m]) > 0 or (${counter} > 0 and ${isYoung})`)
  })

  test('none is there twice', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  })
})

describe('operations.md', () => {
  const keys = Object.keys(CONFIG_SCHEMA.shape)

  test.each(keys)('explains the configuration key %s', (key) => {
    expect(operations).toMatch(new RegExp(`^\\| \`${key}[\`.]`, 'm'))
  })

  test('names no command that there is not', () => {
    const named = [...operations.matchAll(/^(?:\$ )?(?:npx )?confmesh ([a-z-]+)/gm)].map(
      ([, name = '']) => name,
    )
    expect(named).not.toEqual([])
    expect(named.filter((name) => !(name in COMMANDS))).toEqual([])
  })

  test('of a seed that was broken into it says first that nothing may be brought to it any more', () => {
    const entry = /^\*\*Freshness key[\s\S]*?\n\n/m.exec(sectionOf('Stolen key'))?.[0] ?? ''
    const steps = [
      'out of all pipelines',
      '`seeds` of all',
      '#replace-a-seed',
      '#remove-a-node',
      '#remove-a-pool',
    ]
    const at = steps.map((step) => entry.replaceAll('\n', ' ').indexOf(step))
    expect(at).toEqual(at.filter((place) => place >= 0).toSorted((a, b) => a - b))
  })

  test('the way back from a newer store, here and with its code, loses the store and nothing else', () => {
    expect(sectionOf('Upgrade')).toMatch(/`STORE_VERSION`[\s\S]*remove `store` [\s\S]*nothing else/)
    const [row = ''] = /^\| `STORE_VERSION` .*$/m.exec(read('errors.md')) ?? []
    expect(row).toMatch(/`store` [^|]*alone/)
    expect(row).not.toContain('empty folder')
  })

  test('before a host of a lost root begins anew, what that root raised is raised', () => {
    const section = sectionOf('root-fork').replaceAll('\n', ' ')
    const at = section.indexOf('trust raise-epoch PATTERN')
    expect(at).toBeGreaterThan(0)
    expect(at).toBeLessThan(section.indexOf('on an empty'))
  })

  test('what one host alone says to be over may be its clock', () => {
    expect(sectionOf('root-expiry')).toMatch(/one host alone .*clock/)
    expect(
      operations.match(/expired`[\s\S]{0,100}?publish again; on one host alone:? set its clock/g),
    ).toHaveLength(2)
  })

  test('links lead to sections that there are', () => {
    const anchors = anchorsOf(operations)
    const links = [...operations.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor)
    expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([])
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig, type Overrides } from '../../../src/daemon/config.ts'
import { LIMITS } from '../../../src/limits.ts'

let dir: string
let file: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-config-'))
  file = join(dir, 'node.yaml')
})
afterAll(() => rmSync(dir, { recursive: true }))

const LEAST = 'root: root.json\ndata: data\n'

function load(text: string, environment: NodeJS.ProcessEnv = {}, overrides: Overrides = new Map()) {
  writeFileSync(file, text)
  return loadConfig(file, environment, overrides)
}

const refusal = (message: RegExp, code = 'CONFIG_INVALID') =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

test('two keys are enough, and the defaults are safe', () => {
  const config = load(LEAST)
  expect(config.api).toEqual({ listen: '127.0.0.1:7480', public: false, hosts: [] })
  expect([config.submit, config.channels, config.limitsInForce]).toEqual([false, ['**'], LIMITS])
})

test('the history has room for every release that is to be kept', () => {
  const of = (text: string) => {
    const { keepReleases, limitsInForce } = load(`${LEAST}${text}\n`)
    return [keepReleases, limitsInForce.maxHistory]
  }
  const { keepReleases, keepReleasesSeed, maxHistory } = LIMITS
  expect(of('submit: false')).toEqual([keepReleases, maxHistory])
  expect(of('submit: true')).toEqual([keepReleasesSeed, maxHistory])
  expect(of('keepReleases: 1000')).toEqual([1_000, 1_000])
  expect(of('submit: true\nlimits: { keepReleasesSeed: 200 }')).toEqual([200, 200])
  expect(of('keepReleases: 5\nlimits: { maxHistory: 7 }')).toEqual([5, 7])
})

describe('the schema is closed', () => {
  test.each([
    ['chanels: [a]', 3, 'chanels'],
    ['api:\n  listen: 127.0.0.1:1\n  hots: []', 5, 'api.hots'],
    ['hooks:\n  - channels: [a]\n    command: [b]\n    timeout: 5', 6, 'hooks.0.timeout'],
    ['submit: maybe', 3, 'submit'],
    ['api:\n  hosts:\n    - a.example\n    - b.example:7480', 6, 'api.hosts'],
    ['api: { hosts: ["http://a.example"] }', 3, 'api.hosts'],
    ['api: { hosts: ["*.example"] }', 3, 'api.hosts'],
    ['api: { hosts: ["bücher.example"] }', 3, 'api.hosts'],
    ['gateway: never', 3, 'gateway'],
    ['metrics:\n  enabled: true', 3, 'metrics'],
    ['hooks:\n  channels: [a]\n  command: [b]', 3, 'hooks'],
    ['labels:\n  region: EU West', 4, 'labels.region'],
    ['materialize:\n  dir: x\n  mode: "999"', 5, 'materialize.mode'],
    ['keepReleases: 0', 3, 'keepReleases'],
    ['log: { level: loud }', 3, 'log.level'],
    ['channels: []', 3, 'channels'],
    ['limits:\n  maxWatchers: 5\n  maxWachers: 5', 5, 'limits.maxWachers'],
    ['limits:\n  maxWatchers: -1', 4, 'limits.maxWatchers'],
  ])('%j is refused at its line by name', (text, line, name) => {
    expect(() => load(`${LEAST}${text}\n`)).toThrow(refusal(new RegExp(`node\\.yaml:${line}: ${name}: `)))
  })

  test('a mode without quotes, which YAML takes for a number, gets the hint to quote it', () => {
    expect(() => load(`${LEAST}materialize:\n  dir: x\n  mode: 0440\n`)).toThrow(
      refusal(/node\.yaml:5: materialize\.mode: .* in quotes, such as "0440"/),
    )
  })

  test('what is missing is named', () => {
    expect(() => load('root: r\n')).toThrow(refusal(/node\.yaml: data: is missing/))
    expect(() => load(`${LEAST}hooks:\n  - channels: [a]\n`)).toThrow(
      refusal(/:4: hooks\.0\.command: is missing/),
    )
    expect(() => load(`${LEAST}admission: { pool: p }\n`)).toThrow(
      refusal(/:3: admission: either certificate, or/),
    )
  })

  test.each([
    ['root: a\nroot: b\n', /node\.yaml:2: /],
    ['root: "a\ndata: b\n', /node\.yaml:\d: /],
    ['- a\n', /not a map/],
    ['', /node\.yaml: is empty/],
    ['# nothing\n', /node\.yaml: is empty/],
    ['root: *nowhere\ndata: d\n', /nowhere/],
  ])('%j is no configuration', (text, message) => {
    expect(() => load(text)).toThrow(refusal(message))
  })

  test('a bomb of aliases is refused', () => {
    const levels = ['a: &a [x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 8; i++) {
      const [name, below] = ['abcdefgh'[i], `*${'abcdefgh'[i - 1]}`]
      levels.push(`${name}: &${name} [${Array(8).fill(below).join(', ')}]`)
    }
    expect(() => load(`${LEAST}${levels.join('\n')}\n`)).toThrow(refusal(/alias/i))
  })

  test('a file beyond the bound, or none, is refused', () => {
    expect(() => load(`${LEAST}#${'x'.repeat(LIMITS.maxConfigBytes)}`)).toThrow(refusal(/larger than/))
    expect(() => loadConfig(join(dir, 'absent.yaml'), {}, new Map())).toThrow(
      refusal(/ENOENT/, 'CONFIG_UNREADABLE'),
    )
  })
})

describe('what overrides what', () => {
  test('the environment overrides the file, the command line both', () => {
    const text = `${LEAST}api: { listen: "127.0.0.1:1" }\n`
    const environment = { CONFMESH_NODE_API_LISTEN: '127.0.0.1:2' }
    expect(load(text).api.listen).toBe('127.0.0.1:1')
    expect(load(text, environment).api.listen).toBe('127.0.0.1:2')
    expect(load(text, environment, new Map([['api.listen', '127.0.0.1:3']])).api.listen).toBe('127.0.0.1:3')
  })

  test('twins have the types of their keys, and siblings stay', () => {
    const config = load(`${LEAST}labels: { zone: a }\nhealth: { soakMs: 5 }\n`, {
      CONFMESH_NODE_SEEDS: '/dns4/a/tcp/1,/dns4/b/tcp/1',
      CONFMESH_NODE_SUBMIT: 'true',
      CONFMESH_NODE_KEEP_RELEASES: '7',
      CONFMESH_NODE_HEALTH_TIMEOUT_MS: '900',
      CONFMESH_NODE_LABELS_REGION: 'eu',
      CONFMESH_NODE_LABELS_RACK: 'r1',
      CONFMESH_NODE_API_PUBLIC: 'true',
      CONFMESH_NODE_API_LISTEN: '0.0.0.0:1',
      CONFMESH_NODE_LOG_LEVEL: 'debug',
      PATH: '/bin',
    })
    expect(config.seeds).toEqual(['/dns4/a/tcp/1', '/dns4/b/tcp/1'])
    expect([config.submit, config.keepReleases, config.log.level]).toEqual([true, 7, 'debug'])
    expect(config.health).toEqual({ soakMs: 5, timeoutMs: 900 })
    expect(config.labels).toEqual({ zone: 'a', region: 'eu', rack: 'r1' })
  })

  test('a label with dots in its name is that label', () => {
    const { labels } = load(LEAST, {}, new Map([['labels.example.org.rack', 'r1']]))
    expect(labels).toEqual({ 'example.org.rack': 'r1' })
  })

  test('hooks have one, in YAML or JSON, and so has each limit', () => {
    const hook = { channels: ['a'], command: ['run', '1,2'], timeoutMs: 5 }
    const text = `${LEAST}materialize: { dir: out }\nlimits: { maxWatchers: 5, maxChannels: 6 }\n`
    for (const hooks of [JSON.stringify([hook]), '- channels: [a]\n  command: [run, "1,2"]\n  timeoutMs: 5'])
      expect(load(text, { CONFMESH_NODE_HOOKS: hooks }).hooks).toEqual([hook])
    const { limitsInForce } = load(text, { CONFMESH_NODE_LIMITS_MAX_WATCHERS: '7' })
    expect([limitsInForce.maxWatchers, limitsInForce.maxChannels]).toEqual([7, 6])
    expect(() => load(text, { CONFMESH_NODE_HOOKS: '[a' })).toThrow(refusal(/^CONFMESH_NODE_HOOKS: hooks: /))
    expect(() => load(text, { CONFMESH_NODE_HOOKS: '[a]' })).toThrow(
      refusal(/^CONFMESH_NODE_HOOKS: hooks\.0: /),
    )
    expect(() => load(text, { CONFMESH_NODE_LIMITS_MAX_WATCHERS: 'x' })).toThrow(
      refusal(/^CONFMESH_NODE_LIMITS_MAX_WATCHERS: limits\.maxWatchers: /),
    )
    expect(() => load(text, { CONFMESH_NODE_LIMITS_MAX_WACHERS: '7' })).toThrow(refusal(/no such setting/))
  })

  const OF_A_SERVICE = [
    'SERVICE_HOST',
    'SERVICE_PORT',
    'SERVICE_PORT_P2P',
    'PORT',
    'PORT_7400_TCP',
    'PORT_7400_TCP_ADDR',
  ]
  const serviceOf = (name: string) =>
    Object.fromEntries(OF_A_SERVICE.map((word) => [`${name}_${word}`, 'tcp://10.0.0.1:7400']))

  test('what Kubernetes says of a service named confmesh-node is no setting', () => {
    const environment = serviceOf('CONFMESH_NODE')
    expect(JSON.stringify(load(LEAST, environment))).toBe(JSON.stringify(load(LEAST)))
    expect(() => load(LEAST, { CONFMESH_NODE_PORTS: '1' })).toThrow(refusal(/no such setting/))
    expect(() => load(LEAST, { CONFMESH_NODE_SERVICE: '1' })).toThrow(refusal(/no such setting/))
  })

  test('nor of one named confmesh-node-0, or with the name of a key, where its host is told', () => {
    const environment = { ...serviceOf('CONFMESH_NODE_0'), ...serviceOf('CONFMESH_NODE_API') }
    const told = { ...environment, CONFMESH_NODE_API_LISTEN: '127.0.0.1:1' }
    expect(load(LEAST, told).api.listen).toBe('127.0.0.1:1')
    expect(() => load(LEAST, { ...environment, CONFMESH_NODE_API_LISTN: 'x' })).toThrow(
      refusal(/^CONFMESH_NODE_API_LISTN: no such setting/),
    )
    for (const slip of ['CONFMESH_NODE_0_PORTS', 'CONFMESH_NODE_1_PORT', 'CONFMESH_NODE_1_SERVICE_PORT'])
      expect(() => load(LEAST, { ...environment, [slip]: '1' })).toThrow(refusal(/no such setting/))
  })

  test('a twin of no key, or with a value of another type, is refused', () => {
    expect(() => load(LEAST, { CONFMESH_NODE_API_LISTN: 'x' })).toThrow(refusal(/^CONFMESH_NODE_API_LISTN: /))
    expect(() => load(LEAST, { CONFMESH_NODE_SUBMIT: 'yes' })).toThrow(refusal(/submit/))
    expect(() => load(LEAST, { CONFMESH_NODE_KEEP_RELEASES: '1e3' })).toThrow(refusal(/keepReleases/))
  })

  test('it is what overrode the file that is blamed, not the line it overrode', () => {
    const text = `${LEAST}keepReleases: 5\napi: { listen: "127.0.0.1:1" }\nlisten: [/ip4/127.0.0.1/tcp/0]\n`
    expect(() => load(text, { CONFMESH_NODE_KEEP_RELEASES: 'x' })).toThrow(
      refusal(/^CONFMESH_NODE_KEEP_RELEASES: keepReleases: /),
    )
    expect(() => load(text, { CONFMESH_NODE_LISTEN: '/ip4/127.0.0.1/tcp/0,1:2' })).toThrow(
      refusal(/^CONFMESH_NODE_LISTEN: listen: /),
    )
    const environment = { CONFMESH_NODE_API_LISTEN: '127.0.0.1:2' }
    expect(() => load(text, environment, new Map([['api.listen', '0.0.0.0:1']]))).toThrow(
      refusal(/^command line: api\.listen: /, 'CONFIG_API_PUBLIC'),
    )
  })

  test('lists of the command line are taken as they are', () => {
    expect(load(LEAST, {}, new Map([['channels', ['a', 'b']]])).channels).toEqual(['a', 'b'])
  })
})

describe('paths', () => {
  test('of the file are relative to it', () => {
    const config = load(
      `${LEAST}floorDir: ../floor\nmaterialize: { dir: out }\nadmission: { pool: p.cert, poolKey: /abs/p.key }\n` +
        'freshness: { key: f.key }\napi: { listen: "unix:run/api.sock", tokenFile: token }\n',
    )
    expect([config.root, config.data, config.floorDir]).toEqual([
      join(dir, 'root.json'),
      join(dir, 'data'),
      resolve(dir, '../floor'),
    ])
    expect(config.materialize?.dir).toBe(join(dir, 'out'))
    expect(config.admission).toEqual({ pool: join(dir, 'p.cert'), poolKey: '/abs/p.key' })
    expect(config.freshness?.key).toBe(join(dir, 'f.key'))
    expect(config.api).toMatchObject({
      listen: `unix:${join(dir, 'run/api.sock')}`,
      tokenFile: join(dir, 'token'),
    })
  })

  test('of environment and command line are relative to the working directory', () => {
    const config = load(LEAST, { CONFMESH_NODE_ROOT: 'env.json' }, new Map([['data', 'cli-data']]))
    expect([config.root, config.data]).toEqual([resolve('env.json'), resolve('cli-data')])
  })

  test('a URL-like text elsewhere is no path', () => {
    expect(
      load(`${LEAST}materialize: { dir: out }\nhooks: [{ channels: [a], command: [./run] }]\n`).hooks[0]
        ?.command,
    ).toEqual(['./run'])
  })
})

describe('what runs after an activation', () => {
  const HOOKS = 'hooks: [{ channels: [a], command: [run] }]\n'

  test.each([
    [HOOKS, 3, 'hooks'],
    ['health:\n  soakMs: 5\n  command: [check]\n', 5, 'health.command'],
  ])('%j without files is refused at its line', (text, line, name) => {
    const message = new RegExp(`node\\.yaml:${line}: ${name}: .*materialize\\.dir`)
    expect(() => load(LEAST + text)).toThrow(refusal(message))
    expect(() => load(`${LEAST}${text}materialize: { dir: out }\n`)).not.toThrow()
  })

  test('a time alone runs nothing', () => {
    expect(load(`${LEAST}health: { soakMs: 5 }\n`).health.soakMs).toBe(5)
  })
})

describe('limits', () => {
  test('the file sets single ones, the rest stay', () => {
    const { limitsInForce } = load(`${LEAST}limits: { maxWatchers: 5 }\n`)
    expect(limitsInForce).toEqual({ ...LIMITS, maxWatchers: 5 })
    expect(LIMITS.maxWatchers).not.toBe(5)
  })

  test('times of hooks and of the check are as the limits say where their own keys do not', () => {
    const text = `materialize: { dir: out }
hooks: [{ channels: [a], command: [run] }, { channels: [a], command: [run], timeoutMs: 5 }]
limits: { hookTimeoutMs: 120000, healthTimeoutMs: 7, soakMs: 8 }`
    const of = (more: string) => {
      const { hooks, health } = load(`${LEAST}${text}\n${more}\n`)
      return [hooks.map(({ timeoutMs }) => timeoutMs), health]
    }
    expect(of('')).toEqual([[120_000, 5], { timeoutMs: 7, soakMs: 8 }])
    expect(of('health: { soakMs: 3 }')).toEqual([[120_000, 5], { timeoutMs: 7, soakMs: 3 }])
  })

  test.each([
    ['maxParallelFiles: 0', /limits\.maxParallelFiles: must be a whole number of at least 1$/],
    ['maxParallelFiles: 0.5', /limits\.maxParallelFiles: must be a whole number of at least 1$/],
    ['syncIntervalMs: 0', /limits\.syncIntervalMs: must be a whole number of at least 1$/],
    ['gossipBurst: 0', /limits\.gossipBurst: must be a whole number of at least 1$/],
    ['keepTrees: 1.5', /limits\.keepTrees: must be a whole number of at least 0$/],
    ['maxWatchers: .inf', /limits\.maxWatchers: /],
    ['maxWatchers: .nan', /limits\.maxWatchers: /],
    ['gossipPerSecond: -0.5', /limits\.gossipPerSecond: /],
    ['hookTimeoutMs: 86400001', /limits\.hookTimeoutMs: must be 86400000 at most$/],
    ['stopDeadlineMs: 2147483648', /limits\.stopDeadlineMs: must be 2147483647 at most$/],
    ['watchHeartbeatMs: 30001', /limits\.watchHeartbeatMs: must be 30000 at most: clients give up /],
  ])('%s is refused, with its line', (limit, message) => {
    const refused = refusal(new RegExp(`node\\.yaml:4: ${message.source}`))
    expect(() => load(`${LEAST}limits:\n  ${limit}\n`)).toThrow(refused)
  })

  test.each(['keepTrees', 'minOutbound', 'outsideDegree', 'maxCacheBytes', 'gossipPerSecond'])(
    '%s may be 0: none is a choice',
    (name) => {
      expect(load(`${LEAST}limits: { ${name}: 0 }\n`).limitsInForce).toEqual({ ...LIMITS, [name]: 0 })
    },
  )

  test('a time for which no timer runs may be as long as one likes', () => {
    const { limitsInForce } = load(`${LEAST}limits: { expiryWarnMs: 31536000000 }\n`)
    expect(limitsInForce.expiryWarnMs).toBe(31_536_000_000)
  })

  test('clients wait for a heartbeat twice as seldom', () => {
    const { limitsInForce } = load(`${LEAST}limits: { watchHeartbeatMs: 30000 }\n`)
    expect(limitsInForce.watchHeartbeatMs).toBe(30_000)
  })

  test('rates may be fractions, and every limit what it is without being set', () => {
    expect(load(`${LEAST}limits: { auditsPerSecond: 0.25 }\n`).limitsInForce.auditsPerSecond).toBe(0.25)
    const numbers = Object.entries(LIMITS).filter(([, value]) => typeof value === 'number')
    expect(load(`${LEAST}limits: ${JSON.stringify(Object.fromEntries(numbers))}\n`).limitsInForce).toEqual(
      LIMITS,
    )
  })
})

describe('api.listen', () => {
  test.each(['7480', 'localhost', '127.0.0.1:99999', '127.0.0.1:', 'http://127.0.0.1:1/'])(
    '%s is refused',
    (listen) => {
      expect(() => load(`${LEAST}api: { listen: "${listen}", public: true }\n`)).toThrow(
        refusal(/api\.listen/),
      )
    },
  )

  test('an IPv6 address is asked for in brackets', () => {
    expect(() => load(`${LEAST}api: { listen: "::1:7480" }\n`)).toThrow(refusal(/\[::1\]:7480/))
    expect(load(`${LEAST}api: { listen: "[::1]:7480" }\n`).api.listen).toBe('[::1]:7480')
  })

  test('public must be asked for', () => {
    expect(() => load(`${LEAST}api:\n  listen: "0.0.0.0:1"\n`)).toThrow(
      refusal(/node\.yaml:4: api\.listen: 0\.0\.0\.0/, 'CONFIG_API_PUBLIC'),
    )
    expect(load(`${LEAST}api: { listen: "0.0.0.0:1", public: true }\n`).api.public).toBe(true)
  })
})

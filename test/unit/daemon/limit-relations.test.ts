/** What is checked of limits together, once the file and the environment have set some of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/daemon/config.ts'
import { broken, relationsOf, told } from '../../../src/daemon/limit-relations.ts'
import { LIMITS } from '../../../src/limits.ts'

const NODE = { submit: false }
let file: string

beforeAll(() => {
  file = join(mkdtempSync(join(tmpdir(), 'confmesh-relations-')), 'node.yaml')
})
afterAll(() => rmSync(join(file, '..'), { recursive: true }))

function load(limits: Readonly<Record<string, number>>, environment: NodeJS.ProcessEnv = {}, submit = false) {
  const lines = Object.entries(limits).map(([name, value]) => `  ${name}: ${value}\n`)
  const text = lines.length === 0 ? '' : `limits:\n${lines.join('')}`
  writeFileSync(file, `root: root.json\ndata: data\n${text}submit: ${submit}\n`)
  return loadConfig(file, environment, new Map()).limitsInForce
}

const refusal = (message: string | RegExp) =>
  expect.objectContaining({
    code: 'CONFIG_INVALID',
    message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
  })

test.each([{ submit: false }, { submit: true }])(
  'the limits that are built in keep to all of them: %j',
  (role) => {
    expect(broken(LIMITS, role).map((relation) => told(relation, LIMITS))).toEqual([])
  },
)

/** Of these what is built in counts where more is set, or less. */
const AWAIT = 'awaitMs'
const MESSAGE = 'maxBlockMessageBytes'
const alone = relationsOf(NODE).filter(({ limit }) => limit !== MESSAGE)

describe.each(alone.map((relation) => [relation.limit, relation.of, relation] as const))(
  '%s beside %j',
  (limit, of, relation) => {
    const least = relation.least(LIMITS)

    test('one less is refused, with its line', () => {
      const less = { ...LIMITS, [limit]: least - 1 }
      expect(broken(less, NODE)).toContain(relation)
      expect(broken({ ...LIMITS, [limit]: least }, NODE)).not.toContain(relation)
      expect(() => load({ [limit]: least - 1 })).toThrow(
        refusal(`node.yaml:4: limits.${limit}: ${limit} is `),
      )
      const text = told(relation, less)
      expect(text).toContain(`${limit} is ${least - 1} and must be at least ${least}, since ${of[0]} is `)
      expect(text).toContain(`; raise ${limit}, or lower ${of[0]}`)
    })

    test.each(of.filter((name) => name !== AWAIT))('more of %s alone asks for more of it', (name) => {
      const most = LIMITS[limit] + 1
      expect(broken({ ...LIMITS, [name]: most }, NODE)).toContain(relation)
    })
  },
)

test('who would keep a question for longer than all do needs no longer deadlines: it is kept no longer', () => {
  expect(load({ [AWAIT]: 3_600_000 })).toMatchObject({ [AWAIT]: 3_600_000 })
  for (const deadline of ['publishDeadlineMs', 'answerDeadlineMs'] as const) {
    const text = `${deadline} is 5000 and must be at least 5001, since awaitMs is 5000`
    expect(() => load({ [AWAIT]: 5_000, [deadline]: 5_000 })).toThrow(refusal(text))
  }
})

test('shorter messages of blocks bind nobody, as those that are built in are read all the same; longer blocks need longer ones', () => {
  expect(load({ [MESSAGE]: 1_024 })).toMatchObject({ [MESSAGE]: 1_024 })
  const maxBlockBytes = 2 * LIMITS.maxBlockBytes
  const text = `${MESSAGE} is ${LIMITS[MESSAGE]} and must be at least ${maxBlockBytes + 1_024}, since maxBlockBytes is`
  expect(() => load({ maxBlockBytes })).toThrow(refusal(text))
  expect(load({ maxBlockBytes, [MESSAGE]: maxBlockBytes + 1_024 })).toMatchObject({ maxBlockBytes })
})

test('what was set is to blame, and not what is as it was built in', () => {
  expect(() => load({ minDegree: 24 })).toThrow(
    refusal(
      /node\.yaml:4: limits\.minDegree: maxDegree is 20 and must be at least 24, since minDegree is 24: .*; raise maxDegree, or lower minDegree$/,
    ),
  )
  const environment = { CONFMESH_NODE_LIMITS_STOP_TIMEOUT_MS: String(LIMITS.stopDeadlineMs) }
  expect(() => load({ maxFiles: 5 }, environment)).toThrow(
    refusal(
      /^CONFMESH_NODE_LIMITS_STOP_TIMEOUT_MS: limits\.stopTimeoutMs: stopDeadlineMs is \d+ and must be/,
    ),
  )
  expect(load({ minDegree: 24, maxDegree: 24 })).toEqual({ ...LIMITS, minDegree: 24, maxDegree: 24 })
})

test('a seed has places of its own, with which its links are compared', () => {
  const more = { minDegree: 30, maxDegree: 40 }
  expect(load(more, {}, true)).toMatchObject(more)
  expect(() => load(more)).toThrow(refusal('hardDegree is 32 and must be at least 33'))
  expect(() => load({ ...more, seedDegree: 32 }, {}, true)).toThrow(
    refusal('seedDegree is 32 and must be at least 33'),
  )
})

test('a gateway may name as many things over a border as a message has room for', () => {
  const { maxBridgeHave } = LIMITS
  const text = `bridgeBurst is ${maxBridgeHave - 1} and must be at least ${maxBridgeHave}, since maxBridgeHave is`
  expect(() => load({ bridgeBurst: maxBridgeHave - 1 })).toThrow(refusal(text))
  expect(load({ bridgeBurst: maxBridgeHave }).bridgeBurst).toBe(maxBridgeHave)
})

test('more watchers alone have connections, with as many to spare as there were', () => {
  const { maxWatchers, maxHttpConnections } = LIMITS
  const spare = maxHttpConnections - maxWatchers
  const environment = { CONFMESH_NODE_LIMITS_MAX_WATCHERS: '5000' }
  expect(load({}, environment).maxHttpConnections).toBe(5_000 + spare)
  expect(load({ maxWatchers: 5 }).maxHttpConnections).toBe(maxHttpConnections)
  expect(load({ maxWatchers: 5, maxHttpConnections: 50 }).maxHttpConnections).toBe(50)
  expect(() => load({ maxHttpConnections: 1_100 }, environment)).toThrow(
    refusal(/node\.yaml:4: limits\.maxHttpConnections: .*\/healthz and \/readyz would go unanswered/),
  )
})

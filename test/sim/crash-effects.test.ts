import { expect, test } from 'vitest'
import type { Effect } from '../../src/core/effects.ts'
import { createNode } from '../../src/core/node.ts'
import type { Protocol, ReplyOf, RequestOf } from '../../src/model/messages.ts'
import { runPoint } from '../../src/sim/crash-points.ts'

/** Every kind of effect, and of messages every type: one more in the core's union does not compile without a line below. */
type EffectName =
  | Exclude<Effect['kind'], 'request' | 'reply'>
  | { [P in Protocol]: `request ${P} ${RequestOf[P]['type']}` | `reply ${P} ${ReplyOf[P]['type']}` }[Protocol]

const REACHED = ''
const INSIDE = 'nothing outside changes by it: to die there is to die at the next effect'
const PUBLISHER = 'a publisher asks it, no node does'
const TOOL = 'only the publishing tool asks for it; the simulated publisher knows what it would be told'
const REFUSAL = 'every node of this fleet is admitted, keeps to the protocol and asks no more than it may'
const FORK = 'takes two roots of one version: whoever holds the root key has signed both'
const CROWD = 'takes more askers than five nodes are'

/** What a node can die before in the life that is run for each point; where it cannot, why. */
const EFFECTS: Readonly<Record<EffectName, string>> = {
  verdict: REACHED,
  publish: REACHED,
  serveBlock: REACHED,
  admit: REACHED,
  dial: REACHED,
  hangUp: REACHED,
  persist: REACHED,
  read: REACHED,
  activate: REACHED,
  withdraw: INSIDE,
  collect: REACHED,
  rememberPeer: REACHED,
  forgetPeer: 'takes a root that refuses a peer, or more peers than are remembered',
  note: INSIDE,
  count: INSIDE,
  observe: INSIDE,
  wake: INSIDE,
  'request admit open': REACHED,
  'request admit root': REACHED,
  'request admit firstRoot': 'takes a seed that begins with a later root',
  'request admit fork': FORK,
  'request admit refuse': REFUSAL,
  'request admit hello': REACHED,
  'reply admit opened': REACHED,
  'reply admit root': REACHED,
  'reply admit noted': FORK,
  'reply admit hello': REACHED,
  'reply admit refused': REFUSAL,
  'request sync digests': REACHED,
  'request sync entries': REACHED,
  'request sync push': REACHED,
  'request sync peers': REACHED,
  'request sync beacons': REACHED,
  'reply sync differ': REACHED,
  'reply sync envelopes': REACHED,
  'reply sync noted': REACHED,
  'reply sync peers': REACHED,
  'reply sync beacons': REACHED,
  'reply sync refused': REFUSAL,
  'request blocks want': REACHED,
  'request blocks have': REACHED,
  'request blocks holds': REACHED,
  'reply blocks block': REACHED,
  'reply blocks gone': REACHED,
  'reply blocks busy': CROWD,
  'reply blocks redirect': REACHED,
  'reply blocks noted': REACHED,
  'reply blocks refused': REFUSAL,
  'request publish roots': PUBLISHER,
  'request publish state': PUBLISHER,
  'request publish channels': PUBLISHER,
  'request publish header': PUBLISHER,
  'request publish root': PUBLISHER,
  'request publish lease': REACHED,
  'request publish free': 'takes a seed that gave a place while another one refused it',
  'request publish submit': PUBLISHER,
  'request publish page': PUBLISHER,
  'request publish block': PUBLISHER,
  'request publish await': REACHED,
  'reply publish root': TOOL,
  'reply publish state': TOOL,
  'reply publish header': TOOL,
  'reply publish channels': TOOL,
  'reply publish noted': REACHED,
  'reply publish need': REACHED,
  'reply publish done': REACHED,
  'reply publish refused': REACHED,
  'request bridge announce': REACHED,
  'request bridge claim': REACHED,
  'request bridge pull': REACHED,
  'request bridge have': REACHED,
  'request bridge heartbeats': REACHED,
  'reply bridge noted': REACHED,
  'reply bridge item': REACHED,
  'reply bridge gone': 'takes a gateway that forgot what it had said: minutes',
  'reply bridge heartbeats': REACHED,
  'reply bridge refused': REACHED,
}

test('the nodes of that life come to every kind of effect, or it is said why they cannot', async () => {
  const reached = new Set<string>()
  for (const node of [0, 1, 2, 3, 4]) {
    const { names, problem } = await runPoint(node)
    expect(problem).toBeUndefined()
    for (const name of names) reached.add(name)
  }
  const expected = Object.entries(EFFECTS).flatMap(([name, why]) => (why === REACHED ? [name] : []))
  expect([...reached].sort()).toEqual(expected.sort())
}, 120_000)

test('the two nodes whose points `npm test` takes come to each kind but for messages', async () => {
  const [seed, other] = [await runPoint(0), await runPoint(3)]
  const kinds = Object.entries(EFFECTS).flatMap(([name, why]) =>
    why === REACHED && !name.includes(' ') ? [name] : [],
  )
  expect(kinds.filter((kind) => !seed.names.has(kind) && !other.names.has(kind))).toEqual([])
}, 120_000)

test('each of them has something to collect in the end', async () => {
  const collected = new Set<string>()
  await runPoint(0, undefined, (config) => {
    const core = createNode(config)
    return {
      view: (now) => core.view(now),
      handle: (event, now) => {
        if (event.kind === 'collected') collected.add(config.self)
        return core.handle(event, now)
      },
    }
  })
  expect(collected.size).toBe(5)
}, 120_000)

import { expect, test } from 'vitest'
import { attackInRounds, type Line, type Sent, silent } from '../../../bench/rounds.ts'

const KINDS = ['harmless', 'wears out', 'after it', 'cut off']
const CONNECTIONS = 12
/** More than those connections take where none is used in vain. */
const BURSTS = 100

/** A node that takes ten messages of each burst, none on a line that is worn out, and hangs up on one kind. */
function attacked(): { connect(): Promise<Line>; readonly connections: number } {
  let connections = 0
  const connect = async (): Promise<Line> => {
    connections += 1
    let [isWorn, isOpen] = [false, true]
    return {
      get isOpen() {
        return isOpen
      },
      async burst(kind) {
        if (isWorn) return 0
        isWorn = kind === 'wears out'
        isOpen = kind !== 'cut off'
        return isOpen ? 10 : 1
      },
      end: async () => undefined,
    }
  }
  return {
    connect,
    get connections() {
      return connections
    },
  }
}

async function sentTo(node: ReturnType<typeof attacked>): Promise<Record<string, Sent>> {
  const byKind: Record<string, Sent> = {}
  let bursts = 0
  await attackInRounds({
    ...{
      kinds: KINDS,
      first: 0,
      connect: node.connect,
      goesOn: () => node.connections < CONNECTIONS && bursts < BURSTS,
    },
    wrote(kind, messages) {
      bursts += 1
      const before = byKind[kind] ?? { messages: 0, bursts: 0 }
      byKind[kind] = { messages: before.messages + messages, bursts: before.bursts + (messages > 0 ? 1 : 0) }
    },
  })
  return byKind
}

test('after a kind that leaves its connection of no use, the next is sent on a new one', async () => {
  const byKind = await sentTo(attacked())
  expect(silent(KINDS, byKind, 60, 5)).toEqual([])
  expect(byKind['after it']?.messages).toBe(10 * (byKind['after it']?.bursts ?? 0))
})

test('a kind that can send nothing at all does not keep the others from their turn', async () => {
  const node = attacked()
  const connect = async (): Promise<Line> => {
    const line = await node.connect()
    return { ...line, isOpen: true, burst: async (kind) => (kind === 'harmless' ? 0 : line.burst(kind)) }
  }
  const byKind = await sentTo({
    connect,
    get connections() {
      return node.connections
    },
  })
  expect(silent(KINDS, byKind, 60, 2)).toEqual([expect.stringMatching(/^harmless: 0 bursts of 0 messages/)])
})

test('a kind that fell silent is named, as is one that was sent once', () => {
  const byKind = { forks: { messages: 0, bursts: 0 }, replays: { messages: 100, bursts: 1 } }
  const told = silent(['forks', 'replays', 'forgotten'], byKind, 60, 10)
  expect(told.map((line) => line.split(':')[0])).toEqual(['forks', 'replays', 'forgotten'])
})

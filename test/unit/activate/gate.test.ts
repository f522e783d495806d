import { expect, test } from 'vitest'
import { Gate, type Turn } from '../../../src/activate/gate.ts'

/** Who is let in, in order; each may be told to leave. */
function visitors(width: number, count: number): { inside: number[]; leaves: (() => void)[] } {
  const gate = new Gate(width)
  const inside: number[] = []
  const leaves: (() => void)[] = []
  for (let at = 0; at < count; at++)
    void gate.enter().then((leave) => {
      inside.push(at)
      leaves[at] = leave
    })
  return { inside, leaves }
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('so many are inside, and the others come in their order', async () => {
  const { inside, leaves } = visitors(2, 5)
  await settled()
  expect(inside).toEqual([0, 1])
  leaves[1]?.()
  await settled()
  expect(inside).toEqual([0, 1, 2])
  for (const leave of leaves) leave?.()
  await settled()
  expect(inside).toEqual([0, 1, 2, 3, 4])
})

test('those who go first do not wait for the others, nor these for those who go last, and each keep their own order', async () => {
  const gate = new Gate(1)
  const inside: string[] = []
  const comes = async (name: string, turn?: Turn): Promise<void> => {
    const leave = await gate.enter(turn)
    inside.push(name)
    setImmediate(leave)
  }
  const all = [comes('old 1', 'last'), comes('old 2', 'last'), comes('old 3', 'last'), comes('a'), comes('b')]
  await Promise.all([...all, comes('back 1', 'first'), comes('back 2', 'first')])
  expect(inside).toEqual(['old 1', 'back 1', 'back 2', 'a', 'b', 'old 2', 'old 3'])
})

test('those who go last leave one place to whoever comes', async () => {
  const gate = new Gate(2)
  const leave = await gate.enter('last')
  let isIn = false
  const waits = gate.enter('last').then((leaveIt) => {
    isIn = true
    return leaveIt
  })
  await settled()
  expect(isIn).toBe(false)
  const leaveNew = await gate.enter()
  leaveNew()
  await settled()
  expect(isIn).toBe(false)
  leave()
  ;(await waits)()
  // Alone there is none to leave.
  ;(await new Gate(1).enter('last'))()
})

test('whoever gives up waits no longer, takes no place, and is not let in', async () => {
  const gate = new Gate(1)
  const leave = await gate.enter()
  const waiting = new AbortController()
  const gone = gate.enter('second', waiting.signal)
  const behind = gate.enter()
  waiting.abort(new Error('withdrawn'))
  await expect(gone).rejects.toThrow('withdrawn')
  await expect(gate.enter('first', waiting.signal)).rejects.toThrow('withdrawn')
  leave()
  const leaveBehind = await behind
  // Nor does it matter to who is inside already.
  const inside = new AbortController()
  const next = gate.enter('second', inside.signal)
  leaveBehind()
  const leaveNext = await next
  const last = gate.enter()
  inside.abort()
  leaveNext()
  await last
})

test('whoever leaves twice makes room once', async () => {
  const { inside, leaves } = visitors(1, 3)
  await settled()
  leaves[0]?.()
  leaves[0]?.()
  await settled()
  expect(inside).toEqual([0, 1])
})

test('a place that nobody waits for stays for who comes later', async () => {
  const gate = new Gate(0)
  for (let at = 0; at < 3; at++) (await gate.enter())()
  await gate.enter()
  let isIn = false
  void gate.enter().then(() => {
    isIn = true
  })
  await settled()
  expect(isIn).toBe(false)
})

test('pieces take a place each, and nobody waits for those who wait for him', async () => {
  const gate = new Gate(2)
  let [now, most, done] = [0, 0, 0]
  const piece = async (): Promise<void> => {
    most = Math.max(most, ++now)
    await settled()
    now--
    done++
  }
  const pieces = Array.from({ length: 10 }, () => piece)
  const whole = (): Promise<void> => gate.within((apart) => apart(pieces, (each) => each()))
  await Promise.all([whole(), whole(), whole()])
  expect({ now, most, done }).toEqual({ now: 0, most: 2, done: 30 })
})

test('the first piece that fails ends them all, and whoever asked is back at a place', async () => {
  const gate = new Gate(2)
  const begun: number[] = []
  const failing = gate.within(async (apart) => {
    const failed = apart([0, 1, 2, 3, 4], async (at) => {
      begun.push(at)
      await settled()
      if (at === 0) throw new Error('no room')
    })
    await expect(failed).rejects.toThrow('no room')
    expect(begun).toEqual([0, 1])
    return 'is told'
  })
  expect(await failing).toBe('is told')
  await gate.enter()
  await gate.enter()
})

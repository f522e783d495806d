/** Chance that can be had again: everything a run decides follows from its seed (mulberry32, public domain). */
export interface Random {
  (): number
  between(low: number, high: number): number
  pick<T>(all: readonly T[]): T
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return Object.assign(next, {
    between: (low: number, high: number): number => low + next() * (high - low),
    pick: <T>(all: readonly T[]): T => all[Math.floor(next() * all.length)] as T,
  })
}

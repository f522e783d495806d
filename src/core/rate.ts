/** Token buckets: so many a second on average, so many at once. Time is the caller's. */
import { LatestMap } from './latest.ts'

export interface Bucket {
  /** True: `cost` (1) were left and are taken. */
  take(monoMs: number, cost?: number): boolean
  /** Whether so many are left. */
  has(monoMs: number, cost: number): boolean
  /** What was taken and is not to be paid for. */
  giveBack(cost: number): void
}

export function createBucket(perSecond: number, burst: number): Bucket {
  let tokens = burst
  let lastMonoMs: number | undefined
  const has = (monoMs: number, cost: number): boolean => {
    tokens = Math.min(burst, tokens + ((monoMs - (lastMonoMs ?? monoMs)) / 1000) * perSecond)
    lastMonoMs = monoMs
    return tokens >= cost
  }
  return {
    has,
    take(monoMs, cost = 1) {
      if (!has(monoMs, cost)) return false
      tokens -= cost
      return true
    },
    giveBack(cost) {
      tokens = Math.min(burst, tokens + cost)
    },
  }
}

/**
 * As a bucket, and whoever comes beyond it is told when a turn of its own comes: promised turns are as far apart as the
 * rate allows, so that a crowd comes back one by one.
 */
export function createTurns(perSecond: number, burst: number, maxWaitMs: number) {
  const bucket = createBucket(perSecond, burst)
  let promisedMonoMs = 0
  return {
    /** 0: now; else milliseconds after which to come back, `maxWaitMs` at most. */
    take(monoMs: number): number {
      if (bucket.take(monoMs)) return 0
      promisedMonoMs = Math.min(Math.max(promisedMonoMs, monoMs) + 1000 / perSecond, monoMs + maxWaitMs)
      return Math.ceil(promisedMonoMs - monoMs)
    },
  }
}

export type Turns = ReturnType<typeof createTurns>

/**
 * One bucket for each key. `forget` is called when the key's owner leaves, so the map is as large as the connections;
 * where keys have no such end, `maxKeys` bounds it, and the one used longest ago goes.
 */
export function createBuckets<K>(perSecond: number, burst: number, maxKeys = Number.POSITIVE_INFINITY) {
  const buckets = new LatestMap<K, Bucket>(maxKeys)
  return {
    take(key: K, monoMs: number, cost = 1): boolean {
      const bucket = buckets.get(key) ?? createBucket(perSecond, burst)
      buckets.set(key, bucket)
      return bucket.take(monoMs, cost)
    },
    has: (key: K, monoMs: number, cost: number): boolean => buckets.get(key)?.has(monoMs, cost) ?? true,
    giveBack(key: K, cost: number): void {
      buckets.get(key)?.giveBack(cost)
    },
    forget(key: K): void {
      buckets.delete(key)
    },
  }
}

export type Buckets<K> = ReturnType<typeof createBuckets<K>>

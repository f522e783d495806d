/** Maps and Sets walked as after another order of insertion: what hangs on it takes another way. */
import { shuffled, stream } from '../../src/sim/random.ts'

const map = { entries: Map.prototype.entries, keys: Map.prototype.keys, values: Map.prototype.values }
const set = { values: Set.prototype.values }

/**
 * From now on the files of this folder walk their Maps and Sets in an order drawn for each walk, but for those in which
 * the order is meant. Drawn, for what is walked backwards twice is as it was.
 * @returns ends it
 */
export function shuffleWalks(folder: string, meant: readonly string[] = []): () => void {
  const isShuffled = (path: string): boolean =>
    path.includes(`/${folder}/`) && !meant.some((file) => path.endsWith(`/${folder}/${file}`))
  const random = stream(1, 'walks')
  const drawn = (walk: () => Iterator<unknown>) =>
    function walked(this: Map<unknown, unknown> | Set<unknown>): Iterator<unknown> {
      const forwards = walk.call(this)
      if (this.size < 2) return forwards
      if (!isShuffled(fileOfCaller(walked))) return forwards
      const items: unknown[] = []
      for (let item = forwards.next(); item.done !== true; item = forwards.next()) items.push(item.value)
      return shuffled(items, random).values()
    }
  const [entries, values] = [drawn(map.entries), drawn(set.values)]
  Object.assign(Map.prototype, { entries, keys: drawn(map.keys), values: drawn(map.values) })
  Object.assign(Set.prototype, { values, keys: values })
  install(entries, values)
  return () => {
    Object.assign(Map.prototype, map)
    Object.assign(Set.prototype, { ...set, keys: set.values })
    install(map.entries, set.values)
  }
}

function install(entries: unknown, values: unknown): void {
  Map.prototype[Symbol.iterator] = entries as never
  Set.prototype[Symbol.iterator] = values as never
}

/** `for … of` and spreads call an iterator themselves: the frame above it is theirs. */
function fileOfCaller(callee: (...args: never) => unknown): string {
  const { prepareStackTrace, stackTraceLimit } = Error
  const frames: { stack?: readonly NodeJS.CallSite[] } = {}
  Error.prepareStackTrace = (_error, sites) => sites
  Error.stackTraceLimit = 1
  Error.captureStackTrace(frames, callee)
  const file = frames.stack?.[0]?.getFileName() ?? ''
  Object.assign(Error, { prepareStackTrace, stackTraceLimit })
  return file
}

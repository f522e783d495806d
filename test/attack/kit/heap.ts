/** What this process, node and attacker together, holds once garbage is collected. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

export const heapMib = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed / 2 ** 20
}

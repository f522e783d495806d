import { afterEach } from 'vitest'
import { Scripted, type ScriptOptions } from './scripted.ts'

interface Running {
  stop(): Promise<void>
}

/** What a test starts is stopped after it. */
export function kept() {
  const running: Running[] = []
  afterEach(async () => {
    await Promise.all(running.splice(0).map((each) => each.stop()))
  })
  const keep = <T extends Running>(started: T): T => {
    running.push(started)
    return started
  }
  const node = async (options?: ScriptOptions): Promise<Scripted> => keep(await Scripted.start(options))
  return { keep, node }
}

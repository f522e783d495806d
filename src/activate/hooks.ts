import { randomUUID } from 'node:crypto'
import type { Limits } from '../limits.ts'
import type { Channel, Pattern, ReleaseId } from '../model/ids.ts'
import { matchesAny } from '../model/pattern.ts'
import type { ActivationOutcome } from '../runtime/ports.ts'
import { type CommandResult, runCommand } from './run-command.ts'

export interface Hook {
  /** Patterns of the channels it is for. */
  readonly channels: readonly Pattern[]
  readonly command: readonly string[]
  readonly timeoutMs: number
}

export interface Health {
  readonly command?: readonly string[] | undefined
  readonly timeoutMs: number
}

/** What a command is told, as environment variables; it gets nothing of our own environment but PATH. */
export interface HookFacts {
  readonly channel: Channel
  readonly release: ReleaseId
  readonly previous: ReleaseId | undefined
  /** Where the files are. */
  readonly dir: string
  /** Path of a file with the changed paths, each ended by NUL. */
  readonly changedFile: string
  readonly cwd: string
}

/** Where it is noted which command runs. Neither fails. */
export interface RunNotes {
  /** @param mark of all that the command starts */
  begin(mark: string): Promise<void>
  /** @param group in which it runs */
  started(mark: string, group: number): Promise<void>
  end(): Promise<void>
}

type Bad = Exclude<ActivationOutcome, { kind: 'healthy' }>

/**
 * Hooks of the channel in the order of the configuration, then the health command. Undefined: all is well. What the
 * host was too short of something to start says nothing of the release: failed, so that it is tried again.
 */
export async function runHooks(
  hooks: readonly Hook[],
  health: Health | undefined,
  facts: HookFacts,
  runs: RunNotes,
  limits: Limits,
  signal: AbortSignal,
): Promise<Bad | undefined> {
  const { maxHookOutputBytes: maxOutputBytes } = limits
  const run = async (command: readonly string[], timeoutMs: number): Promise<CommandResult> => {
    const mark = randomUUID()
    await runs.begin(mark)
    let noted = Promise.resolve()
    const onStart = (group: number): void => {
      noted = runs.started(mark, group)
    }
    try {
      const place = { cwd: facts.cwd, env: environment(facts), maxOutputBytes }
      return await runCommand({ ...place, command, timeoutMs, mark, onStart, signal })
    } finally {
      await noted
      await runs.end()
    }
  }
  for (const hook of hooks) {
    if (!matchesAny(hook.channels, facts.channel)) continue
    const result = await run(hook.command, hook.timeoutMs)
    if (result.kind === 'short')
      return { kind: 'failed', code: 'ACTIVATE_FAILED', text: `hook ${result.text}` }
    if (result.kind === 'timeout')
      return { kind: 'unhealthy', code: 'HOOK_TIMEOUT', text: `hook ${result.text}` }
    if (result.kind === 'failed')
      return { kind: 'unhealthy', code: 'HOOK_FAILED', text: `hook ${result.text}` }
  }
  if (health?.command === undefined) return undefined
  const result = await run(health.command, health.timeoutMs)
  if (result.kind === 'short')
    return { kind: 'failed', code: 'ACTIVATE_FAILED', text: `health check ${result.text}` }
  return result.kind === 'passed'
    ? undefined
    : { kind: 'unhealthy', code: 'ACTIVATE_UNHEALTHY', text: `health check ${result.text}` }
}

const environment = ({
  channel,
  release,
  previous,
  dir,
  changedFile,
}: HookFacts): Record<string, string> => ({
  CONFMESH_CHANNEL: channel,
  CONFMESH_RELEASE: release,
  CONFMESH_PREVIOUS: previous ?? '',
  CONFMESH_DIR: dir,
  CONFMESH_CHANGED: changedFile,
})

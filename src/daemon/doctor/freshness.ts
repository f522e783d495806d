import { readFileSync } from 'node:fs'
import { get, SILENCE_MS, text } from '../../client/transport.ts'
import type { TrustRoot } from '../../model/root.ts'
import type { NodeConfig } from '../config.ts'
import { type Finding, fine, wrong } from './finding.ts'
import { newestRoot } from './root.ts'
import type { StoreState } from './store.ts'

const ASK_MS = 5_000
const MAX_METRICS_BYTES = 4 * 1024 * 1024

/** What the running node has heard of its seeds' beacons lately. Nothing where only its log says where to ask it, or root says why. */
export async function checkBeacons(config: NodeConfig, state: StoreState): Promise<readonly Finding[]> {
  if (state !== 'running' || config.api.listen.endsWith(':0')) return []
  const root = await newestRoot(config).catch(() => undefined)
  if (root === undefined) return []
  try {
    const answer = await get(endpointOf(config), '/metrics', {
      ...{ timeoutMs: ASK_MS, silenceMs: SILENCE_MS },
      // Under its own name it may be none of those that it answers to.
      headers: { host: 'localhost' },
    })
    return [judgeBeacons(await text(answer, MAX_METRICS_BYTES, SILENCE_MS), root.freshness)]
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    // Read once, at its start.
    const advice =
      code === 'API_UNAUTHORISED'
        ? 'was the token file changed? Restart the node'
        : 'does it listen where api.listen says, and has it time? Restart the node where that was changed'
    return [wrong('beacons', `the running node did not say when it heard one: ${code}`, advice)]
  }
}

/** @param metrics as `/metrics` of the node gives them */
export function judgeBeacons(
  metrics: string,
  { keys, maxAgeS }: Pick<TrustRoot['freshness'], 'keys' | 'maxAgeS'>,
): Finding {
  const check = 'beacons'
  if (keys.length === 0) return fine(check, 'none are due: the root names no freshness key')
  const value = (name: string): number | undefined => {
    const line = metrics.split('\n').find((one) => one.startsWith(`${name} `))
    return line === undefined ? undefined : Number(line.slice(name.length + 1))
  }
  // From the node's start, where none was heard.
  const ageS = value('confmesh_beacon_age_seconds')
  if (ageS === undefined) return wrong(check, 'the node does not say when it heard one', 'is it confmesh?')
  // Older nodes do not say it.
  const isHeard = value('confmesh_beacon_heard') !== 0
  const said = isHeard
    ? `the running node heard the newest ${Math.round(ageS)} s ago`
    : `the running node has heard none yet, it started ${Math.round(ageS)} s ago`
  if (ageS > maxAgeS)
    return wrong(
      check,
      `${said}; the root asks for one in ${maxAgeS} s`,
      'are the seeds up, and does this host reach them? Each is tried below',
    )
  const doubtful = value('confmesh_refused_total{code="SYNC_CLOCK_OR_DELAY"}') ?? 0
  if (doubtful > 0)
    return fine(check, `${said}; since its start it has doubted its clock (SYNC_CLOCK_OR_DELAY)`)
  return fine(check, said)
}

function endpointOf({ api }: NodeConfig): { readonly url: string; readonly token?: string } {
  const { listen, tokenFile } = api
  const url = listen.startsWith('unix:')
    ? listen
    : `http://${listen.replace(/^(0\.0\.0\.0|\[::\])/, '127.0.0.1')}`
  return tokenFile === undefined ? { url } : { url, token: readFileSync(tokenFile, 'utf8').trim() }
}

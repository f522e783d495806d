import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Code, isMeshError } from '../../errors.ts'
import { IDENTITY_FILE, NO_IDENTITY, newIdentityPem, peerIdOf } from '../../net/identity.ts'
import { createJudge } from '../../trust/admission.ts'
import type { NodeConfig } from '../config.ts'
import { ownChain, readPrivateKey } from '../documents.ts'
import { openToGroup } from '../own-keys.ts'
import { tokenProblem } from '../token.ts'
import { AS_ITS_USER, type Finding, fine, wrong } from './finding.ts'
import { newestRoot } from './root.ts'

const DAY_MS = 86_400_000
const WARN_MS = 30 * DAY_MS

/** Every private file: there, usable, and nobody else's to read. */
export function checkKeyFiles(config: NodeConfig): readonly Finding[] {
  const identity = join(config.data, IDENTITY_FILE)
  const isNew = isMissing(identity)
  const keys: [string, string][] = isNew ? [] : [['identity', identity]]
  if (config.admission !== undefined && 'poolKey' in config.admission)
    keys.push(['admission.poolKey', config.admission.poolKey])
  if (config.freshness !== undefined) keys.push(['freshness.key', config.freshness.key])
  const open = openToGroup(config)
  const findings = keys.map(([name, path]): Finding => {
    const mode = open.get(path)
    try {
      readPrivateKey(path, name, mode !== undefined)
      const more = mode === undefined ? '' : ` has mode ${mode}: the node sets it back to 0600`
      return fine(`key ${name}`, `${path}${more}`)
    } catch (error) {
      if (!isMeshError(error)) throw error
      return wrong(`key ${name}`, error.message, adviceOn(error.code, name, path))
    }
  })
  if (isNew) findings.unshift(fine('key identity', `${identity} is made at the first start`))
  return config.api.tokenFile === undefined ? findings : [...findings, checkToken(config.api.tokenFile)]
}

/** What this user may not look at is there, for all it knows. */
export function isMissing(path: string): boolean {
  try {
    statSync(path)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES'
  }
}

function adviceOn(code: Code, name: string, path: string): string {
  if (code === 'CONFIG_KEY_MODE') return `chmod 600 ${path}`
  if (code !== 'CONFIG_KEY') return 'check the path and its permissions'
  return name === 'identity' ? NO_IDENTITY : 'put its copy back, or name another key'
}

function checkToken(path: string): Finding {
  const check = 'key api.tokenFile'
  try {
    const open = (statSync(path).mode & 0o007) !== 0
    if (open) return wrong(check, `${path}: everyone may read it`, `chmod o-rwx ${path}`)
    const problem = tokenProblem(readFileSync(path, 'utf8').trim())
    return problem === undefined ? fine(check, path) : wrong(check, `${path}: ${problem.is}`, problem.wanted)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    return wrong(check, `${path}: ${reason}`, 'check the path and its permissions')
  }
}

/** What this node shows of itself, judged by the newest root known here, as peers judge it. */
export async function checkAdmission(config: NodeConfig): Promise<readonly Finding[]> {
  const check = 'certificate'
  if (config.admission === undefined) {
    const advice = "admission: {pool, poolKey}, or {certificate} that 'confmesh admit' made"
    return [wrong(check, 'none is configured: every peer refuses this node', advice)]
  }
  const identity = join(config.data, IDENTITY_FILE)
  const isNew = isMissing(identity)
  // One's own names its node, and a pool admits whoever has its key.
  if (isNew && 'certificate' in config.admission)
    return [fine(check, 'checked once the node has its identity')]
  try {
    const { limitsInForce: limits } = config
    const peer = peerIdOf(isNew ? newIdentityPem() : readFileSync(identity, 'utf8'))
    const current = await newestRoot(config)
    const nowMs = Date.now()
    const judgement = createJudge(limits)(peer, ownChain(config, peer, limits)(nowMs), current, nowMs)
    if (judgement.kind === 'refused') {
      const section = judgement.code === 'ADMIT_EXPIRED' ? 'certificate-expiry' : 'join-a-node'
      const advice = `peers refuse it so; see docs/operations.md#${section}`
      return [wrong(check, `${judgement.code}: ${judgement.text}`, advice)]
    }
    const { labels, pool, notAfter } = judgement.admission
    const left = Math.min(pool?.notAfter ?? notAfter, notAfter) - nowMs
    const said = [...labels].map(([name, value]) => `${name}=${value}`).join(' ') || 'no labels'
    const text = `${pool === undefined ? 'of its own' : `of pool ${pool.name}`}, ${said}, valid for ${Math.max(0, Math.floor(left / DAY_MS))} days`
    return [left < WARN_MS ? wrong(check, text, 'hand out a new one in time') : fine(check, text)]
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const advice =
      code === 'EACCES' ? AS_ITS_USER : 'it must be of this fleet and grant the labels of this node'
    return [wrong(check, message, advice)]
  }
}

export async function checkFreshnessKey(config: NodeConfig): Promise<readonly Finding[]> {
  if (config.freshness === undefined) return []
  const check = 'freshness key'
  try {
    const current = await newestRoot(config)
    const { key } = config.freshness
    const { id } = readPrivateKey(key, 'freshness.key', openToGroup(config).has(key))
    if (current.freshness.keys.includes(id)) return [fine(check, `named by root ${current.version}`)]
    return [
      wrong(
        check,
        `root ${current.version} does not name it: nobody believes its beacons`,
        'confmesh trust set-freshness --add-key, then confmesh trust push',
      ),
    ]
  } catch {
    return [] // root and key are each said by name above
  }
}

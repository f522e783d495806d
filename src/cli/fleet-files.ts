/** The configuration files that `init` and `add-seed` write: complete, and meant to be read. */

export interface SeedFacts {
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly seeds: readonly string[]
  readonly apiPort: number
  readonly title: string
}

export interface NodeFacts {
  readonly listen: readonly string[]
  readonly seeds: readonly string[]
  readonly channels: readonly string[]
  readonly apiPort: number
  readonly title: string
}

/** Paths are relative to the file, so that the folder can be moved to another host as it is. */
export function seedYaml({ listen, announce, seeds, apiPort, title }: SeedFacts): string {
  return `# ${title}
# Start it with: confmesh node --config seed.yaml
root: root.json
data: seed
listen:${list(listen)}
# Where others reach it.
announce:${list(announce)}
# The other seeds, each with its peer id.
seeds:${list(seeds)}
# Where this host stands; both must be labels that the pool grants.
# labels: { region: eu, zone: eu-1 }
channels: ["**"]
# Its place in the fleet: it signs itself in with the pool's key.
admission:
  pool: pool.json
  poolKey: pool.key
# Publishers inject releases here.
submit: true
# Signs the fleet's word of what is newest.
freshness:
  key: seed/freshness.key
api:
  listen: 127.0.0.1:${apiPort}
`
}

export function nodeYaml({ listen, seeds, channels, apiPort, title }: NodeFacts): string {
  return `# ${title}
# Start it with: confmesh node --config node.yaml
# A copy with another data, api.listen (and materialize.dir) is another node, on this host or any.
root: root.json
data: node
listen:${list(listen)}
seeds:${list(seeds)}
# Where this host stands; both must be labels that the pool grants.
# labels: { region: eu, zone: eu-1 }
channels:${list(channels)}
admission:
  pool: pool.json
  poolKey: pool.key
# Write each channel's files below this folder, at <dir>/<channel>/current.
# materialize:
#   dir: /srv/config
api:
  listen: 127.0.0.1:${apiPort}
`
}

/** JSON strings are YAML strings, whatever is in them. */
function list(items: readonly string[]): string {
  return items.length === 0 ? ' []' : items.map((item) => `\n  - ${JSON.stringify(item)}`).join('')
}

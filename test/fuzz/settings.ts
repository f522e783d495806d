/** What a person types: names, addresses, and the settings of a node by file, environment and command line. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { register } from '../../src/cli/commands/node.ts'
import { overridesOf } from '../../src/cli/node-options.ts'
import { loadConfig } from '../../src/daemon/config.ts'
import { MeshError } from '../../src/errors.ts'
import { parseAddress, parseChannel, parsePattern } from '../../src/model/names.ts'
import { parseAddress as parseDialled } from '../../src/net/address.ts'
import { bytesOf, textOf } from './change.ts'
import { SELF } from './fleet.ts'
import { scratch } from './scratch.ts'
import type { Target } from './targets.ts'

const SETTINGS = {
  root: 'root.json',
  data: 'data',
  listen: ['/ip4/127.0.0.1/tcp/0'],
  announce: ['/dns4/a.example/tcp/7400'],
  seeds: [`/ip4/10.0.0.1/tcp/7400/p2p/${SELF.id}`],
  labels: { region: 'eu', 'app.kubernetes.io': 'x' },
  channels: ['pay/*'],
  api: { listen: '127.0.0.1:0', hosts: ['a'] },
  limits: { maxChannels: 10, gossipPerSecond: 0.5 },
  materialize: { dir: 'out', mode: '0440' },
  hooks: [{ channels: ['**'], command: ['true'], timeoutMs: 5 }],
  health: { command: ['true'], soakMs: 0 },
}
const YAML = `root: root.json
data: data
listen: ["/ip4/127.0.0.1/tcp/0"]
labels: { region: eu }
channels: ["pay/*"]
api: { listen: "127.0.0.1:0", hosts: [a] }
limits: { maxChannels: 10 }
materialize: &out { dir: out }
hooks:
  - channels: ["**"]
    command: ["true"]
    timeoutMs: 5
`
const TWINS = `CONFMESH_NODE_API_LISTEN=127.0.0.1:0
CONFMESH_NODE_SEEDS=/ip4/10.0.0.1/tcp/7400/p2p/${SELF.id}
CONFMESH_NODE_LABELS_RACK=r1
CONFMESH_NODE_SUBMIT=true
CONFMESH_NODE_LIMITS_MAX_CHANNELS=10
CONFMESH_NODE_HOOKS=[{ channels: ["**"], command: ["true"] }]
CONFMESH_NODE_HEALTH_SOAK_MS=5
CONFMESH_NODE_LOG_LEVEL=debug`
const OPTIONS = `--root=other.json
--data=elsewhere
--listen=/ip4/0.0.0.0/tcp/7400
--seed
/ip4/10.0.0.1/tcp/7400/p2p/${SELF.id}
--channel=pay/**
--label
rack=r1
--api=unix:/run/x`

const folder = scratch('node')
const sound = join(folder, 'sound.yaml')
writeFileSync(sound, YAML)

function byFile(bytes: Uint8Array): void {
  const path = join(folder, 'node.yaml')
  writeFileSync(path, bytes)
  loadConfig(path, {}, new Map())
}

/** A line is NAME=VALUE, as a service's file of them has it. */
function byEnvironment(bytes: Uint8Array): void {
  const lines = textOf(bytes).split('\n')
  loadConfig(
    sound,
    Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2) as [string, string])),
    new Map(),
  )
}

/** A line is an argument. */
function byCommandLine(bytes: Uint8Array): void {
  const program = new Command()
  register(program)
  const [node] = program.commands
  for (const command of [program, node as Command])
    command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
  node?.action((options) => void loadConfig(options.config, {}, overridesOf(options)))
  try {
    program.parse(['node', '--config', sound, ...textOf(bytes).split('\n')], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) throw new MeshError('USAGE', error.message)
    throw error
  }
}

const ADDRESSES = [
  `/ip4/127.0.0.1/tcp/7400/p2p/${SELF.id}`,
  `/dns4/seed1.example.com/tcp/7400/p2p/${SELF.id}`,
  `/ip6/fe80::1/tcp/7400/p2p/${SELF.id}`,
].map(bytesOf)

export const SETTING_TARGETS: readonly Target[] = [
  {
    name: 'channel',
    run: (bytes) => parseChannel(textOf(bytes)),
    samples: ['payments/prod', 'a/b.c/d-e/f_g/1/2/3/4'].map(bytesOf),
  },
  {
    name: 'pattern',
    run: (bytes) => parsePattern(textOf(bytes)),
    samples: ['pay/**', '*/prod', '**', 'pay/*/eu'].map(bytesOf),
  },
  { name: 'address', run: (bytes) => parseAddress(textOf(bytes)), samples: ADDRESSES },
  { name: 'address to dial', run: (bytes) => parseDialled(textOf(bytes)), samples: ADDRESSES },
  { name: 'configuration', run: byFile, samples: [YAML, JSON.stringify(SETTINGS)].map(bytesOf) },
  { name: 'configuration by environment', run: byEnvironment, samples: [TWINS].map(bytesOf) },
  { name: 'configuration by command line', run: byCommandLine, samples: [OPTIONS].map(bytesOf) },
]

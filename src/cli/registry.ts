import type { Command } from 'commander'

interface Entry {
  readonly summary: string
  /** Loaded only when asked for: `--help` and the offline commands must not wait for the network's code. */
  load(): Promise<{ register(program: Command): void }>
}

/** Every command, in the order of `confmesh --help`. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
  init: {
    summary: 'make a new fleet: keys, trust root, configurations',
    load: () => import('./commands/init.ts'),
  },
  'add-seed': { summary: 'make one more seed for a fleet', load: () => import('./commands/add-seed.ts') },
  keygen: { summary: 'make a key pair', load: () => import('./commands/keygen.ts') },
  identity: { summary: "print a node's peer id", load: () => import('./commands/identity.ts') },
  trust: { summary: 'read and change the trust root', load: () => import('./commands/trust.ts') },
  admit: { summary: 'make a certificate for one node', load: () => import('./commands/admit.ts') },
  node: { summary: 'run a node', load: () => import('./commands/node.ts') },
  publish: { summary: 'build, sign and inject a release', load: () => import('./commands/publish.ts') },
  sign: { summary: 'sign a prepared release', load: () => import('./commands/sign.ts') },
  rollback: { summary: 'publish old content as a new release', load: () => import('./commands/rollback.ts') },
  check: { summary: 'would this be accepted as a release', load: () => import('./commands/check.ts') },
  status: { summary: 'what this node runs', load: () => import('./commands/status.ts') },
  get: { summary: 'read a file of a channel', load: () => import('./commands/get.ts') },
  watch: { summary: 'follow a channel', load: () => import('./commands/watch.ts') },
  log: { summary: 'releases of a channel', load: () => import('./commands/log.ts') },
  diff: { summary: 'what differs between two releases', load: () => import('./commands/diff.ts') },
  export: { summary: 'write a release into a file', load: () => import('./commands/export.ts') },
  import: { summary: 'inject a release out of a file', load: () => import('./commands/import.ts') },
  verify: {
    summary: "check every byte and signature of a stopped node's store",
    load: () => import('./commands/verify.ts'),
  },
  doctor: {
    summary: 'what is wrong with a node, and how to mend it',
    load: () => import('./commands/doctor.ts'),
  },
  demo: { summary: 'a whole fleet on this machine', load: () => import('./commands/demo.ts') },
  simulate: {
    summary: 'how long and how many bytes a release takes in a fleet of yours',
    load: () => import('./commands/simulate.ts'),
  },
}

import type { Command } from 'commander'
import { loadConfig, type NodeConfig } from '../../daemon/config.ts'
import { examine } from '../../daemon/doctor/examine.ts'
import { type Finding, fine, wrong } from '../../daemon/doctor/finding.ts'
import { isMeshError } from '../../errors.ts'
import { out, printable } from '../output.ts'

export function register(program: Command): void {
  program
    .command('doctor')
    .description(
      'check what a node needs: configuration, root, keys, disk, ports, clock, seeds; changes nothing',
    )
    .option('--config <file>', "the node's configuration", 'node.yaml')
    .addHelpText(
      'after',
      "\nWorks beside a running node and before the first start. Run it as the node's user.\nA node that is started with --data or --api: give them as CONFMESH_NODE_DATA and CONFMESH_NODE_API_LISTEN.\nExample:\n  confmesh doctor --config /etc/confmesh/node.yaml\n",
    )
    .action(async ({ config }: { config: string }) => {
      const findings = await diagnose(config)
      const ok = findings.every((finding) => finding.ok)
      out({ ok, checks: findings }, findings.map(line))
      // Without a configuration that can be read it is the input that is wrong.
      if (!ok) process.exitCode = findings[0]?.ok === true ? 1 : 2
    })
}

async function diagnose(file: string): Promise<readonly Finding[]> {
  const check = 'configuration'
  let config: NodeConfig
  try {
    config = loadConfig(file, process.env, new Map())
  } catch (error) {
    if (!isMeshError(error)) throw error
    return [wrong(check, `${error.code}: ${error.message}`, 'nothing else can be checked before')]
  }
  return [fine(check, file), ...(await examine(config))]
}

function line({ check, ok, text, advice }: Finding): string {
  const said = `${ok ? '✓' : '✗'} ${check}: ${text}${advice === undefined ? '' : ` → ${advice}`}`
  return printable(said)
}

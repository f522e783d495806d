import type { Command } from 'commander'
import { loadConfig, type NodeConfig, type Overrides } from '../../daemon/config.ts'
import { examine } from '../../daemon/doctor/examine.ts'
import { type Finding, fine, wrong } from '../../daemon/doctor/finding.ts'
import { isMeshError } from '../../errors.ts'
import { type NodeOptions, nodeOptions, overridesOf } from '../node-options.ts'
import { out, printable } from '../output.ts'

export function register(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'check what a node needs: configuration, root, keys, disk, ports, clock, seeds; changes nothing',
    )
    .option('--config <file>', "the node's configuration", 'node.yaml')
  nodeOptions(command)
    .addHelpText(
      'after',
      "\nWorks beside a running node and before the first start. Run it as the node's user, with the options that it is started with.\nExamples:\n  confmesh doctor --config /etc/confmesh/node.yaml\n  confmesh doctor --config fleet/node.yaml --data node1 --api 127.0.0.1:7481\n",
    )
    .action(async (options: NodeOptions & { config: string }) => {
      const findings = await diagnose(options.config, overridesOf(options))
      const ok = findings.every((finding) => finding.ok)
      out({ ok, checks: findings }, findings.map(line))
      // Without a configuration that can be read it is the input that is wrong.
      if (!ok) process.exitCode = findings[0]?.ok === true ? 1 : 2
    })
}

async function diagnose(file: string, overrides: Overrides): Promise<readonly Finding[]> {
  const check = 'configuration'
  let config: NodeConfig
  try {
    config = loadConfig(file, process.env, overrides)
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

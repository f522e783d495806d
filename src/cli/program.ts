import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError, Help, type Option } from 'commander'
import { MeshError } from '../errors.ts'
import { fail, out, setOutput } from './output.ts'
import { COMMANDS } from './registry.ts'

/** Runs one command line. Never throws: what went wrong is said and left in `process.exitCode`. */
export async function runProgram(args: readonly string[]): Promise<void> {
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  setOutput({ json: options.includes('--json'), verbose: options.includes('--verbose') })
  try {
    const words = options.filter((arg) => !arg.startsWith('-'))
    if (words.length === 0 && !options.includes('--help') && !options.includes('-h')) runBare(options)
    else await (await programFor(words)).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) failAsUsage(error)
    else fail(error)
  }
}

const EXIT_HELP = `
Exit codes: 0 done, 1 failed, 2 wrong input (command line, configuration, key, file), 3 refused (signature, trust,
order), 4 unreachable, timed out, or too busy to the end.

Start with: confmesh demo, or confmesh init fleet
`

/** Only the command that is asked for is loaded; of the others help needs the name and one line. */
async function programFor(words: readonly string[]): Promise<Command> {
  const program = new Command('confmesh')
    .description('Distributes signed configuration releases over a peer-to-peer mesh.')
    .showSuggestionAfterError()
    .option('--version', 'print the version')
    .addHelpText('after', EXIT_HELP)
  const wanted = words[0] === 'help' ? words[1] : words[0]
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    if (name === wanted) (await load()).register(program)
    else program.command(name).description(summary)
  }
  settle(program)
  return program
}

/** No command: the version, or a word on what to do. */
function runBare(options: readonly string[]): void {
  const other = options.find((option) => !['--version', '--json', '--verbose'].includes(option))
  if (other !== undefined)
    throw new MeshError('USAGE', `unknown option "${other}"; confmesh --help lists all`)
  if (!options.includes('--version'))
    throw new MeshError('USAGE', 'name a command; confmesh --help lists them')
  const version = versionOf()
  out({ version }, version)
}

/** The same manners for each command: our own form of errors, `--json` and `--verbose` everywhere. */
function settle(command: Command): void {
  command.exitOverride()
  command.configureOutput({ writeErr: () => {}, outputError: () => {} })
  command.configureHelp({ optionDescription: described })
  const has = (long: string) => command.options.some((option) => option.long === long)
  if (!has('--json')) command.option('--json', 'print one JSON value')
  if (!has('--verbose')) command.option('--verbose', 'print a stack trace with an error')
  for (const child of command.commands) settle(child)
}

function described(option: Option): string {
  const text = new Help().optionDescription(option)
  return option.mandatory ? `${text} (required)` : text
}

function failAsUsage(error: CommanderError): void {
  if (error.exitCode === 0) return // help was asked for and printed
  const message =
    error.code === 'commander.help'
      ? 'name one of the commands or subcommands; --help lists them'
      : `${error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')}; --help shows how`
  fail(new MeshError('USAGE', message, {}, { cause: error }))
}

function versionOf(): string {
  const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
